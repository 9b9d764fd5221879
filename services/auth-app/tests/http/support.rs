//! The service as a router, with a directory, a clock and a database for one test.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth_app::cache::Limits;
use auth_app::digest_keys::DigestKeys;
use auth_app::http::{Api, router};
use auth_app::store::TokenStore;
use auth_app::{AppTokens, Applications, Migrator, TokenService, Tokens};
use authn::testing::MemoryDirectory;
use authn::{AuthError, Authenticated, Authenticator, Credentials, Directory, Grants, Groups, User, UserStatus};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Request, StatusCode};
use config::Secret;
use runtime::{Clock, Random};
use secrecy::SecretString;
use serde_json::Value;
use store::testing::TestDatabase;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use token::{KeyRing, Minter, Verifier};
use tower::ServiceExt;

use crate::contract::contract;

pub(crate) const TOKENS: &str = "/auth-app/tokens";
pub(crate) const HOUR: Duration = Duration::from_hours(1);
/// What the runtime grants a body unless the operator says otherwise.
const MAX_BODY: usize = 1024 * 1024;
const KEY: &str = "the-key-of-the-token-digests-32-bytes";

/// A moment within a second, so that what is shown in whole seconds has to be cut.
fn start() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_800_000_000, 796_888_000)
}

/// The minter and the verifier of a secret.
pub(crate) fn keys(secret: &str) -> (Minter, Verifier) {
    let keys = Arc::new(KeyRing::new(&SecretString::from(secret), None).expect("is long enough"));
    (Minter::new(Arc::clone(&keys), HOUR, false), Verifier::new(keys))
}

/// The user with this login name; `blocked` may not sign in.
pub(crate) fn user(name: &str) -> User {
    let status = if name == "blocked" { UserStatus::Blocked } else { UserStatus::Active };
    User { status, ..authn::testing::user(name) }
}

/// What an operator may say.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) tokens: Tokens,
    pub(crate) allow_impersonation: bool,
    /// The path below which everything is served.
    pub(crate) root: &'static str,
}

/// The service without listeners.
pub(crate) struct Service {
    router: Router,
    root: &'static str,
    pub(crate) clock: Clock,
    pub(crate) minter: Minter,
    pub(crate) directory: Arc<MemoryDirectory>,
    authenticator: AppTokens,
    _file: TestDatabase,
}

impl Service {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// One whose administrators may act in other people's names.
    pub(crate) async fn impersonating() -> Self {
        Self::with(Settings { allow_impersonation: true, ..Settings::default() }).await
    }

    pub(crate) async fn with(Settings { tokens, allow_impersonation, root }: Settings) -> Self {
        let file = store::testing::database();
        let database = file.open().await;
        database.migrate::<Migrator>().await.expect("migrates");
        let digest_keys = DigestKeys::new(&Secret::from(KEY), &Secret::from(""));
        let store = Arc::new(TokenStore::new(database));
        let limits = Limits { bytes: 8 * 1024 * 1024, cached_for: Duration::from_mins(1) };
        let service = TokenService::open(store, digest_keys, limits).await.expect("opens");
        let directory = MemoryDirectory::new(["einstein", "marie", "admin", "blocked"].map(user));
        let (service, clock) = (Arc::new(service), Clock::manual(start()));
        let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
        let authenticator =
            AppTokens::new(Arc::clone(&service), Arc::clone(&users), Groups::Skip, false, clock.clone());
        let both = (clock.clone(), Random::system());
        let applications = Applications::new(service, users, tokens.policy(), allow_impersonation, both);
        let (minter, verifier) = keys("an-adequate-secret-of-32-bytes-ok");
        let api = Api::new(Arc::new(applications), verifier, clock.clone(), root);
        let router = router(api).layer(DefaultBodyLimit::max(MAX_BODY));
        let router = if root.is_empty() { router } else { Router::new().nest(root, router) };
        Self { router, root, clock, minter, directory, authenticator, _file: file }
    }

    /// A person who signed in with a password.
    pub(crate) fn by(&self, name: &str) -> Session<'_> {
        self.proven(&Authenticated::full(Arc::new(user(name)), "pwd"))
    }

    /// Einstein, who proved it by this method, with a credential of these scopes.
    pub(crate) fn narrow(&self, method: &'static str, scopes: &[&str]) -> Session<'_> {
        let scopes = Grants::parse(scopes.iter().copied()).expect("scopes").to_cs3();
        self.proven(&Authenticated { scopes: scopes.into(), ..Authenticated::full(Arc::new(user("einstein")), method) })
    }

    fn proven(&self, who: &Authenticated) -> Session<'_> {
        let token = self.minter.mint(self.clock.now(), who).expect("mints");
        Session { service: self, token }
    }

    /// Calls, and holds the answer against the contract.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Reply {
        let mut request = Request::builder().method(call.method).uri(format!("{}{}", self.root, call.target));
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(call.body.to_owned())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("the router answers whatever happens");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a whole body");
        let text = String::from_utf8(bytes.into()).expect("a text");
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
        let answer = Reply { status: parts.status, headers: parts.headers, body, text };
        contract().check(call, &answer);
        answer
    }

    /// Whether an app token is accepted.
    pub(crate) async fn accepts(&self, name: &str, secret: &str) -> bool {
        self.authenticate(name, secret).await.is_ok()
    }

    /// Authenticates with an app token; alone, if there is no name.
    pub(crate) async fn authenticate(&self, name: &str, secret: &str) -> Result<Authenticated, AuthError> {
        self.authenticator.authenticate(&Credentials::new(name, secret.to_owned())).await
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now().into()
    }
}

/// A request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// The path and the query.
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

/// A caller with an internal token. All targets are relative to [`TOKENS`].
pub(crate) struct Session<'a> {
    service: &'a Service,
    pub(crate) token: String,
}

impl Session<'_> {
    pub(crate) async fn get(&self, rest: &str) -> Reply {
        self.call("GET", rest).await
    }

    pub(crate) async fn post(&self, rest: &str) -> Reply {
        self.call("POST", rest).await
    }

    pub(crate) async fn delete(&self, rest: &str) -> Reply {
        self.call("DELETE", rest).await
    }

    pub(crate) async fn call(&self, method: &str, rest: &str) -> Reply {
        let headers = [("authorization", self.bearer())];
        self.send(method, rest, &headers.each_ref().map(|(name, value)| (*name, value.as_str())), "").await
    }

    pub(crate) async fn json(&self, method: &str, rest: &str, body: &Value) -> Reply {
        self.text(method, rest, "application/json", &body.to_string()).await
    }

    /// The same with a body that may be anything.
    pub(crate) async fn text(&self, method: &str, rest: &str, content_type: &str, body: &str) -> Reply {
        self.send(method, rest, &[("authorization", &self.bearer()), ("content-type", content_type)], body).await
    }

    pub(crate) async fn send(&self, method: &str, rest: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.service.send(&Call { method, target: &format!("{TOKENS}{rest}"), headers, body }).await
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// A new token: its identifier and its secret.
    pub(crate) async fn made(&self) -> (String, String) {
        let made = self.post("?expiry=72h").await.is(200);
        (text(&made["id"]), text(&made["token"]))
    }

    /// The identifiers of this person's live tokens; a page of them.
    pub(crate) async fn listed(&self) -> Vec<String> {
        let listed = self.get("").await.is(200);
        listed.as_array().expect("a list").iter().map(|token| text(&token["id"])).collect()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Nothing if there is none.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Reply {
    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// It is refused, for this parameter.
    #[track_caller]
    pub(crate) fn blames(&self, parameter: &str) {
        assert_eq!((self.status.as_u16(), self.body["parameter"].as_str()), (400, Some(parameter)), "{}", self.text);
    }

    /// A header that it has.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("{name} is missing: {:?}", self.headers));
        value.to_str().expect("a text")
    }
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A moment as RFC 3339 writes it.
#[track_caller]
pub(crate) fn date(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(&text(value), &Rfc3339).expect("a date")
}
