//! `POST page::LOGON`: a login name and a password.

use authn::{AuthError, Caller, Credentials, UserType};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use tonic::metadata::MetadataMap;

use super::{begin, device};
use crate::authorize::{self, After};
use crate::endpoints::Site;
use crate::flow::Flow;
use crate::pages::{self, Notice, SignInError};
use crate::provider::Provider;
use crate::session;

/// The longest form, in bytes: a flow, a password of a kilobyte, and room.
const MAX_FORM: usize = 80 * 1024;

/// What the form holds.
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

/// Signs somebody in, and goes on with the flow.
pub(super) async fn sign_in(State(provider): State<Provider>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let Ok(body) = axum::body::to_bytes(body, MAX_FORM).await else {
        return authorize::over(&provider, headers);
    };
    let form = Form::read(&body);
    let Some((site, flow)) = authorize::open(&provider, &form.flow) else { return authorize::over(&provider, headers) };
    if !authorize::is_shown_here(&provider, &site, headers, authorize::LOGON, (&form.flow, &form.csrf)) {
        return authorize::notice(&provider, &site, headers, Notice::Forgery);
    }
    let caller = Caller {
        device: device::known(&provider, &site, headers),
        ..Caller::of(&MetadataMap::from_headers(headers.clone()), &parts.extensions)
    };
    let attempt = Attempt { provider: &provider, site: &site, headers, flow: &flow };
    match attempt.verify(&form, caller).await {
        Ok(person) => attempt.succeed(&person, form.remember).await,
        Err(problem) => attempt.fail(&form, problem).await,
    }
}

struct Attempt<'a> {
    provider: &'a Provider,
    site: &'a Site,
    headers: &'a HeaderMap,
    flow: &'a Flow,
}

impl Attempt<'_> {
    /// The person with this password. Every bad one, and everybody who may not sign in, gets the same answer (row I34);
    /// throttling is the authenticator's business.
    async fn verify(&self, form: &Form, caller: Caller) -> Result<String, SignInError> {
        let source = caller.source.map(|source| source.to_string()).unwrap_or_default();
        let credentials = Credentials { client_id: form.username.clone(), secret: form.password.clone(), caller };
        let (outcome, reason, answer) = match self.provider.passwords.authenticate(&credentials).await {
            // service accounts have credentials of their own and no business at a form (row M5)
            Ok(found) if found.user.is_active() && found.user.id.kind != UserType::Service => {
                ("success", "", Ok(found.user.id.opaque_id.clone()))
            }
            Ok(_) => ("failure", "not_a_person", Err(SignInError::WrongCredentials)),
            Err(error) => {
                let problem = match &error {
                    AuthError::Busy { retry_after } => {
                        SignInError::TooMany { retry_after: retry_after.as_secs().max(1) }
                    }
                    AuthError::Unavailable { .. } | AuthError::Internal(_) => SignInError::Unavailable,
                    _ => SignInError::WrongCredentials,
                };
                ("failure", error.reason(), Err(problem))
            }
        };
        let subject = answer.as_deref().unwrap_or_default();
        tracing::info!(target: "audit", event = "sign_in", outcome, reason, subject, source);
        answer
    }

    async fn succeed(&self, person: &str, remember: bool) -> Response {
        let Self { provider, site, headers, flow } = *self;
        let former = match session::current(provider, site, headers).await {
            Ok(current) => current.map(|current| current.session),
            Err(error) => return authorize::fault(provider, site, headers, &error),
        };
        let begun = match begin(provider, site, former.as_ref(), person, remember).await {
            Ok(begun) => begun,
            Err(error) => return authorize::fault(provider, site, headers, &error),
        };
        let flow = Flow { signed_in: Some(begun.session.id), ..flow.clone() };
        let device = device::remember(provider, site, headers, person);
        let mut response = authorize::go_on(provider, site, headers, flow, Some(begun.session), After::Form).await;
        for cookie in begun.cookies.into_iter().chain([device]) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    async fn fail(&self, form: &Form, problem: SignInError) -> Response {
        let Self { provider, site, headers, flow } = *self;
        let page = pages::SignIn {
            username: &form.username,
            error: Some(problem),
            remember: form.remember,
            ..pages::SignIn::default()
        };
        authorize::show_sign_in(provider, site, headers, flow, page).await
    }
}
