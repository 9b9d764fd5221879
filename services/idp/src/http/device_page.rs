//! The page where a user code is typed in (RFC 8628 3.3). Nothing is looked up until a signed-in user sends a form of ours: a link
//! with a code in it only fills the form (row I26).

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use authn::audit::Event;
use authn::{Caller, DirectoryError, Groups, User};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRef, RawQuery, State};
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::get;
use oidc::error::ErrorCode;
use oidc::request::RequestError;
use store::StoreError;
use tracing::field::display;
use web::cookie::with_cookies;
use web::form::{BadParameters, Parameters};
use web::response::see_other;

use super::interaction::display_name;
use super::issuer::{Issuer, IssuerState};
use super::pages::{self, CodeError, DeviceConfirm, Notice};
use crate::endpoints::page;
use crate::engine::accounts::{self, AccountStatus};
use crate::engine::audit_events::Circumstances;
use crate::engine::clients::Client;
use crate::engine::device::approval::{Approval, grant};
use crate::engine::device::attempts::{AttemptError, Attempts};
use crate::engine::device::request::DeviceRequest;
use crate::engine::device::user_code::UserCode;
use crate::engine::levels::{self, Level};
use crate::engine::scopes;
use crate::model::{Session, seconds};
use crate::store::TooManyCodes;

/// The longest word of a form, in bytes.
const MAX_WORD: usize = 256;
/// Seconds to wait where the session has no attempts left: a new session has some.
const NEXT_SESSION: u64 = 3600;

/// The state of the page.
#[derive(Clone)]
struct PageState {
    issuer: IssuerState,
    attempts: Attempts,
}

impl FromRef<PageState> for IssuerState {
    fn from_ref(state: &PageState) -> Self {
        state.issuer.clone()
    }
}

/// A request, without its parameters.
struct Visit {
    issuer: Issuer,
    caller: Caller,
    attempts: Attempts,
}

/// A device that was found by its user code.
struct FoundDevice {
    code: UserCode,
    request: DeviceRequest,
    client: Arc<Client>,
}

/// Why a request is answered with another page than it was meant to be.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    /// The browser has no session.
    #[error("the browser has no session")]
    SignIn,
    /// The client needs a session of this level.
    #[error("the level of the session is too low")]
    SecondFactor(Level),
    /// The form was not shown to this browser in this session.
    #[error("the form is not ours")]
    Forgery,
    /// The form for the code is shown again.
    #[error("the code is not taken: {0:?}")]
    Code(CodeError),
    /// The user may not use the client.
    #[error("the user may not use the client")]
    Denied,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// The page, which all issuers share.
pub(crate) fn router(issuer: IssuerState) -> Router {
    let attempts = Attempts::new(issuer.provider.store.clone(), issuer.provider.random.clone());
    let state = PageState { issuer, attempts };
    Router::new().route(page::DEVICE, get(show).post(typed_in)).with_state(state)
}

async fn show(
    State(PageState { attempts, .. }): State<PageState>,
    issuer: Issuer,
    extensions: Extensions,
    RawQuery(query): RawQuery,
) -> Response {
    let visit = Visit::new(issuer, &extensions, attempts);
    let mut code = None;
    let outcome = async {
        let parameters = Parameters::of_query(query.as_deref())?;
        code = parameters.one("user_code", MAX_WORD)?.and_then(UserCode::read);
        let session = visit.session().await?;
        Ok(visit.form(&session, code.as_ref(), None))
    };
    let outcome = outcome.await;
    visit.answer(None, code.as_ref(), outcome)
}

async fn typed_in(
    State(PageState { attempts, .. }): State<PageState>,
    issuer: Issuer,
    extensions: Extensions,
    body: Bytes,
) -> Response {
    let visit = Visit::new(issuer, &extensions, attempts);
    let (mut code, mut signed_in) = (None, None);
    let outcome = async {
        let parameters = Parameters::of_form(&visit.issuer.headers, &body)?;
        code = parameters.one("user_code", MAX_WORD)?.and_then(UserCode::read);
        let session = signed_in.insert(visit.session().await?);
        visit.check_csrf(session, &parameters)?;
        let found = visit.look_up(session, visit.caller.source, code.clone()).await?;
        let user = visit.user(session, &found.client).await?;
        visit.check_level(session, &found.client)?;
        match parameters.one("decision", MAX_WORD)? {
            Some(pages::ALLOW) => visit.decide(session, &found, Some(&parameters)).await,
            Some(pages::DENY) => visit.decide(session, &found, None).await,
            _ => Ok(visit.confirm(session, &found, &user)),
        }
    };
    let outcome = outcome.await;
    visit.answer(signed_in.as_ref(), code.as_ref(), outcome)
}

impl Visit {
    fn new(issuer: Issuer, extensions: &Extensions, attempts: Attempts) -> Self {
        let caller = issuer.caller(extensions);
        Self { issuer, caller, attempts }
    }

    fn audit(&self, session: &Session, client: &Client, outcome: &'static str, reason: &'static str) {
        let (source, trace_id) = (self.caller.source.map(display), display(&self.caller.trace_id));
        let event = Event {
            reason: &reason,
            subject: &session.person,
            client: &client.id,
            source: &source,
            trace_id: &trace_id,
            ..Event::new("device", outcome)
        };
        let provider = &self.issuer.provider;
        let circumstances = Circumstances::of(&session.person, &client.id, &self.caller);
        provider.audit_events.record(&event, circumstances, provider.clock.now());
    }

    async fn session(&self) -> Result<Session, Problem> {
        self.issuer.session().await?.ok_or(Problem::SignIn)
    }

    fn check_csrf(&self, session: &Session, parameters: &Parameters) -> Result<(), Problem> {
        let csrf = parameters.one("csrf", MAX_WORD)?.unwrap_or_default();
        if self.issuer.is_own_form(&form_purpose(session), csrf) { Ok(()) } else { Err(Problem::Forgery) }
    }

    /// Finds the device that waits with this code. What is no code at all is wrong like any other.
    async fn look_up(
        &self,
        session: &Session,
        source: Option<IpAddr>,
        code: Option<UserCode>,
    ) -> Result<FoundDevice, Problem> {
        let now = self.issuer.provider.clock.now();
        let attempt = self.attempts.begin(session, source, now).await.map_err(|error| match error {
            AttemptError::TooMany(why) => {
                let retry_after = match why {
                    TooManyCodes::Session => NEXT_SESSION,
                    TooManyCodes::Source(wait) => wait.as_secs() + 1,
                };
                Problem::Code(CodeError::TooMany { retry_after })
            }
            AttemptError::Store(error) => Problem::Store(error),
        })?;
        let found = self.device(code).await;
        // only a code that is known to be wrong counts
        if !matches!(found, Ok(None)) {
            attempt.forgive().await;
        }
        found?.ok_or(Problem::Code(CodeError::Wrong))
    }

    async fn device(&self, code: Option<UserCode>) -> Result<Option<FoundDevice>, StoreError> {
        let Some(code) = code else { return Ok(None) };
        let Some(device) = self.issuer.provider.store.device(code.as_str(), self.issuer.provider.clock.now()).await?
        else {
            return Ok(None);
        };
        // a client that is gone by now, or a request of a later version, is as good as none
        let request = serde_json::from_str(&device.request).ok();
        let client = self.issuer.provider.clients.find(&device.client).await?;
        Ok(request.zip(client).map(|(request, client)| FoundDevice { code, request, client }))
    }

    /// The user, as the directory knows the account now, who may use the client.
    async fn user(&self, session: &Session, client: &Client) -> Result<Arc<User>, Problem> {
        let groups = if client.groups.is_empty() { Groups::Skip } else { Groups::Include };
        let is_outdated = |changed| session.signed_in < changed;
        let status = accounts::look_up(&self.issuer.provider, &session.person, groups, is_outdated).await?;
        match accounts::as_member(client, status) {
            AccountStatus::Active(user) => Ok(user),
            AccountStatus::Ineligible(_) => Err(Problem::Denied),
        }
    }

    /// Whether the session is of the level that the client needs.
    fn check_level(&self, session: &Session, client: &Client) -> Result<(), Problem> {
        let required = levels::of_client(client, &self.issuer.provider.config.mfa).map_err(|_| Problem::Denied)?;
        if Level::of(session) < required { Err(Problem::SecondFactor(required)) } else { Ok(()) }
    }

    /// Writes what the user has decided; without a form the device is refused.
    async fn decide(
        &self,
        session: &Session,
        found: &FoundDevice,
        allowed: Option<&Parameters>,
    ) -> Result<Response, Problem> {
        let FoundDevice { code, request, client } = found;
        let store = &self.issuer.provider.store;
        let now = self.issuer.provider.clock.now();
        let approval = allowed.map(|form| Approval {
            grant: grant(self.issuer.provider.random.uuid(), request, &client.id, session, form.all("scope")),
            decided: seconds(now),
        });
        let text = approval.as_ref().map(serde_json::to_string).transpose();
        let text = text.map_err(|error| StoreError::internal(error.to_string()))?;
        if text.is_some() {
            let joined = store.join_session(session.id, &client.id, request.layout.name()).await;
            // a user who has signed out meanwhile allows nothing any more
            joined.map_err(|error| if error.is_missing_reference() { Problem::SignIn } else { error.into() })?;
        }
        let was_open = store.decide_device(code.as_str(), text.as_deref(), now).await?;
        if !was_open {
            return Err(Problem::Code(CodeError::Wrong));
        }
        let (outcome, reason) = if approval.is_some() { ("done", "") } else { ("refused", "the user has refused") };
        self.audit(session, client, outcome, reason);
        Ok(pages::device_done(&self.issuer.page(&[]), approval.is_some()))
    }

    /// Shows the form for the code.
    fn form(&self, session: &Session, code: Option<&UserCode>, error: Option<CodeError>) -> Response {
        let typed = code.map(UserCode::to_string).unwrap_or_default();
        self.with_csrf(session, |csrf| pages::device_code(&self.issuer.page(&[]), csrf, &typed, error))
    }

    /// Shows what the device asks for, and its code once more.
    fn confirm(&self, session: &Session, found: &FoundDevice, user: &User) -> Response {
        let scopes = found.request.scopes();
        let (requested, user_code) = (scopes::requested(&scopes), found.code.to_string());
        self.with_csrf(session, |csrf| {
            let form = DeviceConfirm {
                csrf,
                user_code: &user_code,
                client: &found.client,
                scopes: &requested,
                person: display_name(user),
            };
            pages::device_confirm(&self.issuer.page(&[]), &form)
        })
    }

    fn with_csrf(&self, session: &Session, show: impl FnOnce(&str) -> Response) -> Response {
        let (browser, cookie) = self.issuer.browser();
        with_cookies(show(&self.issuer.csrf(&browser, &form_purpose(session))), cookie)
    }

    fn answer(
        &self,
        session: Option<&Session>,
        code: Option<&UserCode>,
        outcome: Result<Response, Problem>,
    ) -> Response {
        match (outcome, session) {
            (Ok(response), _) => response,
            (Err(Problem::SignIn), _) => see_other(&self.issuer.sign_in_url(&path_with(code))),
            (Err(Problem::SecondFactor(level)), _) => see_other(&self.issuer.step_up_url(&path_with(code), level)),
            (Err(Problem::Code(error)), Some(session)) => self.form(session, code, Some(error)),
            (Err(Problem::Denied | Problem::Directory(DirectoryError::NotFound)), _) => {
                self.issuer.notice(Notice::Denied)
            }
            (Err(Problem::Forgery | Problem::Code(_)), _) => self.issuer.notice(Notice::Forgery),
            (Err(Problem::Parameters(error)), _) => {
                let description = error.to_string().into();
                pages::error(
                    &self.issuer.page(&[]),
                    &RequestError { code: ErrorCode::InvalidRequest, description, reply: None },
                )
            }
            (Err(problem), _) => {
                tracing::warn!(%problem, "a device could not be connected");
                self.issuer.notice(if problem.is_passing() { Notice::Unavailable } else { Notice::Fault })
            }
        }
    }
}

/// The path of the page with a code in its form, to which the sign-in returns.
fn path_with(code: Option<&UserCode>) -> String {
    code.map_or_else(|| page::DEVICE.to_owned(), |code| format!("{}?user_code={code}", page::DEVICE))
}

impl Problem {
    /// Whether it may go well later.
    fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => error.kind() == status::Kind::Unavailable,
            Self::Directory(error) => matches!(error, DirectoryError::Unavailable(_)),
            _ => false,
        }
    }
}

/// The purpose of the forms: they are bound to the session, and allow no device in the name of another user.
fn form_purpose(session: &Session) -> String {
    format!("device {}", session.id)
}
