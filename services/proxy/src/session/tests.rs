//! Sessions with an issuer of the test's own, which answers as configured.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use authn::ended_sessions::Issuance;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use config::{Environment, Secret};
use futures_util::future::join_all;
use http::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::seal::Purpose;
use super::tokens::Tokens;
use super::*;
use crate::config::Session;
use crate::sign_in::SignIn;
use crate::store::sessions::Row;
use crate::verdict::{CredentialError, Verdict};

const LIFE: Duration = Duration::from_mins(5);
/// The time at which tokens are refreshed although they are still valid.
const SHORTLY_BEFORE: Duration = Duration::from_secs(280);

/// An issuer. Each refresh token is valid once, and is replaced by the next one.
#[derive(Clone, Default)]
struct Provider(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// The number of token requests.
    info: AtomicUsize,
    /// What it answers instead of tokens, if that is not 0.
    status: AtomicU16,
    error: std::sync::Mutex<&'static str>,
}

impl Provider {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let (provider, name) = (Self::default(), issuer.clone());
        let answering = provider.clone();
        let document = move || {
            let name = name.clone();
            async move { Json(json!({ "issuer": &name, "token_endpoint": format!("{name}/token") })) }
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/token", post(async move |body: String| answering.answer(&body).await));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (provider, issuer)
    }

    async fn answer(&self, form: &str) -> Response {
        let before = self.0.info.fetch_add(1, Ordering::AcqRel);
        // long enough that all who want to be first are there
        tokio::time::sleep(Duration::from_millis(100)).await;
        let status = self.0.status.load(Ordering::Acquire);
        if status > 0 {
            let status = StatusCode::from_u16(status).expect("a status");
            let error = *self.0.error.lock().expect("no panics");
            return (status, Json(json!({ "error": error }))).into_response();
        }
        assert!(form.contains("grant_type=refresh_token") && form.contains("client_id=edge"), "{form}");
        if !form.contains(&format!("refresh_token=r{before}&")) {
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
        }
        let next = before + 1;
        let tokens: Value = json!({
            "access_token": format!("a{next}"), "refresh_token": format!("r{next}"),
            "token_type": "Bearer", "expires_in": LIFE.as_secs(),
        });
        Json(tokens).into_response()
    }

    fn fail(&self, status: u16, error: &'static str) {
        *self.0.error.lock().expect("no panics") = error;
        self.0.status.store(status, Ordering::Release);
    }

    fn info(&self) -> usize {
        self.0.info.load(Ordering::Acquire)
    }
}

/// Two replicas, and a session that is over in a moment.
struct World {
    provider: Provider,
    clock: Clock,
    one: Arc<Sessions>,
    two: Arc<Sessions>,
    _file: ::store::testing::TestDatabase,
}

impl World {
    async fn start() -> Self {
        let (provider, issuer) = Provider::start().await;
        let file = ::store::testing::database();
        let database = file.open().await;
        database.migrate::<Migrator>().await.expect("migrates");
        let clock = Clock::manual(Clock::system().now());
        let context = Context { clock: clock.clone(), ..Context::new(Environment::default()) };
        let secret = Secret::from("a-secret-of-at-least-32-characters");
        let session = Session { client_id: "edge".to_owned(), secret, ..Session::default() };
        let config = Config { url: "http://localhost:9200".to_owned(), issuer, session, ..Config::default() };
        let sessions = || Arc::new(Sessions::over(database.clone(), &config, &context).expect("are open"));
        Self { provider, one: sessions(), two: sessions(), clock, _file: file }
    }

    /// A session with these tokens.
    async fn begin(&self, refresh: Option<&str>) -> Row {
        let (key, now) = ("key".to_owned(), self.clock.now());
        let tokens = Tokens {
            access: "a0".into(),
            refresh: refresh.map(str::to_owned),
            id: "id".into(),
            sign_in: SignIn::default(),
            stepped_up: false,
            finished: Vec::new(),
        };
        let tokens = self.one.sealer.seal(Purpose::Tokens(&key), &tokens);
        let row = Row {
            key,
            subject: "einstein".to_owned(),
            sid: None,
            tokens,
            access_end: now + LIFE,
            created: now,
            used: now,
            ends: now + LIFE * 100,
            version: 1,
        };
        self.one.rows.add(&row).await.expect("adds");
        row
    }

    async fn token(&self) -> Result<String, Verdict> {
        let row = self.one.rows.find("key").await.expect("reads").ok_or(ENDED)?;
        self.one.access_token(row).await.map(|token| token.expose_secret().to_owned())
    }
}

const ENDED: Verdict = Verdict::Unauthenticated(CredentialError::Missing);

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_exchanged_once_however_many_want_them_at_all_replicas() {
    let world = World::start().await;
    let row = world.begin(Some("r0")).await;
    assert_eq!(world.token().await.ok().as_deref(), Some("a0"), "it is good for a while");
    assert_eq!(world.provider.info(), 0);
    for round in 1..=2 {
        world.clock.advance(SHORTLY_BEFORE);
        let row = world.one.rows.find(&row.key).await.expect("reads").expect("is there");
        let callers = (0..20).map(|at| {
            let (sessions, row) = (if at % 2 == 0 { &world.one } else { &world.two }, row.clone());
            async move { sessions.access_token(row).await.map(|token| token.expose_secret().to_owned()) }
        });
        for token in join_all(callers).await {
            assert_eq!(token.expect("there is one"), format!("a{round}"));
        }
        assert_eq!(world.provider.info(), round, "the issuer is asked once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_loses_no_token() {
    let world = World::start().await;
    let row = world.begin(Some("r0")).await;
    world.clock.advance(LIFE);
    let hasty = tokio::time::timeout(Duration::from_millis(20), world.one.access_token(row)).await;
    assert!(hasty.is_err(), "it has not waited");
    assert_eq!(world.token().await.ok().as_deref(), Some("a1"));
    assert_eq!(world.provider.info(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_ends_the_session() {
    let world = World::start().await;
    world.begin(Some("used-already")).await;
    world.clock.advance(LIFE);
    assert!(matches!(world.token().await, Err(Verdict::Unauthenticated(CredentialError::Missing))));
    assert_eq!(world.one.rows.find("key").await.expect("reads"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_fails_ends_nothing() {
    let world = World::start().await;
    world.begin(Some("r0")).await;
    for (status, error) in [(500, "server_error"), (503, ""), (401, "invalid_client"), (400, "invalid_request")] {
        world.provider.fail(status, error);
        world.clock.advance(if world.provider.info() == 0 { SHORTLY_BEFORE } else { LIFE });
        match world.token().await {
            Ok(token) => assert_eq!((token.as_str(), world.provider.info()), ("a0", 1), "it is still good"),
            Err(verdict) => assert!(matches!(verdict, Verdict::Unavailable), "{status}: {verdict:?}"),
        }
        assert!(world.one.rows.find("key").await.expect("reads").is_some(), "{status}");
    }
    world.provider.fail(0, "");
    world.provider.0.info.store(0, Ordering::Release);
    assert_eq!(world.token().await.ok().as_deref(), Some("a1"), "as if nothing had happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_refresh_token_a_session_ends_with_its_access_token() {
    let world = World::start().await;
    world.begin(None).await;
    world.clock.advance(SHORTLY_BEFORE);
    assert_eq!(world.token().await.ok().as_deref(), Some("a0"));
    world.clock.advance(Duration::from_secs(20));
    assert!(matches!(world.token().await, Err(Verdict::Unauthenticated(CredentialError::Missing))));
    assert_eq!((world.one.rows.find("key").await.expect("reads"), world.provider.info()), (None, 0));
}

/// An issuer in this process whose session `ended` has ended, and that does not know about `unknown` at present.
struct Issuer;

impl EndedSessions for Issuer {
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool> {
        (sid != "unknown").then_some(issuer == "http://localhost:9" && sid == "ended")
    }

    fn cuts_off(&self, _: &str, _: &Issuance<'_>) -> Option<bool> {
        Some(false)
    }
}

/// `docs/security-requirements.md#r9`
#[tokio::test]
async fn session_ends_with_the_session_of_an_issuer_in_this_process() {
    let file = ::store::testing::database();
    let database = file.open().await;
    database.migrate::<Migrator>().await.expect("migrates");
    let clock = Clock::manual(Clock::system().now());
    let sessions = testing::sessions_with_ended(&database, &clock, Arc::new(Issuer));
    let now = clock.now();
    for sid in ["ended", "active"] {
        let row = Row {
            key: sid.to_owned(),
            subject: "einstein".to_owned(),
            sid: Some(sid.to_owned()),
            tokens: Vec::new(),
            access_end: now + LIFE,
            created: now,
            used: now,
            ends: now + LIFE,
            version: 1,
        };
        sessions.rows.add(&row).await.expect("adds");
    }
    assert!(sessions.find("ended").await.expect("reads").is_none());
    assert!(sessions.rows.find("ended").await.expect("reads").is_none(), "the row is removed");
    let active = sessions.find("active").await.expect("reads").expect("has not ended");
    assert_eq!(sessions.has_ended_at_issuer(&active), Some(false));
    let unknown = Row { sid: Some("unknown".to_owned()), ..active };
    assert_eq!(sessions.has_ended_at_issuer(&unknown), None);
    assert_eq!(sessions.has_ended_at_issuer(&Row { sid: None, ..unknown }), Some(false));
}
