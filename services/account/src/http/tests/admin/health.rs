//! The page with the health of the services, over a service of this process and stand-ins for others.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use config::{Debug, Identity, ListenAddr, Log, Tracing};
use http::{Request, Response};
use runtime::{App, Check, Listeners, Running, RunningServices};
use serde_json::{Value, json};
use tonic::Status;
use tonic::body::Body;
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;
use tower::service_fn;

use super::super::support::context;
use super::AdminBench;
use crate::administration::Administration;

const HEALTH: &str = "/account/admin/health";
const API: &str = "/account/admin/api/v1/health";

/// The error of a database, which names what no page should.
const SECRET_PROBLEM: &str = "postgres://doorward:a-password@10.0.0.7 refuses";

/// A service of this process whose database fails.
async fn without_database() -> (Running, RunningServices) {
    let (context, log, tracing) = (context(), Log::default(), Tracing::default());
    let debug = Debug { addr: ListenAddr::Off, ..Debug::default() };
    let listeners = Listeners { log: &log, tracing: &tracing, debug: &debug, grpc: None, http: None, mtls: None };
    let identity = Identity { name: "auth-app", prefix: "AUTH_APP" };
    let checks = vec![Check::new("database", async || Err(SECRET_PROBLEM.to_owned()))];
    let app = App { checks, ..App::default() };
    let running =
        runtime::launch(identity, listeners, String::new(), |_| async { Ok(app) }, &context).await.expect("starts");
    (running, context.running)
}

/// Services in other processes: one that is ready, one that is not, and one that cannot be reached.
async fn remote_services(administration: Administration) -> Administration {
    let (_reporter, ready) = health_reporter();
    let (reporter, failing) = health_reporter();
    reporter.set_service_status("", ServingStatus::NotServing).await;
    let unreachable =
        service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(Status::unavailable(SECRET_PROBLEM)));
    let administration = administration.with_health_of("idp", ready).with_health_of("auth-basic", failing);
    administration.with_health_of("users", unreachable)
}

/// Row [N61](../../../../../../docs/security-requirements.md#n61).
#[tokio::test]
async fn page_says_what_is_wrong_with_each_service_and_no_secret() {
    let (running, services) = without_database().await;
    let extend =
        async |administration, _| Administration { running: services, ..remote_services(administration).await };
    let bench = Box::pin(AdminBench::with(extend)).await;
    let page = bench.browser("admin").get(HEALTH).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.page);
    let row = |name: &str| {
        let (_, rest) = page.page.split_once(&format!(">{name}</th>")).expect("a row of the service");
        rest.split("</tr>").next().expect("a row").to_owned()
    };
    let (here, ready, failing, unreachable) = (row("auth-app"), row("idp"), row("auth-basic"), row("users"));
    assert!(here.contains("<strong>Not ready</strong>") && here.contains("The database does not answer"), "{here}");
    assert!(here.contains("29 November 2026") && here.contains(env!("CARGO_PKG_VERSION")), "{here}");
    assert!(ready.contains(">Ready<") && ready.contains("Unknown") && !ready.contains("<p>"), "{ready}");
    assert!(failing.contains("says that it is not ready"), "{failing}");
    assert!(unreachable.contains("No connection can be made."), "{unreachable}");
    assert!(page.page.contains("role=\"alert\">Not ready: auth-app, auth-basic, users<"), "{}", page.page);
    assert!(page.page.contains("are not listed"), "{}", page.page);
    assert!(!page.page.contains("a-password") && !page.page.contains("10.0.0.7"), "{}", page.page);
    for (language, text) in [("de", "Die Datenbank antwortet nicht"), ("fr", "La base de données ne répond pas")] {
        let mut admin = bench.browser("admin");
        admin.headers = vec![("accept-language", language.to_owned())];
        assert!(admin.get(HEALTH).await.page.contains(text), "{language}");
    }
    running.stop().await;
}

/// Row [N61](../../../../../../docs/security-requirements.md#n61).
#[tokio::test]
async fn health_is_for_administrators_with_their_second_factor_alone() {
    let bench = AdminBench::new().await;
    assert_eq!(bench.browser("marie").get(HEALTH).await.status, StatusCode::FORBIDDEN);
    assert_eq!(bench.bench.stranger().get(HEALTH).await.status, StatusCode::UNAUTHORIZED);
    let mut admin = bench.browser("admin");
    let page = admin.get(HEALTH).await;
    assert!(page.status == StatusCode::OK && page.page.contains("note success"), "{}", page.page);
    assert!(page.page.contains("href=\"/admin/health\""), "the navigation has it: {}", page.page);
    bench.signed_in(Duration::ZERO, "1", true);
    assert_eq!(admin.get(HEALTH).await.status, StatusCode::SEE_OTHER);
}

/// A service that never answers does not hold up the page for longer than the time that one may take.
#[tokio::test]
async fn silent_services_are_asked_at_the_same_time() {
    let silent = || service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let bench = AdminBench::with(async |administration, _| {
        let names = ["users", "auth-basic", "auth-app", "idp"];
        names.into_iter().fold(administration, |all, name| all.with_health_of(name, silent()))
    });
    let bench = Box::pin(bench).await;
    let begin = std::time::Instant::now();
    let page = bench.browser("admin").get(HEALTH).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(page.page.matches("did not answer within two seconds").count(), 4, "{}", page.page);
}

/// Row [N61](../../../../../../docs/security-requirements.md#n61).
#[tokio::test]
async fn api_says_what_is_wrong_with_each_service_and_no_secret() {
    let (running, services) = without_database().await;
    let extend =
        async |administration, _| Administration { running: services, ..remote_services(administration).await };
    let bench = Box::pin(AdminBench::with(extend)).await;
    let mut admin = bench.browser("admin");
    admin.headers = vec![("accept-language", "de".to_owned())];
    let reply = admin.read(API).await;
    let report = reply.json();
    assert_eq!((reply.status, &report["ready"]), (StatusCode::OK, &json!(false)), "{}", reply.page);
    let of = |name: &str| {
        let services = report["services"].as_array().expect("services");
        services.iter().find(|service| service["name"] == name).expect("the service").clone()
    };
    let (here, ready, failing, unreachable) = (of("auth-app"), of("idp"), of("auth-basic"), of("users"));
    assert_eq!((&here["ready"], &here["problems"][0]["code"]), (&json!(false), &json!("database")));
    let detail = here["problems"][0]["detail"].as_str().expect("a text");
    assert!(detail.starts_with("The database does not answer"), "{detail}");
    assert_eq!((&here["version"], &here["since"]), (&json!(env!("CARGO_PKG_VERSION")), &json!("2026-11-29T23:33:00Z")));
    assert_eq!((&ready["ready"], &ready["problems"], &ready["since"]), (&json!(true), &json!([]), &Value::Null));
    assert_eq!((&failing["ready"], &failing["problems"][0]["code"]), (&json!(false), &json!("not_ready")));
    assert_eq!(unreachable["problems"][0]["code"], "unreachable");
    assert!(!reply.page.contains("a-password") && !reply.page.contains("10.0.0.7"), "{}", reply.page);
    running.stop().await;
}

/// Row [N61](../../../../../../docs/security-requirements.md#n61).
#[tokio::test]
async fn health_by_the_api_is_for_administrators_with_their_second_factor_alone() {
    let bench = AdminBench::new().await;
    assert_eq!(bench.browser("marie").read(API).await.status, StatusCode::FORBIDDEN);
    assert_eq!(bench.bench.stranger().read(API).await.status, StatusCode::UNAUTHORIZED);
    let mut admin = bench.browser("admin");
    let report = admin.read(API).await.json();
    assert_eq!((&report["ready"], &report["certificates"]), (&json!(true), &json!([])));
    bench.signed_in(Duration::from_mins(11), "1", false);
    assert_eq!(admin.read(API).await.status, StatusCode::OK, "it needs no recent sign-in");
    bench.signed_in(Duration::ZERO, "1", true);
    let refused = admin.read(API).await;
    let challenge = refused.headers[WWW_AUTHENTICATE].to_str().expect("text");
    assert!(refused.status == StatusCode::FORBIDDEN && challenge.contains("acr_values=\"mfa\""), "{challenge}");
}
