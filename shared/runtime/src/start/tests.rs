use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tonic::Code;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::client::channel_within;
use crate::inherited_listeners::InheritedListener;
use crate::testing::{Sections, ask, code, context, echoing, get, say};
use crate::{Check, InheritedListeners, Pages, Task};
use config::{GrpcClientTls, GrpcTls, ListenAddr, Secret};

fn channel(running: &Running) -> authn::Channel {
    let addr = running.grpc.expect("serves gRPC").to_string();
    channel_within(&addr, &GrpcClientTls::default(), None, &context()).expect("an endpoint")
}

#[tokio::test]
async fn serves_grpc_health_and_the_debug_server() {
    let running = Sections::default().serve(echoing(), &context()).await.expect("starts");
    let (channel, debug) = (channel(&running), running.debug.expect("a debug server"));
    assert_eq!(code(&channel, "hello").await, Code::Ok);
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(get(debug, path, "").await, (200, "OK".into()), "{path}");
    }
    assert_eq!(get(debug, "/config", "").await, (200, "grpc:\n".into()));
    for page in ["/debug/pprof/profile", "/debug/pprof/heap", "/debug/zpages"] {
        assert_eq!(get(debug, page, "").await.0, 404, "{page} is off unless it is turned on");
    }
    let (status, metrics) = get(debug, "/metrics", "").await;
    let counted = r#"doorward_requests_total{service="echo",protocol="grpc",route="/echo.Echo/Say",code="OK"} 1"#;
    assert!(status == 200 && metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("# TYPE doorward_requests counter\n") && metrics.ends_with("# EOF\n"), "{metrics}");
    let (status, text) = get(debug, "/metrics", "Accept: text/plain;version=0.0.4, */*;q=0.1\r\n").await;
    assert!(status == 200 && text.contains("# TYPE doorward_requests_total counter\n"), "{text}");
    assert!(text.contains(counted) && !text.contains("# EOF"), "{text}");
    let both = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    assert!(get(debug, "/metrics", both).await.1.ends_with("# EOF\n"));
    running.stop().await;
}

#[tokio::test]
async fn service_is_among_those_of_its_process_until_it_ends() {
    let (context, checks) = (context(), vec![Check::new("database", async || Err("refused".into()))]);
    let running = Sections::default().serve(App { checks, ..echoing() }, &context).await.expect("starts");
    let health = context.running.health().await;
    let [echo] = &*health else { panic!("{health:?}") };
    assert_eq!((echo.name, &*echo.failing, &*echo.certificates), ("echo", &["database"][..], &[][..]));
    running.stop().await;
    assert!(context.running.health().await.is_empty());
}

/// `docs/security-requirements.md#t2`
#[tokio::test]
async fn metrics_and_debug_pages_require_the_token() {
    let mut sections = Sections::default();
    sections.debug.token = Secret::from("a-debug-token");
    (sections.debug.pprof, sections.debug.zpages) = (true, true);
    let running = sections.serve(App::default(), &context()).await.expect("starts");
    let debug = running.debug.expect("a debug server");
    assert_eq!(get(debug, "/metrics", "").await.0, 401);
    assert_eq!(get(debug, "/metrics", "Authorization: Bearer wrong\r\n").await.0, 401);
    assert_eq!(get(debug, "/metrics", "Authorization: Bearer a-debug-token\r\n").await.0, 200);
    for page in ["/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=0", "/debug/zpages"] {
        assert_eq!(get(debug, page, "").await.0, 401, "{page}");
    }
    let authorized = |page: &'static str| get(debug, page, "Authorization: Bearer a-debug-token\r\n");
    assert!(authorized("/debug/pprof/").await.1.contains("profile?seconds="));
    assert!(authorized("/debug/pprof/heap").await.1.contains("resident_bytes"));
    assert_eq!(authorized("/debug/pprof/profile?seconds=0").await.0, 400);
    assert_eq!(authorized("/debug/zpages").await, (404, "this process keeps no spans".into()));
    running.stop().await;
}

#[tokio::test]
async fn draining_is_not_ready_and_finishes_what_is_in_flight() {
    let running = Sections::default().serve(echoing(), &context()).await.expect("starts");
    let (channel, debug) = (channel(&running), running.debug.expect("a debug server"));
    let in_flight = tokio::spawn(say(channel, "slow"));
    tokio::time::sleep(Duration::from_millis(100)).await;

    let stopping = tokio::spawn(running.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!in_flight.is_finished());
    assert_eq!(get(debug, "/readyz", "").await, (503, "not ready: shutting down".into()));
    assert_eq!(get(debug, "/livez", "").await.0, 200);

    in_flight.await.expect("no panic").expect("is answered");
    stopping.await.expect("no panic");
    assert!(tokio::net::TcpStream::connect(debug).await.is_err(), "the debug server ends last");
}

#[tokio::test]
async fn draining_service_accepts_requests_until_its_delay_has_passed() {
    let mut sections = Sections::default();
    sections.debug.drain_delay = Duration::from_secs(1);
    let context = context();
    let app = App { http: Some(axum::Router::new().into()), ..echoing() };
    let running = sections.serve(app, &context).await.expect("starts");
    let (http, debug) = (running.http.expect("serves HTTP"), running.debug.expect("a debug server"));
    let begin = Instant::now();
    context.shutdown.cancel();
    assert_eq!(get(debug, "/readyz", "").await, (503, "not ready: shutting down".into()));
    while begin.elapsed() < Duration::from_millis(500) {
        assert_eq!(get(http, "/", "").await.0, 404, "a new connection is served");
        assert_eq!(code(&channel(&running), "hello").await, Code::Ok);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.wait().await;
    assert!(begin.elapsed() >= sections.debug.drain_delay);
    assert!(tokio::net::TcpStream::connect(http).await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn health_watchers_are_told_when_draining_begins() {
    let mut sections = Sections::default();
    sections.debug.drain_delay = Duration::from_secs(20);
    let running = sections.serve(echoing(), &context()).await.expect("starts");
    let mut client = HealthClient::new(channel(&running));
    let request = HealthCheckRequest { service: String::new() };
    let mut health = client.watch(request.clone()).await.expect("watches").into_inner();
    running.drain();
    let serving = i32::from(ServingStatus::Serving as u8);
    let mut last = serving;
    while last == serving {
        last = health.message().await.expect("no error").expect("the stream goes on").status;
    }
    let checked = client.check(request).await.expect("the name is still known").into_inner().status;
    assert_eq!(checked, i32::from(ServingStatus::NotServing as u8));
}

#[tokio::test]
async fn health_of_a_peer_is_ready_not_ready_or_unreachable() {
    let mut sections = Sections::default();
    sections.debug.drain_delay = Duration::from_secs(20);
    let context = context();
    let running = sections.serve(echoing(), &context).await.expect("starts");
    let endpoint = running.grpc.expect("serves gRPC").to_string();
    let tls = config::GrpcClientTls::default();
    let health = async |endpoint: &str| crate::client::check_health(endpoint, &tls, &context).await;
    let answers = async {
        loop {
            if let Ok(has_service) = health(&endpoint).await {
                break has_service;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let has_service = tokio::time::timeout(Duration::from_secs(20), answers).await.expect("is ready in time");
    assert!(has_service, "it has the service");
    running.drain();
    let expected = "it answers that it is not ready";
    let drains = async {
        while health(&endpoint).await.err().map(|error| error.to_string()).as_deref() != Some(expected) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), drains).await.expect("is not ready in time");
    let missing = health("unix:/nonexistent/socket").await.expect_err("is missing").to_string();
    assert!(!missing.is_empty() && missing != expected, "{missing}");
}

#[tokio::test]
async fn service_of_a_shared_process_serves_until_it_is_stopped() {
    let sections = Sections::default();
    let listeners = Listeners {
        log: &sections.log,
        tracing: &sections.tracing,
        debug: &sections.debug,
        grpc: Some(&sections.grpc),
        http: None,
        mtls: None,
    };
    let context = context();
    let mut background = None;
    let build = |built: Context| {
        background = Some(built.shutdown);
        async { Ok(echoing()) }
    };
    let running = launch(crate::testing::IDENTITY, listeners, String::new(), build, &context).await.expect("starts");
    let background = background.expect("is built");
    context.shutdown.cancel();
    let debug = running.debug.expect("a debug server");
    assert_eq!(get(debug, "/readyz", "").await.0, 503);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(code(&channel(&running), "hello").await, Code::Ok);
    assert!(!background.is_cancelled(), "background work goes on");
    running.stop().await;
    assert!(background.is_cancelled());
}

#[tokio::test]
async fn the_grace_time_ends() {
    let mut sections = Sections::default();
    sections.tuning.grace = Duration::from_millis(100);
    let running = sections.serve(echoing(), &context()).await.expect("starts");
    let in_flight = tokio::spawn(say(channel(&running), "never"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = Instant::now();
    running.stop().await;
    assert!(before.elapsed() < Duration::from_secs(2));
    in_flight.await.expect("no panic").expect_err("is cut off");
}

#[tokio::test]
async fn those_who_watch_the_health_are_told_and_not_waited_for() {
    let running = Sections::default().serve(echoing(), &context()).await.expect("starts");
    let mut client = HealthClient::new(channel(&running));
    let request = HealthCheckRequest { service: String::new() };
    let mut health = client.watch(request).await.expect("watches").into_inner();
    let mut last = health.message().await.expect("no error").expect("a status").status;
    let before = Instant::now();
    let stopping = tokio::spawn(running.stop());
    while let Ok(Some(message)) = health.message().await {
        last = message.status;
    }
    assert_eq!(last, i32::from(ServingStatus::NotServing as u8));
    stopping.await.expect("no panic");
    assert!(before.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn readiness_follows_checks_and_tasks() {
    let die = Arc::new(Notify::new());
    let signal = Arc::clone(&die);
    let task = Task::new("flush", async move {
        signal.notified().await;
        panic!("asked to")
    });
    let checks = vec![Check::new("database", async || Ok(()))];
    let app = App { tasks: vec![task], checks, ..App::default() };
    let running = Sections::default().serve(app, &context()).await.expect("starts");
    let debug = running.debug.expect("a debug server");
    assert_eq!(get(debug, "/readyz", "").await.0, 200);
    die.notify_one();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(get(debug, "/readyz", "").await, (503, "not ready: flush".into()));
    running.stop().await;
}

#[tokio::test]
async fn task_that_ends_too_early_or_is_not_of_the_app_makes_the_service_not_ready() {
    let sections = Sections::default();
    let listeners = Listeners {
        log: &sections.log,
        tracing: &sections.tracing,
        debug: &sections.debug,
        grpc: None,
        http: None,
        mtls: None,
    };
    let build = |context: Context| async move {
        let (done, ended) = (Task::once("done", async {}), Task::new("ended", async {}));
        let lost = context.background.spawn("lost", async { panic!("asked to") });
        let seen = Task::new("waiting", async move { context.shutdown.cancelled().await });
        lost.await.map_err(authn::BoxError::from)?;
        Ok::<_, authn::BoxError>(App { tasks: vec![done, ended, seen], ..App::default() })
    };
    let context = context();
    let running = launch(crate::testing::IDENTITY, listeners, String::new(), build, &context).await.expect("starts");
    let debug = running.debug.expect("a debug server");
    let deadline = Instant::now() + Duration::from_secs(20);
    while get(debug, "/readyz", "").await.1 != "not ready: lost, ended" {
        assert!(Instant::now() < deadline, "{:?}", get(debug, "/readyz", "").await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(context.running.lost_tasks(), ["lost", "ended"]);
    running.stop().await;
}

#[tokio::test]
async fn lives_and_is_not_ready_while_it_is_built() {
    let sections = Sections::default();
    let listeners = Listeners {
        log: &sections.log,
        tracing: &sections.tracing,
        debug: &config::Debug { addr: ListenAddr::Tcp { host: "127.0.0.1".into(), port: 0 }, ..Default::default() },
        grpc: None,
        http: None,
        mtls: None,
    };
    let context = context();
    let failed =
        launch(crate::testing::IDENTITY, listeners, String::new(), |_| async { Err("no database".into()) }, &context)
            .await;
    let problem = failed.expect_err("is not built");
    assert_eq!((problem.to_string().as_str(), problem.exit_code()), ("no database", 1));

    context.shutdown.cancel();
    let stopped =
        launch(crate::testing::IDENTITY, listeners, String::new(), |_| std::future::pending(), &context).await;
    assert_eq!(stopped.expect_err("was stopped").exit_code(), 0);
}

#[tokio::test]
async fn plain_text_is_refused_on_a_network() {
    let mut sections = Sections::default();
    sections.grpc.addr = ListenAddr::Tcp { host: "0.0.0.0".into(), port: 0 };
    let problem = sections.serve(echoing(), &context()).await.expect_err("is refused");
    assert_eq!(problem.exit_code(), 64);
    let text = problem.to_string();
    assert!(text.contains("OCIS_GRPC_TLS_ENABLED") && text.contains("OCIS_INSECURE_PLAINTEXT"), "{text}");

    let mut allowed = context();
    allowed.environment = allowed.environment.with("OCIS_INSECURE_PLAINTEXT", "true");
    sections.serve(echoing(), &allowed).await.expect("the operator said so").stop().await;

    sections.grpc.tls.enabled = true;
    sections.serve(echoing(), &context()).await.expect("TLS is on").stop().await;
}

/// `docs/security-requirements.md#d1`
#[tokio::test]
async fn debug_server_on_a_network_needs_tls() {
    let mut sections = Sections::default();
    sections.debug.addr = ListenAddr::Tcp { host: "0.0.0.0".into(), port: 0 };
    let problem = sections.serve(echoing(), &context()).await.expect_err("is refused");
    assert_eq!(problem.exit_code(), 64);
    assert!(problem.to_string().contains("OCIS_DEBUG_TLS_ENABLED"), "{problem}");

    let mut allowed = context();
    allowed.environment = allowed.environment.with("OCIS_INSECURE_PLAINTEXT", "true");
    sections.serve(echoing(), &allowed).await.expect("the operator said so").stop().await;

    let authority = crate::testing::Authority::new();
    let (cert, key) = authority.sign("server", "localhost");
    sections.debug.tls = config::DebugTls { enabled: true, cert: Some(cert), key: Some(key) };
    let context = context();
    let running = sections.serve(echoing(), &context).await.expect("TLS is on");
    let metrics = context.metrics.render();
    assert!(
        metrics.contains(r#"doorward_certificate_remaining_seconds{service="echo",listener="debug"}"#),
        "{metrics}"
    );
    running.stop().await;
}

#[tokio::test]
async fn http_is_served_below_its_root_and_counted_by_route() {
    let mut sections = Sections::default();
    sections.http.root = "/apps".into();
    let router = axum::Router::new().route("/tokens/{id}", axum::routing::get(async || "one"));
    let app = App { http: Some(router.into()), grpc: Some(Routes::default()), ..App::default() };
    let running = sections.serve(app, &context()).await.expect("starts");
    let http = running.http.expect("serves HTTP");
    assert_eq!(get(http, "/apps/tokens/7", "").await, (200, "one".into()));
    assert_eq!(get(http, "/tokens/7", "").await.0, 404);
    let metrics = get(running.debug.expect("a debug server"), "/metrics", "").await.1;
    assert!(metrics.contains(r#"route="GET /apps/tokens/{id}",code="200"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"route="other",code="404"} 1"#), "{metrics}");
    running.stop().await;
}

#[tokio::test]
async fn pages_may_call_what_is_opened_and_nothing_else() {
    let mut sections = Sections::default();
    sections.http.root = "/apps".into();
    sections.http.cors.allow_origins = vec!["https://good.example".into()];
    let opened = axum::Router::new().route("/tokens/{id}", axum::routing::get(async || "one"));
    let closed = axum::Router::new().route("/sign-in", axum::routing::get(async || "form"));
    let router = Pages::of(&sections.http.cors).open(opened, "echo").merge(closed);
    let running =
        sections.serve(App { http: Some(router.into()), ..App::default() }, &context()).await.expect("starts");
    let (http, debug) = (running.http.expect("serves HTTP"), running.debug.expect("a debug server"));
    let from = "Origin: https://good.example\r\nAccess-Control-Request-Method: GET\r\n";
    for (method, path) in [("OPTIONS", "/apps/tokens/7"), ("GET", "/apps/tokens/7"), ("PUT", "/apps/tokens/7")] {
        let answer = ask(http, method, path, from).await;
        let allows = |line: &str| answer.contains(&format!("access-control-allow-{line}\r\n"));
        assert!(allows("origin: https://good.example") && allows("credentials: true"), "{answer}");
    }
    for (method, path) in [("OPTIONS", "/apps/sign-in"), ("GET", "/apps/sign-in"), ("GET", "/nothing")] {
        assert!(!ask(http, method, path, from).await.contains("access-control"), "{method} {path}");
    }
    assert!(!ask(debug, "GET", "/healthz", from).await.contains("access-control"));
    let metrics = get(debug, "/metrics", "").await.1;
    for route in ["OPTIONS /apps/tokens/{id}", "GET /healthz"] {
        assert!(metrics.contains(&format!("route=\"{route}\",code=\"200\"}} 1")), "{metrics}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_socket_file_comes_and_goes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("echo.sock");
    // what a killed process leaves behind
    drop(std::os::unix::net::UnixListener::bind(&path).expect("binds"));
    let mut sections = Sections::default();
    sections.grpc.addr = ListenAddr::Unix(path.clone());
    let running = sections.serve(echoing(), &context()).await.expect("starts");
    let endpoint = format!("unix://{}", path.display());
    let channel = channel_within(&endpoint, &GrpcClientTls::default(), None, &context()).expect("an endpoint");
    assert_eq!(code(&channel, "hello").await, Code::Ok);
    let second = sections.serve(echoing(), &context()).await.expect_err("one socket, one service");
    assert_eq!(second.exit_code(), 1);
    assert!(path.exists());
    running.stop().await;
    assert!(!path.exists());
}

/// A context whose service manager has bound this socket for the listener with this name.
fn context_with(name: &str, listener: InheritedListener) -> Context {
    Context { inherited: InheritedListeners::holding(name, listener), ..context() }
}

#[tokio::test]
async fn socket_that_the_service_manager_has_bound_is_served() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("bound");
    let context = context_with("echo-debug", InheritedListener::Tcp(listener));
    let running = Sections::default().serve(echoing(), &context).await.expect("starts");
    assert_eq!(running.debug, Some(addr));
    assert_eq!(get(addr, "/readyz", "").await, (200, "OK".into()));
    running.stop().await;
}

#[tokio::test]
async fn socket_file_of_the_service_manager_is_served_and_stays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("echo.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("binds");
    let context = context_with("echo-grpc", InheritedListener::Unix(listener));
    let running = Sections::default().serve(echoing(), &context).await.expect("starts");
    assert_eq!(running.grpc, None);
    let endpoint = format!("unix://{}", path.display());
    let channel = channel_within(&endpoint, &GrpcClientTls::default(), None, &context).expect("an endpoint");
    assert_eq!(code(&channel, "hello").await, Code::Ok);
    running.stop().await;
    assert!(path.exists());
}

/// `docs/security-requirements.md#d1`
#[tokio::test]
async fn plain_text_is_refused_on_a_socket_that_the_service_manager_has_bound() {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let addr = listener.local_addr().expect("bound").to_string();
    let context = context_with("echo-grpc", InheritedListener::Tcp(listener));
    let problem = Sections::default().serve(echoing(), &context).await.expect_err("is refused");
    assert_eq!(problem.exit_code(), 64);
    assert!(problem.to_string().starts_with(&addr), "{problem}");
}

#[tokio::test]
async fn only_listeners_that_are_on_have_a_name_for_sockets() {
    let mut sections = Sections::default();
    sections.http.addr = ListenAddr::Off;
    let listeners = Listeners {
        log: &sections.log,
        tracing: &sections.tracing,
        debug: &sections.debug,
        grpc: Some(&sections.grpc),
        http: Some(&sections.http),
        mtls: None,
    };
    let check = |name| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let context = context_with(name, InheritedListener::Tcp(listener));
        check_inherited([(crate::testing::IDENTITY, listeners)], &context)
    };
    check("echo-grpc").expect("there is one");
    let problem = check("echo-http").expect_err("it is off");
    assert_eq!(problem.exit_code(), 64);
    assert!(problem.to_string().ends_with("one of echo-grpc, echo-debug"), "{problem}");
}

/// Row [M15](../../../../docs/security-requirements.md#m15).
#[tokio::test]
async fn grpc_server_does_not_start_where_nothing_verifies_its_clients() {
    let mut sections = Sections::default();
    sections.grpc.tls = GrpcTls { enabled: true, client_spiffe: true, ..GrpcTls::default() };
    let with = |authorities| App { client_authorities: authorities, ..echoing() };
    for authorities in [None, Some(SpiffeAuthorities::default())] {
        let error = sections.serve(with(authorities), &context()).await.expect_err("is refused");
        let text = error.to_string();
        assert!(text.contains("CLIENT_SPIFFE") && text.contains("OCIS_GRPC_TLS_CLIENT_CA"), "{text}");
        assert_eq!(error.exit_code(), USAGE);
    }
    let authorities = SpiffeAuthorities::new(["example.org".to_owned()]);
    let running = sections.serve(with(Some(authorities)), &context()).await.expect("starts");
    running.stop().await;
}
