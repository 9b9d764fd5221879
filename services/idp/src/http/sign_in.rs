//! `POST page::LOGON`: a login name and a password.

#[cfg(test)]
mod tests;

use authn::audit::Event;
use authn::{AuthError, Caller, Credentials, UserType, causes};
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderValue;
use axum::response::Response;
use axum::routing::{get, post};
use tonic::metadata::MetadataMap;
use tracing::field::display;
use web::cookie::{Lifetime, with_cookies};
use web::response::see_other;

use super::factor::{self, AfterPassword};
use super::interaction::{FlowStage, LOGON, continue_flow, is_own_form, show_sign_in_again};
use super::issuer::{Issuer, IssuerState};
use super::pages::{Notice, SignIn, SignInError};
use super::{cookie, device_cookie, new_browser};
use crate::endpoints::page;
use crate::engine::audit_events::{AuditedUser, Circumstances};
use crate::engine::authorize::flow::Flow;
use crate::engine::sessions::{self, NewSession, SignedInUser};
use crate::model::Session;

/// The longest form, in bytes: a flow, a password of a kilobyte, and room.
const MAX_FORM: usize = 80 * 1024;

/// The form, which all issuers share. A `GET` on the URL of a form, as of a browser that restores its windows, leads to the
/// sign-in, or to what that would lead to.
pub(crate) fn router(state: IssuerState) -> Router {
    let forms = [
        page::LOGON,
        page::PASSKEY,
        page::CANCEL,
        page::FACTOR,
        page::ENROL,
        page::CONSENT,
        page::ACCOUNT,
        page::SIGN_OUT,
    ];
    let router = forms.into_iter().fold(Router::new(), |router, path| router.route(path, get(to_sign_in)));
    router.route(page::LOGON, post(sign_in)).with_state(state)
}

async fn to_sign_in(issuer: Issuer) -> Response {
    see_other(&issuer.sign_in_url(page::CONSENTS))
}

/// The fields of the form.
struct Form {
    flow: String,
    csrf: String,
    username: String,
    password: secrecy::SecretString,
    remember: bool,
}

impl Form {
    fn read(body: &[u8]) -> Self {
        let (mut flow, mut csrf, mut username, mut password) =
            (String::new(), String::new(), String::new(), String::new());
        let mut remember = false;
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "flow" => flow = value.into_owned(),
                "csrf" => csrf = value.into_owned(),
                "username" => username = value.into_owned(),
                "password" => password = value.into_owned(),
                "remember" => remember = true,
                _ => {}
            }
        }
        Self { flow, csrf, username, password: password.into(), remember }
    }
}

/// Signs a user in, and continues the flow.
async fn sign_in(State(state): State<IssuerState>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(issuer) = Issuer::from_request_parts(&mut parts, &state).await;
    let Ok(body) = axum::body::to_bytes(body, MAX_FORM).await else { return issuer.expired() };
    let form = Form::read(&body);
    let Some((issuer, flow)) = issuer.open(&form.flow) else { return issuer.expired() };
    if !is_own_form(&issuer, LOGON, (&form.flow, &form.csrf)) {
        return issuer.notice(Notice::Forgery);
    }
    let caller = Caller {
        device: device_cookie::known(&issuer),
        ..Caller::of(&MetadataMap::from_headers(parts.headers), &parts.extensions)
    };
    match verify(&issuer, &form, &caller).await {
        Ok(user) => succeed(&issuer, &flow, &user, form.remember, &caller).await,
        Err(error) => {
            let (username, remember) = (form.username.as_str(), form.remember);
            let page = SignIn { username, error: Some(error), remember, ..SignIn::default() };
            show_sign_in_again(&issuer, &flow, page).await
        }
    }
}

/// The user with this password. Every wrong password, and every account that may not sign in, gets the same answer (row I34);
/// the authenticator limits the attempts.
async fn verify(issuer: &Issuer, form: &Form, caller: &Caller) -> Result<String, SignInError> {
    let (client_id, secret) = (form.username.clone(), form.password.clone());
    let credentials = Credentials { client_id, secret, caller: caller.clone() };
    let (reason, problem) = match issuer.provider.passwords.authenticate(&credentials).await {
        // service accounts have credentials of their own and no business at a form (row M5)
        Ok(found) if found.user.is_active() && found.user.id.kind != UserType::Service => {
            return Ok(found.user.id.opaque_id.clone());
        }
        Ok(_) => ("not_a_person", SignInError::WrongCredentials),
        Err(error) => {
            let problem = match &error {
                AuthError::Busy { retry_after } => SignInError::TooMany { retry_after: retry_after.as_secs().max(1) },
                AuthError::Unavailable { .. } | AuthError::Internal(_) => {
                    tracing::warn!(%error, cause = causes(&error), "the sign-in came to no verdict");
                    SignInError::Unavailable
                }
                _ => SignInError::WrongCredentials,
            };
            (error.reason(), problem)
        }
    };
    let source = caller.source.map(display);
    let event = Event { reason: &reason, source: &source, ..Event::new("sign_in", "failure") };
    if matches!(problem, SignInError::TooMany { .. }) {
        // guesses must not fill the table
        event.log();
    } else {
        let user = AuditedUser::LoginName(form.username.clone());
        let circumstances = Circumstances::by(user, "", caller);
        issuer.provider.audit_events.record(&event, circumstances, issuer.provider.clock.now());
    }
    Err(problem)
}

/// Records how far the sign-in of a user with the right password has come: `success` once there is a session.
pub(crate) fn record(Issuer { provider, .. }: &Issuer, user: &str, caller: &Caller, outcome: &'static str) {
    let source = caller.source.map(display);
    let event = Event { subject: &user, source: &source, ..Event::new("sign_in", outcome) };
    provider.audit_events.record(&event, Circumstances::of(user, "", caller), provider.clock.now());
}

async fn succeed(issuer: &Issuer, flow: &Flow, user: &str, remember: bool, caller: &Caller) -> Response {
    let former = match issuer.session().await {
        Ok(session) => session,
        Err(error) => return issuer.fault(&error),
    };
    let amr = match factor::after_password(issuer, flow, former.as_ref(), user).await {
        Ok(AfterPassword::SignedIn { amr }) => amr,
        Ok(AfterPassword::SecondFactor) => {
            record(issuer, user, caller, "second_factor_required");
            return factor::begin(issuer, flow, user, remember);
        }
        Err(response) => return response,
    };
    begin_session(issuer, flow, (former.as_ref(), SignedInUser { user, amr: &amr, remember }), caller).await
}

/// Begins the session of a user in the place of the browser's former one, and continues the flow.
pub(crate) async fn begin_session(
    issuer: &Issuer,
    flow: &Flow,
    (former, signed_in): (Option<&Session>, SignedInUser<'_>),
    caller: &Caller,
) -> Response {
    let user = signed_in.user;
    let begun = match sessions::begin(&issuer.provider, former, signed_in, caller).await {
        Ok(begun) => begun,
        Err(error) => return issuer.fault(&error),
    };
    new_browser::notify(issuer, user, caller);
    record(issuer, user, caller, "success");
    let cookies = session_cookies(issuer, &begun).into_iter().chain([device_cookie::remember(issuer, user)]);
    let flow = Flow { signed_in: Some(begun.session.id), ..flow.clone() };
    with_cookies(continue_flow(issuer, flow, Some(begun.session), FlowStage::Form).await, cookies)
}

/// The cookies of a session that has just begun.
pub(crate) fn session_cookies(Issuer { provider, endpoints, .. }: &Issuer, begun: &NewSession) -> [HeaderValue; 2] {
    let lifetime = begun.cookie_lifetime.map_or(Lifetime::BrowserSession, Lifetime::For);
    let state = sessions::browser_state(provider, Some(begun.session.id));
    [
        cookie::private(endpoints, &cookie::session(endpoints), &begun.cookie, lifetime),
        cookie::readable(endpoints, &cookie::browser_state(endpoints), &state, lifetime),
    ]
}
