//! What a request's span tells of its path.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use authn::trace::{record_delegation, record_workload};
use authn::{Actor, Authenticated, User, UserId};
use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::{Request, StatusCode};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use secrecy::SecretString;
use token::{KeyRing, METADATA_KEY, Minter, Verifier, authorize};
use tonic::metadata::MetadataMap;
use tracing::Span;
use tracing_subscriber::layer::SubscriberExt;

use crate::layers::{Limits, PeerConnection, Stack, recording_routes};
use crate::metrics::{Metrics, Protocol, Requests};
use crate::testing::Recorder;

const SECRET: &str = "s3cr3t-in-a-path";

fn stack(protocol: Protocol) -> Stack<Router> {
    let router = Router::new()
        .route("/tokens/{id}", any(async || tracing::info!("handled")))
        .route("/panics/{id}", get(async || -> StatusCode { panic!("asked to") }))
        .route(
            "/delegated",
            get(async || record_delegation(&Span::current(), "user-1", Some(&"portal".into()), Some("t1"))),
        )
        .route("/workload", get(async || record_workload(&Span::current(), "repo:acme/site:main", "oidc")))
        .route("/in-person", get(async || record_delegation(&Span::current(), "user-1", None, None)))
        .route("/waits/{id}", get(std::future::pending::<()>))
        .nest("/apps", Router::new().route("/{id}/revoke", get(async || ())).fallback(async || StatusCode::NOT_FOUND));
    stack_of(protocol, router)
}

fn stack_of(protocol: Protocol, router: Router) -> Stack<Router> {
    let requests: Arc<Requests> = Requests::new(&Metrics::default(), "echo", protocol);
    Stack::new(recording_routes(router), requests, Limits { concurrent: 8, timeout: Some(Duration::from_millis(50)) })
}

async fn ask(protocol: Protocol, method: &str, path: &str) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
    let _ = stack(protocol).answer(&PeerConnection::default(), request).await;
}

/// The names that the span had.
async fn names(protocol: Protocol, method: &str, path: &str) -> Vec<String> {
    let (recorder, _guard) = Recorder::here();
    ask(protocol, method, path).await;
    assert!(protocol == Protocol::Grpc || !recorder.has(SECRET), "{path}");
    recorder.values("otel.name")
}

#[tokio::test]
async fn http_is_named_by_method_and_route() {
    for protocol in [Protocol::Http, Protocol::Debug] {
        for (method, path, expected) in [
            ("GET", format!("/tokens/{SECRET}"), &["GET", "GET /tokens/{id}"][..]),
            ("POST", format!("/tokens/7?code={SECRET}"), &["POST", "POST /tokens/{id}"]),
            ("PROPFIND", format!("/tokens/{SECRET}"), &["OTHER", "OTHER /tokens/{id}"]),
            (SECRET, "/tokens/7".into(), &["OTHER", "OTHER /tokens/{id}"]),
            ("GET", format!("/apps/{SECRET}/revoke"), &["GET", "GET /apps/{id}/revoke"]),
            ("GET", format!("/panics/{SECRET}"), &["GET", "GET /panics/{id}"]),
            ("GET", format!("/waits/{SECRET}"), &["GET", "GET /waits/{id}"]),
            ("GET", format!("/made/up/{SECRET}"), &["GET"]),
            ("DELETE", format!("/{SECRET}"), &["DELETE"]),
            ("POST", format!("/panics/{SECRET}"), &["POST", "POST /panics/{id}"]),
        ] {
            assert_eq!(names(protocol, method, &path).await, expected, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_fallback_below_a_path_tells_no_more_than_that_path() {
    let names = names(Protocol::Http, "GET", &format!("/apps/{SECRET}")).await;
    assert!(names.iter().all(|name| name == "GET" || name.starts_with("GET /apps")), "{names:?}");
}

#[tokio::test]
async fn grpc_is_named_by_its_path() {
    assert_eq!(names(Protocol::Grpc, "POST", "/echo.Echo/Say").await, ["/echo.Echo/Say"]);
}

/// What left the process.
#[derive(Clone, Debug, Default)]
struct Exported(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().expect("no panic").extend(batch);
        Ok(())
    }
}

#[tokio::test]
async fn exported_spans_bear_these_names() {
    let exported = Exported::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exported.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let guard = tracing::subscriber::set_default(tracing_subscriber::Registry::default().with(layer));
    ask(Protocol::Http, "GET", &format!("/tokens/{SECRET}?code={SECRET}")).await;
    ask(Protocol::Http, "GET", &format!("/made/up/{SECRET}")).await;
    drop(guard);
    let spans = exported.0.lock().expect("no panic");
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["GET /tokens/{id}", "GET"]);
    assert!(!format!("{spans:?}").contains(SECRET));
}

/// `docs/security-requirements.md#x11`
#[tokio::test]
async fn span_names_who_acts_for_whom_and_no_user_who_acts_alone() {
    let (recorder, _guard) = Recorder::here();
    ask(Protocol::Http, "GET", "/delegated").await;
    assert_eq!(recorder.values("user.id"), ["user-1"]);
    assert_eq!(
        (recorder.values("doorward.act"), recorder.values("doorward.txn")),
        (vec!["portal".into()], vec!["t1".into()])
    );
    let (recorder, _guard) = Recorder::here();
    ask(Protocol::Http, "GET", "/in-person").await;
    assert!(recorder.values("user.id").is_empty() && !recorder.has("user-1"));
}

/// `docs/security-requirements.md#x11`
#[tokio::test]
async fn span_names_who_acts_for_the_user_of_an_internal_token() {
    let now = UNIX_EPOCH + Duration::from_hours(500_000);
    let keys = KeyRing::new(&SecretString::from("an-adequate-secret-of-32-bytes-ok"), None).expect("is long enough");
    let keys = Arc::new(keys);
    let minter = Minter::new(Arc::clone(&keys), Duration::from_mins(5), false);
    for (actor, expected) in [(Some(Actor::from("portal")), &["portal"][..]), (None, &[])] {
        let user = User { id: UserId { opaque_id: "user-1".into(), ..UserId::default() }, ..User::default() };
        let answer = Authenticated { actor, ..Authenticated::full(Arc::new(user), "oidc") };
        let mut metadata = MetadataMap::new();
        let token = minter.mint(now, &answer).expect("is minted").parse().expect("ASCII");
        metadata.insert(METADATA_KEY, token);
        let verifier = Verifier::new(Arc::clone(&keys));
        let called = move || ready(authorize(&verifier, now, &metadata).expect("is valid").user.id.opaque_id);
        let (recorder, _guard) = Recorder::here();
        let request = Request::builder().uri("/called").body(Body::empty()).expect("a request");
        let stack = stack_of(Protocol::Http, Router::new().route("/called", get(called)));
        assert_eq!(stack.answer(&PeerConnection::default(), request).await.status(), StatusCode::OK);
        assert_eq!(recorder.values("doorward.act"), expected);
        assert_eq!(recorder.has("user-1"), !expected.is_empty());
    }
}

#[tokio::test]
async fn span_names_the_workload_and_its_proof() {
    let (recorder, _guard) = Recorder::here();
    ask(Protocol::Http, "GET", "/workload").await;
    assert_eq!(recorder.values("workload.identity"), ["repo:acme/site:main"]);
    assert_eq!(recorder.values("workload.proof"), ["oidc"]);
}

#[tokio::test]
async fn failures_of_the_server_are_marked() {
    for (path, status, outcome) in
        [("/panics/7", "500", &["error"][..]), ("/waits/7", "504", &["error"]), ("/tokens/7", "200", &[])]
    {
        let (recorder, _guard) = Recorder::here();
        ask(Protocol::Http, "GET", path).await;
        assert_eq!(recorder.values("http.response.status_code"), [status], "{path}");
        assert_eq!(recorder.values("otel.status_code"), outcome, "{path}");
    }
    let (recorder, _guard) = Recorder::here();
    ask(Protocol::Grpc, "GET", "/waits/7").await;
    assert_eq!(recorder.values("rpc.grpc.status_code"), ["4"]);
    assert_eq!(recorder.values("otel.status_code"), ["error"]);
}
