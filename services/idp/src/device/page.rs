//! The page where a code is typed in (RFC 8628 3.3). Nothing is looked up until a form of ours is sent by somebody who is
//! signed in: a link with a code in it only fills the form (row I26).

use std::net::IpAddr;
use std::sync::Arc;

use authn::{Caller, DirectoryError, Groups, User};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::SET_COOKIE;
use axum::http::{Extensions, HeaderMap};
use axum::response::Response;
use axum::routing::get;
use oidc::error::ErrorCode;
use oidc::request::RequestError;
use store::StoreError;
use tonic::metadata::MetadataMap;

use super::attempts::{Attempts, TooMany};
use super::authorization::Wish;
use super::decision::{Approval, grant, scopes};
use super::user_code::UserCode;
use crate::authorize::{name, scope_words, see_other};
use crate::clients::Client;
use crate::endpoints::{Site, page};
use crate::logout::parameters::{BadParameters, Parameters};
use crate::model::{Session, seconds};
use crate::pages::{self, CodeError, DeviceConfirm, Look, Notice};
use crate::person::{self, Standing};
use crate::provider::Provider;
use crate::session;

/// The longest word of a form, in bytes.
const MAX_WORD: usize = 256;
/// What somebody is told to wait whose session has no attempts left: a new session has some.
const NEXT_SESSION: u64 = 3600;

/// What the handlers work with.
#[derive(Clone)]
struct Desk {
    provider: Provider,
    /// The page is the same for all issuers; it looks like the first one's.
    site: Arc<Site>,
    attempts: Attempts,
}

/// A request, without what is in it.
struct Asked {
    headers: HeaderMap,
    caller: Caller,
}

/// A device that somebody has found by its code.
struct Found {
    code: UserCode,
    wish: Wish,
    client: Arc<Client>,
}

/// Why a request is answered with another page than it was meant to be.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignIn,
    /// The form was not shown to this browser in this session.
    #[error("the form is not ours")]
    Forgery,
    /// The form for the code is shown again.
    #[error("the code is not taken: {0:?}")]
    Code(CodeError),
    /// The person may not use the client.
    #[error("the person may not use the client")]
    Denied,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

pub(super) fn router(provider: Provider) -> Router {
    let Some(site) = provider.sites.first() else { return Router::new() };
    let desk = Desk { site: Arc::new(site.clone()), provider, attempts: Attempts::new() };
    Router::new().route(page::DEVICE, get(show).post(typed_in)).with_state(desk)
}

async fn show(
    State(desk): State<Desk>,
    headers: HeaderMap,
    extensions: Extensions,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked::new(headers, &extensions);
    let mut code = None;
    let outcome = async {
        let parameters = Parameters::of_query(query.as_deref())?;
        code = parameters.one("user_code", MAX_WORD)?.and_then(UserCode::read);
        let session = desk.session(&asked).await?;
        Ok(desk.form(&asked, &session, code.as_ref(), None))
    };
    let outcome = outcome.await;
    desk.answer(&asked, None, code.as_ref(), outcome)
}

async fn typed_in(State(desk): State<Desk>, headers: HeaderMap, extensions: Extensions, body: Bytes) -> Response {
    let asked = Asked::new(headers, &extensions);
    let (mut code, mut signed_in) = (None, None);
    let outcome = async {
        let parameters = Parameters::of_form(&asked.headers, &body)?;
        code = parameters.one("user_code", MAX_WORD)?.and_then(UserCode::read);
        let session = signed_in.insert(desk.session(&asked).await?);
        desk.check_csrf(&asked, session, &parameters)?;
        let found = desk.look_up(session, asked.caller.source, code.clone()).await?;
        let user = desk.person(session, &found.client).await?;
        match parameters.one("decision", MAX_WORD)? {
            Some(pages::ALLOW) => desk.decide(&asked, session, &found, Some(&parameters)).await,
            Some(pages::DENY) => desk.decide(&asked, session, &found, None).await,
            _ => Ok(desk.confirm(&asked, session, &found, &user)),
        }
    };
    let outcome = outcome.await;
    desk.answer(&asked, signed_in.as_ref(), code.as_ref(), outcome)
}

impl Asked {
    fn new(headers: HeaderMap, extensions: &Extensions) -> Self {
        let caller = Caller::of(&MetadataMap::from_headers(headers.clone()), extensions);
        Self { headers, caller }
    }

    fn audit(&self, session: &Session, client: &Client, outcome: &'static str, reason: &'static str) {
        tracing::info!(
            target: "audit",
            event = "device",
            outcome,
            reason,
            subject = session.person,
            client = client.id,
            source = self.caller.source.map(tracing::field::display),
            trace_id = %self.caller.trace_id,
        );
    }
}

impl Desk {
    async fn session(&self, asked: &Asked) -> Result<Session, Problem> {
        let current = session::current(&self.provider, &self.site, &asked.headers).await?;
        current.map(|current| current.session).ok_or(Problem::SignIn)
    }

    fn check_csrf(&self, asked: &Asked, session: &Session, parameters: &Parameters) -> Result<(), Problem> {
        let (browser, _) = session::browser(&self.provider, &self.site, &asked.headers);
        let token = parameters.one("csrf", MAX_WORD)?.unwrap_or_default();
        let good = browser.check_csrf(&self.provider, &self.site, &asked.headers, &form_of(session), token);
        if good { Ok(()) } else { Err(Problem::Forgery) }
    }

    /// Finds the device that waits with this code. What is no code at all is wrong like any other.
    async fn look_up(
        &self,
        session: &Session,
        source: Option<IpAddr>,
        code: Option<UserCode>,
    ) -> Result<Found, Problem> {
        let now = self.provider.clock.now();
        let attempt = self.attempts.begin(session.id, source, now).map_err(|too_many| {
            let retry_after = match too_many {
                TooMany::Session => NEXT_SESSION,
                TooMany::Source(wait) => wait.as_secs() + 1,
            };
            Problem::Code(CodeError::TooMany { retry_after })
        })?;
        let found = self.device(code).await;
        // only what is known to be wrong counts
        if !matches!(found, Ok(None)) {
            attempt.forgive();
        }
        found?.ok_or(Problem::Code(CodeError::Wrong))
    }

    async fn device(&self, code: Option<UserCode>) -> Result<Option<Found>, StoreError> {
        let Some(code) = code else { return Ok(None) };
        let Some(device) = self.provider.store.device(code.as_str(), self.provider.clock.now()).await? else {
            return Ok(None);
        };
        // a client that is gone by now, or a request of a later version, is as good as none
        let wish = serde_json::from_str(&device.request).ok();
        let client = self.provider.clients.find(&device.client).await?;
        Ok(wish.zip(client).map(|(wish, client)| Found { code, wish, client }))
    }

    /// The person, as the directory knows it now, who may use the client.
    async fn person(&self, session: &Session, client: &Client) -> Result<Arc<User>, Problem> {
        let groups = if client.groups.is_empty() { Groups::Skip } else { Groups::Include };
        let is_outdated = |changed| session.signed_in < changed;
        let standing = person::look_up(&self.provider, &session.person, groups, is_outdated).await?;
        match person::as_member(client, standing) {
            Standing::Good(user) => Ok(user),
            Standing::Lost(_) => Err(Problem::Denied),
        }
    }

    /// Writes down what the person has decided; without a form it is no.
    async fn decide(
        &self,
        asked: &Asked,
        session: &Session,
        found: &Found,
        allowed: Option<&Parameters>,
    ) -> Result<Response, Problem> {
        let Found { code, wish, client } = found;
        let store = &self.provider.store;
        let now = self.provider.clock.now();
        let approval = allowed.map(|form| Approval {
            grant: grant(self.provider.random.uuid(), wish, &client.id, session, form.all("scope")),
            decided: seconds(now),
        });
        let text = approval.as_ref().map(serde_json::to_string).transpose();
        let text = text.map_err(|error| StoreError::internal(error.to_string()))?;
        if text.is_some() {
            let joined = store.join_session(session.id, &client.id, wish.layout.name()).await;
            // whoever has signed out meanwhile allows nothing any more
            joined.map_err(|error| if error.is_missing_reference() { Problem::SignIn } else { error.into() })?;
        }
        let was_open = store.decide_device(code.as_str(), text.as_deref(), now).await?;
        if !was_open {
            return Err(Problem::Code(CodeError::Wrong));
        }
        let (outcome, reason) = if approval.is_some() { ("done", "") } else { ("refused", "the person has refused") };
        asked.audit(session, client, outcome, reason);
        Ok(pages::device_done(&self.look(asked), approval.is_some()))
    }

    /// Shows the form for the code.
    fn form(&self, asked: &Asked, session: &Session, code: Option<&UserCode>, error: Option<CodeError>) -> Response {
        let typed = code.map(UserCode::to_string).unwrap_or_default();
        self.with_csrf(asked, session, |csrf| pages::device_code(&self.look(asked), csrf, &typed, error))
    }

    /// Shows what the device asks for, and its code once more.
    fn confirm(&self, asked: &Asked, session: &Session, found: &Found, user: &User) -> Response {
        let scopes = scopes(&found.wish);
        let (words, user_code) = (scope_words(&scopes), found.code.to_string());
        self.with_csrf(asked, session, |csrf| {
            let form = DeviceConfirm {
                csrf,
                user_code: &user_code,
                client: &found.client,
                scopes: &words,
                person: name(user),
            };
            pages::device_confirm(&self.look(asked), &form)
        })
    }

    fn with_csrf(&self, asked: &Asked, session: &Session, show: impl FnOnce(&str) -> Response) -> Response {
        let (browser, cookie) = session::browser(&self.provider, &self.site, &asked.headers);
        let mut response = show(&browser.csrf(&self.provider, &form_of(session)));
        response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
        response
    }

    fn answer(
        &self,
        asked: &Asked,
        session: Option<&Session>,
        code: Option<&UserCode>,
        outcome: Result<Response, Problem>,
    ) -> Response {
        let look = self.look(asked);
        match (outcome, session) {
            (Ok(response), _) => response,
            (Err(Problem::SignIn), _) => self.sign_in(code),
            (Err(Problem::Code(error)), Some(session)) => self.form(asked, session, code, Some(error)),
            (Err(Problem::Denied | Problem::Directory(DirectoryError::NotFound)), _) => {
                pages::notice(&look, Notice::Denied)
            }
            (Err(Problem::Forgery | Problem::Code(_)), _) => pages::notice(&look, Notice::Forgery),
            (Err(Problem::Parameters(error)), _) => {
                let description = error.to_string().into();
                pages::error(&look, &RequestError { code: ErrorCode::InvalidRequest, description, reply: None })
            }
            (Err(problem), _) => {
                tracing::warn!(%problem, "a device could not be connected");
                pages::notice(&look, if problem.is_passing() { Notice::Unavailable } else { Notice::Fault })
            }
        }
    }

    /// Sends to the sign-in, from where it goes on here.
    fn sign_in(&self, code: Option<&UserCode>) -> Response {
        let back = code.map_or_else(|| page::DEVICE.to_owned(), |code| format!("{}?user_code={code}", page::DEVICE));
        see_other(&session::sign_in_url(&self.provider, &self.site, &back))
    }

    fn look<'a>(&'a self, asked: &Asked) -> Look<'a> {
        Look::of(&self.provider, &self.site, &asked.headers, &[])
    }
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

/// What the forms are bound to: this session, so that nobody allows a device in another's name.
fn form_of(session: &Session) -> String {
    format!("device {}", session.id)
}
