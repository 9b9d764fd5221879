//! A small issuer on a loopback port, and a directory of one user.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth_bearer::logouts::Logouts;
use auth_bearer::transport::{Transport, transport};
use auth_bearer::{AuthProviders, Bearer, Config, Migrator, Oidc};
use authn::testing::{MemoryDirectory, refusal_reason, user};
use authn::{AuthError, Authenticated, Authenticator, Credentials, Directory, Reason, User, UserId, UserStatus};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use config::Environment;
use oidc::jose::{Algorithm, SigningKey};
use runtime::{Clock, Context};
use serde_json::{Value, json};
use store::testing::TestDatabase;
use tokio::net::TcpListener;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

pub(crate) fn key(kid: &str, algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm, kid).expect("is made")
}

/// The responses of the issuer, and its requests.
#[derive(Default)]
struct Said {
    discovery: Mutex<Value>,
    keys: Mutex<Vec<Value>>,
    /// What is said of opaque tokens.
    tokens: Mutex<HashMap<String, Value>>,
    /// The userinfo response; `None` is a refusal.
    person: Mutex<Option<Value>>,
    requests: [AtomicUsize; 3],
    /// The client credentials of the introspection requests.
    credentials: Mutex<Vec<String>>,
}

/// An issuer that the test can stop and change, and that counts its requests.
pub(crate) struct Provider {
    pub(crate) url: String,
    said: Arc<Said>,
    server: tokio::task::JoinHandle<()>,
}

impl Provider {
    pub(crate) async fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("has an address"));
        let said = Arc::new(Said::default());
        *said.discovery.lock().expect("is not poisoned") = json!({
            "issuer": url,
            "jwks_uri": format!("{url}/keys"),
            "introspection_endpoint": format!("{url}/introspect"),
            "userinfo_endpoint": format!("{url}/userinfo"),
        });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys_of))
            .route("/introspect", post(introspect))
            .route("/userinfo", get(userinfo))
            .with_state(Arc::clone(&said));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        let provider = Self { url, said, server };
        provider.publish(keys);
        provider
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let keys = keys.iter().map(|key| Value::Object(key.jwk().clone())).collect();
        *self.said.keys.lock().expect("is not poisoned") = keys;
    }

    /// Changes a member of the discovery document.
    pub(crate) fn announce(&self, name: &str, value: Value) {
        self.said.discovery.lock().expect("is not poisoned")[name] = value;
    }

    /// Sets the introspection response for a token.
    pub(crate) fn say(&self, token: &str, said: Value) {
        self.said.tokens.lock().expect("is not poisoned").insert(token.to_owned(), said);
    }

    /// Sets the userinfo response; `None` is a refusal.
    pub(crate) fn tell(&self, said: Option<Value>) {
        *self.said.person.lock().expect("is not poisoned") = said;
    }

    fn requests(&self, what: usize) -> usize {
        self.said.requests[what].load(Ordering::Relaxed)
    }

    /// The number of requests for the keys.
    pub(crate) fn fetches(&self) -> usize {
        self.requests(0)
    }

    /// The number of introspection requests.
    pub(crate) fn introspections(&self) -> usize {
        self.requests(1)
    }

    /// The number of userinfo requests.
    pub(crate) fn userinfos(&self) -> usize {
        self.requests(2)
    }

    /// The client credentials of the introspection requests.
    pub(crate) fn credentials(&self) -> Vec<String> {
        self.said.credentials.lock().expect("is not poisoned").clone()
    }

    /// Stops it: connections are refused, or reset, from now on.
    pub(crate) fn stop(&self) {
        self.server.abort();
    }
}

async fn discovery(State(said): State<Arc<Said>>) -> Json<Value> {
    Json(said.discovery.lock().expect("is not poisoned").clone())
}

async fn keys_of(State(said): State<Arc<Said>>) -> Json<Value> {
    said.requests[0].fetch_add(1, Ordering::Relaxed);
    Json(json!({"keys": *said.keys.lock().expect("is not poisoned")}))
}

async fn introspect(State(said): State<Arc<Said>>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    let form: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    said.requests[1].fetch_add(1, Ordering::Relaxed);
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let shown = form.get("client_secret").map_or(header, String::as_str).to_owned();
    said.credentials.lock().expect("is not poisoned").push(shown);
    // requests at the same time must overlap
    tokio::time::sleep(Duration::from_millis(20)).await;
    let tokens = said.tokens.lock().expect("is not poisoned");
    Json(form.get("token").and_then(|token| tokens.get(token)).cloned().unwrap_or(json!({"active": false})))
}

async fn userinfo(State(said): State<Arc<Said>>, headers: HeaderMap) -> Response {
    said.requests[2].fetch_add(1, Ordering::Relaxed);
    let is_bearer = headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"Bearer "));
    match said.person.lock().expect("is not poisoned").clone() {
        Some(Value::String(jwt)) if is_bearer => ([("content-type", "application/jwt")], jwt).into_response(),
        Some(person) if is_bearer => Json(person).into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// A directory of einstein, and of ludwig, who is disabled.
pub(crate) fn directory() -> Arc<dyn Directory> {
    let id = UserId { opaque_id: "4c51".into(), ..UserId::default() };
    let einstein = User { id, uid_number: 7, ..user("einstein") };
    MemoryDirectory::new([einstein, User { status: UserStatus::Blocked, ..user("ludwig") }])
}

/// A transport without the users service: the directory is not administered.
pub(crate) fn no_users() -> Transport {
    transport(tonic::service::Routes::default())
}

/// No record of what has ended: logout tokens are refused.
pub(crate) fn no_logouts() -> Arc<Logouts> {
    Arc::new(Logouts::without_store())
}

/// What has ended, in this database.
pub(crate) async fn logouts(place: &TestDatabase, clock: &Clock) -> Arc<Logouts> {
    let database = place.open().await;
    database.migrate::<Migrator>().await.expect("migrates");
    Arc::new(Logouts::open(database, clock.now()).await.expect("is read"))
}

/// The service, with a clock that the test moves.
pub(crate) struct Service {
    pub(crate) clock: Clock,
    pub(crate) context: Context,
    pub(crate) bearer: Arc<Bearer>,
    config: Config,
}

impl Service {
    pub(crate) fn new(oidc: Oidc) -> Self {
        let auth_providers = AuthProviders { oidc, ..AuthProviders::default() };
        Self::of_config(&Config { auth_providers, ..Config::default() }, directory(), no_users())
    }

    pub(crate) fn of_config(config: &Config, directory: Arc<dyn Directory>, users: Transport) -> Self {
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let context = Context { clock: clock.clone(), ..Context::new(Environment::default()) };
        let bearer = auth_bearer::open(config, directory, users, (no_logouts(), None), &context).expect("is opened");
        Self { clock, context, bearer, config: config.clone() }
    }

    /// Another replica with these records of what has ended, or the same one after a restart.
    pub(crate) fn replica(&self, logouts: Arc<Logouts>) -> Self {
        let (clock, context, config) = (self.clock.clone(), self.context.clone(), self.config.clone());
        let bearer = auth_bearer::open(&config, directory(), no_users(), (logouts, None), &context).expect("is opened");
        Self { clock, context, bearer, config }
    }

    /// The same with a database of its own, in which it records what ends at the issuers.
    pub(crate) async fn stored(self, place: &TestDatabase) -> Self {
        self.replica(logouts(place, &self.clock).await)
    }

    pub(crate) fn of(provider: &Provider) -> Self {
        Self::new(Oidc { issuer: provider.url.clone(), ..Oidc::default() })
    }

    /// Valid claims for an hour from now.
    pub(crate) fn claims(&self, issuer: &str) -> Value {
        let now = self.now();
        json!({
            "iss": issuer, "sub": "4c51", "aud": "web", "azp": "web", "scope": "openid", "preferred_username": "einstein",
            "iat": now, "exp": now + 3600,
        })
    }

    pub(crate) fn now(&self) -> u64 {
        seconds(self.clock.now())
    }

    pub(crate) async fn authenticate(&self, token: &str) -> Result<Authenticated, AuthError> {
        self.bearer.authenticate(&Credentials::new("", token.to_owned())).await
    }

    pub(crate) async fn refusal(&self, token: &str) -> Reason {
        refusal_reason(self.authenticate(token).await)
    }
}

pub(crate) fn sign(key: &SigningKey, claims: &Value) -> String {
    key.jwt("JWT", claims)
}

/// Claims with one of them changed.
pub(crate) fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}
