//! The page of a flow. It decides anew what the user is asked each time it is shown: so nothing is lost when the user reloads it,
//! comes back to it, or has meanwhile signed in in another window.

use authn::User;
use axum::Router;
use axum::extract::RawQuery;
use axum::response::Response;
use axum::routing::get;
use oidc::response::Carrier;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::response::see_other;

use super::authorization_response::{reject, respond, undecided};
use super::fresh_session::is_fresh;
use super::issuer::{Issuer, IssuerState};
use super::pages::{self, PageContext, SignIn};
use super::{factor, passkey};
use crate::endpoints::page;
use crate::engine::authorize::flow::{Destination, Flow};
use crate::engine::authorize::prompt::{self, NextPrompt, Reauthentication};
use crate::engine::authorize::request::{self, ValidRequest};
use crate::engine::authorize::response;
use crate::engine::levels::Level;
use crate::engine::scopes;
use crate::model::Session;

/// The purpose of the form for login name and password.
pub(crate) const LOGON: &str = "logon";
/// The purpose of the form that confirms the account.
pub(crate) const ACCOUNT: &str = "account";
/// The purpose of the form for consent.
pub(crate) const CONSENT: &str = "consent";

/// The purpose of the form that cancels.
pub(crate) const CANCEL: &str = "cancel";

/// How far a flow has come.
pub(crate) enum FlowStage {
    /// A client's request has arrived; it is valid.
    Request(Box<ValidRequest>),
    /// The page is requested.
    Page,
    /// A form of ours was sent: the page that follows is requested anew, so that no password is posted on (row I16).
    Form,
}

/// The page of flows, which all issuers share.
pub(crate) fn router(state: IssuerState) -> Router {
    Router::new().route(page::SIGN_IN, get(show)).with_state(state)
}

async fn show(issuer: Issuer, RawQuery(query): RawQuery) -> Response {
    let query = Parameters::unlimited(query.unwrap_or_default().as_bytes());
    let Some((issuer, flow)) = issuer.open(query.text("flow")) else { return issuer.expired() };
    match issuer.session().await {
        Ok(session) => continue_flow(&issuer, flow, session, FlowStage::Page).await,
        Err(error) => issuer.fault(&error),
    }
}

/// Continues a flow as far as it goes without the user.
pub(crate) async fn continue_flow(issuer: &Issuer, flow: Flow, session: Option<Session>, stage: FlowStage) -> Response {
    let Issuer { provider, endpoints, .. } = issuer;
    if flow.password.is_some() {
        return match stage {
            FlowStage::Page => factor::show(issuer, &flow, session).await,
            FlowStage::Request(_) | FlowStage::Form => see_other(&flow.url(provider, endpoints)),
        };
    }
    let pending = match &flow.destination {
        Destination::Client(pending) => pending,
        Destination::Path(path) => return to_path(issuer, &flow, path, session, &stage).await,
    };
    let is_page = matches!(stage, FlowStage::Page);
    let is_form = matches!(stage, FlowStage::Form);
    let request = match stage {
        FlowStage::Request(request) => *request,
        FlowStage::Page | FlowStage::Form => match request::resume(provider, pending).await {
            Ok(request) => request,
            Err(rejection) => return reject(issuer, &rejection),
        },
    };
    let next = match prompt::next(provider, &flow, &request, session.clone()).await {
        Ok(next) => next,
        Err(error) => return undecided(issuer, &error),
    };
    match next {
        NextPrompt::Refusal(code, description) => {
            reject(issuer, &response::refuse(provider, &request, (code, description)).await)
        }
        NextPrompt::Nothing(_) if is_form && request.request.delivery.carrier == Carrier::FormPost => {
            see_other(&flow.url(provider, endpoints))
        }
        NextPrompt::Nothing(basis) => match response::grant(provider, endpoints, &request, &basis).await {
            Ok(response) => respond(issuer, &response),
            Err(rejection) => reject(issuer, &rejection),
        },
        NextPrompt::SecondFactor if is_page => factor::show(issuer, &flow, session).await,
        next if is_page => Page { issuer, flow: &flow, request: &request }.show(&next),
        _ => see_other(&flow.url(provider, endpoints)),
    }
}

async fn to_path(issuer: &Issuer, flow: &Flow, path: &str, session: Option<Session>, stage: &FlowStage) -> Response {
    let Issuer { provider, endpoints, .. } = issuer;
    let user = match &session {
        Some(session) => prompt::user(provider, session).await,
        None => Ok(None),
    };
    match user {
        Ok(Some(user)) if flow.fresh && session.as_ref().is_some_and(|session| !is_fresh(provider, session)) => {
            if !matches!(stage, FlowStage::Page) {
                return see_other(&flow.url(provider, endpoints));
            }
            let again = Reauthentication { user, too_old: session.map(|session| session.signed_in) };
            let username = again.user.username.clone();
            sign_in(issuer, flow, (SignIn { username: &username, again: Some(&again), ..SignIn::default() }, &[]))
        }
        Ok(Some(_)) if session.as_ref().is_some_and(|session| Level::of(session) < flow.level) => match stage {
            FlowStage::Page => factor::show(issuer, flow, session).await,
            FlowStage::Request(_) | FlowStage::Form => see_other(&flow.url(provider, endpoints)),
        },
        Ok(Some(_)) => see_other(&endpoints.url(path)),
        Ok(None) if matches!(stage, FlowStage::Page) => sign_in(issuer, flow, (SignIn::default(), &[])),
        Ok(None) => see_other(&flow.url(provider, endpoints)),
        Err(error) => undecided(issuer, &error),
    }
}

/// A page of a flow.
struct Page<'a> {
    issuer: &'a Issuer,
    flow: &'a Flow,
    request: &'a ValidRequest,
}

impl Page<'_> {
    fn show(&self, next: &NextPrompt) -> Response {
        let Self { issuer, flow, request } = *self;
        let redirect_uri = Some(request.redirect.as_str());
        let client = &*request.client;
        match next {
            NextPrompt::SignIn { suggested, again } => {
                let page = SignIn {
                    username: suggested.as_deref().unwrap_or_default(),
                    client: Some(client),
                    redirect_uri,
                    again: again.as_ref(),
                    ..SignIn::default()
                };
                sign_in(issuer, flow, (page, &request.request.ui_locales))
            }
            NextPrompt::Account { user } => self.with_form(ACCOUNT, |context, FormTokens { flow, csrf, cancel }| {
                pages::account(context, &pages::Account { flow, csrf, cancel, user, client, redirect_uri })
            }),
            NextPrompt::Consent { user, scope } => self.with_form(CONSENT, |context, FormTokens { flow, csrf, .. }| {
                let (person, scopes) = (display_name(user), scopes::requested(scope));
                let page = pages::Consent { flow, csrf, client, person, scopes: &scopes, redirect_uri };
                pages::consent(context, &page)
            }),
            NextPrompt::SecondFactor | NextPrompt::Nothing(_) | NextPrompt::Refusal(..) => issuer.expired(),
        }
    }

    fn with_form(&self, purpose: &str, show: impl FnOnce(&PageContext<'_>, FormTokens<'_>) -> Response) -> Response {
        let context = self.issuer.page(&self.request.request.ui_locales);
        with_form(self.issuer, self.flow, purpose, |tokens| show(&context, tokens))
    }
}

/// The form for login name and password.
fn sign_in(issuer: &Issuer, flow: &Flow, (page, languages): (SignIn<'_>, &[String])) -> Response {
    let context = issuer.page(languages);
    with_form(issuer, flow, LOGON, |FormTokens { flow, csrf, cancel }| {
        let challenge = passkey::challenge_alone(issuer, csrf);
        let passkey = challenge.as_ref().map(passkey::prompt);
        let can_reset = issuer.provider.mail.can_reset_passwords();
        pages::sign_in(&context, &SignIn { flow, csrf, cancel, can_reset, passkey, ..page })
    })
}

/// The form for login name and password, for whatever a flow holds.
pub(crate) async fn show_sign_in(issuer: &Issuer, flow: &Flow, page: SignIn<'_>) -> Response {
    let Some(request) = resumed(issuer, flow).await else { return sign_in(issuer, flow, (page, &[])) };
    let (client, redirect_uri) = (Some(&*request.client), Some(request.redirect.as_str()));
    sign_in(issuer, flow, (SignIn { client, redirect_uri, ..page }, &request.request.ui_locales))
}

/// The same after an attempt that has failed; a signed-in user still reads why.
pub(crate) async fn show_sign_in_again(issuer: &Issuer, flow: &Flow, page: SignIn<'_>) -> Response {
    let again = reauthentication(issuer, flow).await;
    show_sign_in(issuer, flow, SignIn { again: again.as_ref(), ..page }).await
}

/// Why the signed-in user of the browser has to sign in again; `None` if there is none, or it is not known now.
async fn reauthentication(issuer: &Issuer, flow: &Flow) -> Option<Reauthentication> {
    let session = issuer.session().await.ok()??;
    let request = resumed(issuer, flow).await?;
    match prompt::next(&issuer.provider, flow, &request, Some(session)).await.ok()? {
        NextPrompt::SignIn { again, .. } => again,
        _ => None,
    }
}

/// What the forms of a page send back.
#[derive(Clone, Copy)]
pub(crate) struct FormTokens<'a> {
    /// The flow, sealed.
    pub(crate) flow: &'a str,
    /// The token of the form.
    pub(crate) csrf: &'a str,
    /// The token of the form that cancels.
    pub(crate) cancel: &'a str,
}

/// A page with a form that is bound to this browser and this flow.
pub(crate) fn with_form(
    issuer: &Issuer,
    flow: &Flow,
    purpose: &str,
    show: impl FnOnce(FormTokens<'_>) -> Response,
) -> Response {
    let (browser, cookie) = issuer.browser();
    let flow = flow.seal(&issuer.provider);
    let token = |purpose| issuer.csrf(&browser, &purpose_of(purpose, &flow));
    let (csrf, cancel) = (token(purpose), token(CANCEL));
    with_cookies(show(FormTokens { flow: &flow, csrf: &csrf, cancel: &cancel }), cookie)
}

fn purpose_of(purpose: &str, flow: &str) -> String {
    format!("{purpose} {flow}")
}

/// Whether a form of a flow was shown to this browser.
pub(crate) fn is_own_form(issuer: &Issuer, purpose: &str, (flow, csrf): (&str, &str)) -> bool {
    issuer.is_own_form(&purpose_of(purpose, flow), csrf)
}

/// The name by which a page addresses a user.
pub(crate) fn display_name(user: &User) -> &str {
    if user.display_name.is_empty() { &user.username } else { &user.display_name }
}

/// The request that a flow holds.
pub(crate) async fn resumed(issuer: &Issuer, flow: &Flow) -> Option<ValidRequest> {
    let Destination::Client(pending) = &flow.destination else { return None };
    request::resume(&issuer.provider, pending).await.ok()
}
