//! A provider over a database of its own, and requests to it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use authn::{
    AuthError, Authenticated, Authenticator, Claim, Credentials, Directory, DirectoryError, Filter, Groups, Peer,
    Reason, User, UserId, UserType, role,
};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use config::Environment;
use idp::engine::clients::Clients;
use idp::engine::keys::{self, Keys, Schedule};
use idp::engine::provider::Parts;
use idp::revocation_sync;
use idp::seal::Sealer;
use idp::store::Store;
use idp::{Config, Migrator, Provider};
use outbound::{Fetcher, Policy};
use runtime::{Clock, Context, Random};
use serde_json::Value;
use store::testing::TestDatabase;
use token::{KeyRing, Minter, Verifier};
use tower::ServiceExt;

pub(crate) const SITE: &str = "https://cloud.example";
pub(crate) const REGISTER: &str = "/konnect/v1/register";
const SECRET: &str = "an-adequate-secret-of-32-bytes-ok";

/// A directory without users, and an authenticator that accepts no password.
struct NoUsers;

#[async_trait]
impl Directory for NoUsers {
    async fn user(&self, _: &UserId, _: Groups) -> Result<Arc<User>, DirectoryError> {
        Err(DirectoryError::NotFound)
    }

    async fn user_by_claim(&self, _: &Claim, _: Groups) -> Result<Arc<User>, DirectoryError> {
        Err(DirectoryError::NotFound)
    }

    async fn groups(&self, _: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &[Filter], _: Groups, _: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn note_password_change(&self, _: &UserId, _: SystemTime, _: &str) -> Result<(), DirectoryError> {
        Err(DirectoryError::ReadOnly)
    }
}

#[async_trait]
impl Authenticator for NoUsers {
    async fn authenticate(&self, _: &Credentials) -> Result<Authenticated, AuthError> {
        Err(AuthError::Refused(Reason::EmptySecret))
    }
}

/// The service under test.
pub(crate) struct Service {
    pub(crate) provider: Provider,
    pub(crate) clock: Clock,
    keys: Arc<KeyRing>,
    router: Router,
    _database: TestDatabase,
}

/// Its response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Its body, if the status is this.
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Service {
    /// With these settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { url: SITE.to_owned(), ..Config::default() };
        change(&mut config);
        let database = store::testing::sqlite();
        let opened = database.open().await;
        opened.migrate::<Migrator>().await.expect("migrates");
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let context = Context { clock: clock.clone(), ..Context::new(Environment::default()) };
        let (store, random) = (Store::new(opened), Random::system());
        let sealer = Sealer::new(&SECRET.into(), &"".into(), random.clone());
        let parts = keys::Parts {
            store: store.clone(),
            sealer: sealer.clone(),
            schedule: Schedule::of(&config.lifetimes),
            clock: clock.clone(),
            random: random.clone(),
            algorithms: config.algorithms(),
        };
        let policy = Policy { allow_private: config.allow_private_addresses, ..Policy::default() };
        let fetcher = Fetcher::new("doorward-idp", policy, None).expect("a fetcher");
        let clients = Clients::open(&config, (store.clone(), sealer.clone(), fetcher.clone()), &context);
        let ring = Arc::new(KeyRing::new(&SECRET.into(), None).expect("a secret"));
        let provider = Provider::new(Parts {
            issuers: config.sites(),
            config,
            clock: clock.clone(),
            random,
            revocations: revocation_sync::open(&store, clock.now()).await.expect("revocations"),
            store,
            sealer,
            keys: Keys::open(parts).await.expect("keys"),
            clients: clients.expect("clients"),
            fetcher,
            directory: Arc::new(NoUsers),
            passwords: Arc::new(NoUsers),
            verifier: Verifier::new(Arc::clone(&ring)),
            deliveries: Arc::default(),
        });
        let router = idp::http::register::router(&provider);
        Self { provider, clock, keys: ring, router, _database: database }
    }

    /// A service where clients register with an initial access token.
    pub(crate) async fn guarded() -> Self {
        Self::with(|config| config.registration = true).await
    }

    /// A service where clients register without an initial access token.
    pub(crate) async fn open() -> Self {
        Self::with(|config| config.open_registration = true).await
    }

    /// An internal token of a user with these roles.
    pub(crate) fn token(&self, name: &str, roles: &[&str]) -> String {
        let id = UserId { opaque_id: format!("id-of-{name}"), kind: UserType::Primary, ..UserId::default() };
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let user = User { id, username: name.to_owned(), roles, ..User::default() };
        let answer = Authenticated::full(Arc::new(user), "pwd");
        let minter = Minter::new(Arc::clone(&self.keys), Duration::from_hours(1), false);
        minter.mint(self.clock.now(), &answer).expect("is minted")
    }

    pub(crate) fn admin(&self) -> String {
        self.token("admin", &[role::ADMIN])
    }

    pub(crate) async fn post(&self, token: Option<&str>, body: &Value) -> Answer {
        self.send("POST", REGISTER, token, Some(body)).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.raw(request.body(Body::from(body)).expect("a request")).await
    }

    pub(crate) async fn raw(&self, mut request: Request<Body>) -> Answer {
        let source = Some([192, 0, 2, 7].into());
        request.extensions_mut().insert(Peer { source, ..Peer::default() });
        let response = self.router.clone().oneshot(request).await.expect("answers");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// The string value of a member.
pub(crate) fn text(body: &Value, member: &str) -> String {
    body[member].as_str().unwrap_or_else(|| panic!("no {member} in {body}")).to_owned()
}
