//! The end-session endpoint (`OpenID` Connect RP-Initiated Logout 1.0), and the two pages behind it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use authn::Caller;
use authn::audit::Event;
use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::{get, post};
use oidc::error::ErrorCode;
use oidc::redirect::MAX_BYTES as MAX_REDIRECT;
use oidc::request::{MAX_ID_TOKEN_HINT, MAX_LIST, MAX_LOGIN_HINT, MAX_STATE, RequestError};
use store::StoreError;
use tracing::field::display;
use web::cookie::with_cookies;
use web::form::{BadParameters, Parameters};
use web::response::see_other;

use super::cookie;
use super::issuer::{Issuer, IssuerState, at_every_issuer};
use super::pages::{self, Notice, SignOut};
use crate::endpoints::page;
use crate::engine::audit_events::Circumstances;
use crate::engine::claims;
use crate::engine::clients::Client;
use crate::engine::end_session::hint::Hint;
use crate::engine::end_session::{Decision, Given, Refused, Request, SignedIn, decide};
use crate::engine::provider::Provider;
use crate::engine::termination::{end, end_everywhere};
use crate::model::Session;

/// The longest `client_id`, in bytes: one that a client was given when it registered itself, or the address of its
/// metadata.
const MAX_CLIENT_ID: usize = 2048;
/// The longest word of the form that confirms, in bytes.
const MAX_WORD: usize = 256;

/// A request, without its parameters.
struct Visit {
    issuer: Issuer,
    caller: Caller,
}

/// Why a request is answered with a page that says so.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the form was not shown to this browser in this session")]
    Forgery,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The end-session endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    at_every_issuer(provider, |paths| paths.end_session, &get(by_query).post(by_form))
}

/// The pages behind it, which all issuers share.
pub(crate) fn shared_router(state: IssuerState) -> Router {
    Router::new().route(page::SIGN_OUT, post(confirmed)).route(page::GOODBYE, get(goodbye)).with_state(state)
}

async fn by_query(issuer: Issuer, extensions: Extensions, RawQuery(query): RawQuery) -> Response {
    let visit = Visit::new(issuer, &extensions);
    let outcome = async {
        let parameters = Parameters::of_query(query.as_deref())?;
        let session = visit.issuer.session().await?;
        visit.requested(&parameters, session.as_ref()).await
    };
    let outcome = outcome.await;
    visit.answer(outcome)
}

async fn by_form(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let visit = Visit::new(issuer, &extensions);
    let outcome = async {
        let parameters = Parameters::of_form(&visit.issuer.headers, &body)?;
        match visit.issuer.session().await? {
            // browsers leave our cookies out of a form that another site's page sends, but not out of what it leads to
            None => Ok(visit.once_more(&parameters)),
            session => visit.requested(&parameters, session.as_ref()).await,
        }
    };
    let outcome = outcome.await;
    visit.answer(outcome)
}

/// The user has confirmed.
async fn confirmed(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let visit = Visit::new(issuer, &extensions);
    let outcome = async {
        let parameters = Parameters::of_form(&visit.issuer.headers, &body)?;
        visit.confirmed(&parameters).await
    };
    let outcome = outcome.await;
    visit.answer(outcome)
}

async fn goodbye(issuer: Issuer) -> Response {
    pages::signed_out(&issuer.page(&[]), &[], None)
}

fn read(parameters: &Parameters) -> Result<Request<'_>, BadParameters> {
    // it is the signed-in user who signs out, whoever the hint names
    parameters.one("logout_hint", MAX_LOGIN_HINT)?;
    Ok(Request {
        id_token_hint: parameters.one("id_token_hint", MAX_ID_TOKEN_HINT)?,
        client_id: parameters.one("client_id", MAX_CLIENT_ID)?,
        redirect_uri: parameters.one("post_logout_redirect_uri", MAX_REDIRECT)?,
        state: parameters.one("state", MAX_STATE)?,
        ui_locales: parameters.one("ui_locales", MAX_LIST)?,
    })
}

impl Visit {
    fn new(issuer: Issuer, extensions: &Extensions) -> Self {
        let caller = issuer.caller(extensions);
        Self { issuer, caller }
    }

    /// Writes which user was signed out, by which client, and how that was decided.
    fn audit(&self, session: &Session, client: Option<&Client>, reason: &'static str) {
        let client = client.map(|client| client.id.as_str());
        let (id, source, trace_id) =
            (display(session.id), self.caller.source.map(display), display(&self.caller.trace_id));
        let event = Event {
            reason: &reason,
            subject: &session.person,
            session: &id,
            client: &client,
            source: &source,
            trace_id: &trace_id,
            ..Event::new("sign_out", "done")
        };
        let provider = &self.issuer.provider;
        let circumstances = Circumstances::of(&session.person, client.unwrap_or_default(), &self.caller);
        provider.audit_events.record(&event, circumstances, provider.clock.now());
    }

    async fn client(&self, id: Option<&str>) -> Result<Option<Arc<Client>>, StoreError> {
        match id {
            Some(id) => self.issuer.provider.clients.find(id).await,
            None => Ok(None),
        }
    }

    async fn requested(&self, parameters: &Parameters, session: Option<&Session>) -> Result<Response, Problem> {
        let request = read(parameters)?;
        let given = match request.id_token_hint {
            None => Given::Nothing,
            Some(text) => Hint::read(&self.issuer.provider, text).map_or(Given::Forged, Given::Hint),
        };
        let client = self.client(given.client(&request)?).await?;
        match self.decide(&request, &given, client.as_deref(), session)? {
            Decision::Ask { session, target } => {
                // a form that leads nowhere afterwards needs no client
                let client = client.as_deref().filter(|_| target.is_some());
                Ok(self.ask(&request, session, client, target.as_deref()))
            }
            Decision::End { session, target } => {
                self.audit(session, client.as_deref(), "hint");
                let frames = end(&self.issuer.provider, session.id).await?;
                Ok(self.gone(&frames, target.as_deref()))
            }
            Decision::NoSession { target } => Ok(self.gone(&[], target.as_deref())),
        }
    }

    fn decide<'a>(
        &self,
        request: &Request<'_>,
        given: &Given,
        client: Option<&Client>,
        session: Option<&'a Session>,
    ) -> Result<Decision<'a>, Refused> {
        let known = session.zip(client);
        let subject =
            known.map(|(session, client)| claims::subject(&self.issuer.provider.sealer, client, &session.person));
        let signed_in = session.map(|session| SignedIn { session, subject: subject.as_deref() });
        decide(request, given, client.map(|client| &client.logout.redirects), signed_in)
    }

    /// Shows the form that asks.
    fn ask(&self, request: &Request<'_>, session: &Session, client: Option<&Client>, target: Option<&str>) -> Response {
        let (browser, cookie) = self.issuer.browser();
        let all = [
            ("client_id", client.map(|client| client.id.as_str())),
            ("post_logout_redirect_uri", request.redirect_uri.filter(|_| client.is_some())),
            ("state", request.state.filter(|_| client.is_some())),
        ];
        let hidden: Vec<_> = all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let form = SignOut {
            csrf: &self.issuer.csrf(&browser, &form_purpose(session)),
            client_name: client.map(|client| client.presentation.name.as_str()),
            hidden: &hidden,
            redirect_uri: target,
        };
        with_cookies(pages::confirm_sign_out(&self.issuer.page(&request.languages()), &form), cookie)
    }

    async fn confirmed(&self, parameters: &Parameters) -> Result<Response, Problem> {
        let Some(session) = self.issuer.session().await? else { return Ok(self.gone(&[], None)) };
        let csrf = parameters.one("csrf", MAX_WORD)?.unwrap_or_default();
        if !self.issuer.is_own_form(&form_purpose(&session), csrf) {
            return Err(Problem::Forgery);
        }
        if parameters.one("decision", MAX_WORD)? == Some(pages::STAY) {
            return Ok(see_other(&self.issuer.endpoints.url(page::CONSENTS)));
        }
        // what the form says is decided about anew, since it comes from a browser
        let request = Request { id_token_hint: None, ..read(parameters)? };
        let client = self.client(request.client_id).await?;
        let decision = self.decide(&request, &Given::Nothing, client.as_deref(), Some(&session))?;
        let everywhere = parameters.one("everywhere", MAX_WORD)?.is_some();
        self.audit(&session, client.as_deref(), if everywhere { "everywhere" } else { "confirmed" });
        let frames = end(&self.issuer.provider, session.id).await?;
        if everywhere {
            end_everywhere(&self.issuer.provider, &session.person).await?;
        }
        Ok(self.gone(&frames, decision.target()))
    }

    /// The session has ended. The browser leaves at once, unless it has something to load first.
    fn gone(&self, frames: &[String], target: Option<&str>) -> Response {
        self.issuer.provider.deliveries.notify_one();
        let response = if frames.is_empty() {
            see_other(&target.map_or_else(|| self.issuer.endpoints.url(page::GOODBYE), str::to_owned))
        } else {
            pages::signed_out(&self.issuer.page(&[]), frames, target)
        };
        with_cookies(response, cookie::cleared(&self.issuer.endpoints))
    }

    /// Has the browser repeat the request by GET.
    fn once_more(&self, parameters: &Parameters) -> Response {
        let path = self.issuer.endpoints.url(self.issuer.endpoints.paths.end_session);
        let query = parameters.to_query();
        see_other(&if query.is_empty() { path } else { format!("{path}?{query}") })
    }

    fn answer(&self, outcome: Result<Response, Problem>) -> Response {
        match outcome {
            Ok(response) => response,
            Err(problem @ (Problem::Parameters(_) | Problem::Refused(_))) => {
                let description = problem.to_string().into();
                pages::error(
                    &self.issuer.page(&[]),
                    &RequestError { code: ErrorCode::InvalidRequest, description, reply: None },
                )
            }
            Err(Problem::Forgery) => self.issuer.notice(Notice::Forgery),
            Err(Problem::Store(error)) => {
                tracing::warn!(%error, "a user could not be signed out");
                self.issuer.failure(error.kind())
            }
        }
    }
}

/// The purpose of the form that asks: it is bound to the session, and ends no other.
pub(crate) fn form_purpose(session: &Session) -> String {
    format!("sign out {}", session.id)
}
