//! What an operator sees of a request from outside: one trace through all services, the access line, metrics, audit events, health.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doorward::ServiceId;
use opentelemetry_proto::tonic::{
    collector::logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    collector::metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::ResourceSpans,
};
use runtime::Clock;
use testkit::{Layout, Mode, TestFamily, note_secret};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use workload::testing::SpiffeAuthority;

/// A span, as a collector received it.
#[derive(Clone, Debug)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    service: String,
    name: String,
    /// What it says besides its name.
    attributes: String,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>, Others);

/// The names of metrics and the lines of the audit log that a collector received.
#[derive(Clone, Default)]
struct Others(Arc<Mutex<(BTreeSet<String>, Vec<String>)>>);

#[tonic::async_trait]
impl MetricsService for Others {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scopes = request.into_inner().resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        let metrics = scopes.flat_map(|scope| scope.metrics);
        self.0.lock().unwrap().0.extend(metrics.map(|metric| metric.name));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Others {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let scopes = request.into_inner().resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
        let bodies = scopes.flat_map(|scope| scope.log_records).filter_map(|record| record.body?.value);
        let lines = bodies.filter_map(|body| match body {
            Value::StringValue(line) => Some(line),
            _ => None,
        });
        self.0.lock().unwrap().1.extend(lines);
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().extend(request.into_inner().resource_spans.into_iter().flat_map(spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn spans(of_resource: ResourceSpans) -> Vec<Span> {
    let attributes = of_resource.resource.map(|resource| resource.attributes).unwrap_or_default();
    let name = attributes.into_iter().find(|attribute| attribute.key == "service.name");
    let name = name.and_then(|name| match name.value?.value? {
        Value::StringValue(name) => Some(name),
        _ => None,
    });
    let service = name.unwrap_or_default();
    let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
    let span = |span: opentelemetry_proto::tonic::trace::v1::Span| Span {
        attributes: format!("{:?} {:?}", span.attributes, span.events),
        trace: span.trace_id,
        id: span.span_id,
        parent: span.parent_span_id,
        service: service.clone(),
        name: span.name,
    };
    spans.map(span).collect()
}

impl Collector {
    async fn start() -> (String, Self) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.1.clone()))
            .add_service(LogsServiceServer::new(collector.1.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (address, collector)
    }

    /// The spans of each trace.
    fn traces(&self) -> BTreeMap<Vec<u8>, Vec<Span>> {
        let mut traces: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for span in &*self.0.lock().unwrap() {
            traces.entry(span.trace.clone()).or_default().push(span.clone());
        }
        traces
    }
}

/// The spans of a trace as a tree, one a line: service and name.
fn tree(spans: &[Span]) -> String {
    fn write(text: &mut String, spans: &[Span], parent: &[u8], depth: usize) {
        for span in spans.iter().filter(|span| span.parent == parent) {
            writeln!(text, "{}{}: {}", "  ".repeat(depth), span.service, span.name).unwrap();
            write(text, spans, &span.id, depth + 1);
        }
    }
    let mut text = String::new();
    write(&mut text, spans, &[], 0);
    text
}

/// The spans from one to the root of its trace.
fn ancestry<'a>(spans: &'a [Span], of: &'a Span) -> Vec<&'a Span> {
    std::iter::successors(Some(of), |span| spans.iter().find(|other| other.id == span.parent)).collect()
}

/// `docs/security-requirements.md#t4`, `#t5`, `#x11`
#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_edge_to_the_statement_across_processes() {
    let (address, collector) = Collector::start().await;
    let mut layout = Layout::new("process-traces", false);
    layout.set("OCIS_TRACING_ENABLED", "true");
    layout.set("OCIS_TRACING_ENDPOINT", &address);
    layout.set("OCIS_METRICS_OTLP_ENABLED", "true");
    layout.set("OCIS_AUDIT_LOG_OTLP", "true");
    layout.set("PROXY_TLS", "false");
    layout.set("PROXY_URL", "http://cloud.example");
    layout.set("PROXY_ENABLE_APP_AUTH", "true");
    let routes = layout.folder().join("routes.yaml");
    std::fs::write(&routes, "routes:\n  - { path: /, backend: 'http://127.0.0.1:9', timeout_seconds: 1 }\n").unwrap();
    layout.set("PROXY_ROUTES_FILE", &routes.display().to_string());
    layout.set("AUTH_APP_DEBUG_ZPAGES", "true");
    let debug_servers = layout.variables().iter().filter(|(name, _)| name.ends_with("_DEBUG_ADDR"));
    let debug_servers: Vec<_> = debug_servers.map(|(_, address)| address.clone()).collect();
    let [edge, debug, log] =
        ["PROXY_HTTP_ADDR", "AUTH_APP_DEBUG_ADDR", "OCIS_LOG_FILE"].map(|name| layout.variables()[name].clone());
    let family = TestFamily::start_with(layout, Mode::Processes, |context| context).await;
    let token = family.app_token("einstein").await;
    let authorization = format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("einstein:{token}")));
    let path = "/files/a-path-that-is-secret?code=a-query-that-is-secret";
    let answers = tokio::task::spawn_blocking(move || {
        let answer = get(&edge, path, &authorization);
        let kept =
            ["application/json", "text/html"].map(|kind| get(&debug, "/debug/zpages", &format!("Accept: {kind}\r\n")));
        let metrics: Vec<_> = debug_servers.iter().map(|address| get(address, "/metrics", "")).collect();
        (answer, kept, metrics)
    });
    let (answer, [spans, page], metrics) = answers.await.unwrap();
    assert_eq!(metrics.len(), ServiceId::ALL.len());
    for exposition in &metrics {
        assert_metrics_are_listed(exposition);
    }
    assert!(answer.starts_with("HTTP/1.0 502"), "the user is authenticated, and the application is away: {answer}");
    let name = "/cs3.auth.provider.v1beta1.ProviderAPI/Authenticate";
    assert!(spans.contains(&format!(r#""name": "{name}""#)) && spans.contains(r#""service": "auth-app""#), "{spans}");
    assert!(page.contains(&format!(">{name}</a>")), "{page}");
    family.stop().await;
    assert_each_service_has_an_access_line(&log, &token);
    assert_metrics_and_audit_events(&collector.1);

    let traces = collector.traces();
    // a holder of the machine key acted for the user when the app token was created
    for (service, method) in [
        ("auth-machine", "ProviderAPI/Authenticate"),
        ("gateway", "GatewayAPI/Authenticate"),
        ("auth-app", "ApplicationsAPI/GenerateAppPassword"),
    ] {
        let mut of_method = traces.values().flatten();
        let says_who_acts = of_method.any(|span| {
            span.service == service && span.name.ends_with(method) && span.attributes.contains("doorward.act")
        });
        assert!(says_who_acts, "{service} {method}: {traces:?}");
    }
    let of_edge = traces.values().find(|spans| {
        let is_root = |span: &&Span| span.parent.is_empty() && span.service == "proxy" && span.name.starts_with("GET");
        spans.iter().any(|span| is_root(&span)) && spans.iter().any(|span| span.service == "gateway")
    });
    let spans = of_edge.unwrap_or_else(|| panic!("no trace begins at the edge: {traces:?}"));
    eprintln!("{}", tree(spans));
    let statement = spans.iter().find(|span| span.service == "auth-app" && span.name.starts_with("SELECT "));
    let statement = statement.unwrap_or_else(|| panic!("no statement of auth-app in:\n{}", tree(spans)));
    let mut services: Vec<_> = ancestry(spans, statement).iter().map(|span| span.service.as_str()).collect();
    services.dedup();
    assert_eq!(services, ["auth-app", "gateway", "proxy"], "{}", tree(spans));
    let names: Vec<_> = ancestry(spans, statement).iter().map(|span| span.name.as_str()).collect();
    assert!(names.contains(&"authenticate appauth"), "{names:?}");
    assert!(spans.iter().any(|span| span.service == "users"), "{}", tree(spans));
    for secret in [&token, "that-is-secret", "einstein"] {
        assert!(!spans.iter().any(|span| span.name.contains(secret) || span.attributes.contains(secret)), "{secret}");
    }
}

/// `docs/security-requirements.md#x11`
#[tokio::test(flavor = "multi_thread")]
async fn workload_and_its_proof_are_in_the_trace_and_its_token_is_not() {
    let (address, collector) = Collector::start().await;
    let mut layout = Layout::new("process-workload-traces", false);
    layout.set("OCIS_TRACING_ENABLED", "true");
    layout.set("OCIS_TRACING_ENDPOINT", &address);
    let authority = SpiffeAuthority::new("example.org");
    let id = authority.id("/indexer");
    let [bundle, policy] = ["bundle.json", "policy.yaml"].map(|name| layout.folder().join(name));
    std::fs::write(&bundle, authority.bundle()).unwrap();
    let entry = format!("{{ identity: '{id}', audience: [doorward], may_act_for: {{ users: ['*'] }} }}");
    std::fs::write(&policy, format!("callers:\n  - {entry}\n")).unwrap();
    layout.set("OCIS_SPIFFE_TRUST_DOMAINS", &format!("example.org={}", bundle.display()));
    layout.set("OCIS_WORKLOAD_POLICY_FILE", &policy.display().to_string());
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let token = authority.svid("/indexer", "doorward", Duration::from_hours(1), Clock::system().now());
    note_secret(&token);
    let (_, internal) = family.authenticate("machine", "einstein", &token).await.expect("is accepted");
    family.who_am_i(&internal).await.expect("is valid");
    family.stop().await;
    let spans = collector.0.lock().unwrap().clone();
    let names_it = |span: &&Span| span.attributes.contains("workload.identity") && span.attributes.contains(&id);
    let of_it = spans.iter().filter(|span| span.name == "authenticate machine").find(names_it);
    let of_it = of_it.unwrap_or_else(|| panic!("no span names the workload: {spans:?}"));
    assert!(of_it.attributes.contains("workload.proof") && of_it.attributes.contains("jwt_svid"), "{of_it:?}");
    for method in ["GatewayAPI/Authenticate", "GatewayAPI/WhoAmI"] {
        let mut of_method = spans.iter().filter(|span| span.name.ends_with(method));
        let says_who_acts = of_method.any(|span| {
            let attributes = &span.attributes;
            attributes.contains("user.id") && attributes.contains("doorward.act") && attributes.contains(&id)
        });
        assert!(says_who_acts, "{method}: {spans:?}");
    }
    assert!(!spans.iter().any(|span| span.attributes.contains(&token)), "a token is in a trace");
}

/// One line of the edge for the request, and one of each service that it called, in the log that all processes write.
fn assert_each_service_has_an_access_line(log: &str, token: &str) {
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(r#""target":"access""#)).collect();
    for secret in ["that-is-secret", token] {
        assert!(!lines.iter().any(|line| line.contains(secret)), "{secret}");
    }
    let lines: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_edge: Vec<_> =
        lines.iter().filter(|line| line["service"] == "proxy" && line["protocol"] == "http").collect();
    let [access] = &*of_edge else { panic!("{of_edge:?}") };
    for (field, value) in [("method", "GET"), ("path", "/*"), ("route", "/"), ("source", "127.0.0.1")] {
        assert_eq!(access[field], value, "{access}");
    }
    assert_eq!(access["status"], 502, "{access}");
    assert!(access["milliseconds"].is_number() && access["request_id"].is_string(), "{access}");
    assert!(access["subject"].is_string() && access["trace_id"].is_string(), "{access}");
    for (service, method) in [("gateway", "GatewayAPI/Authenticate"), ("auth-app", "ProviderAPI/Authenticate")] {
        let is_one = |line: &&serde_json::Value| {
            line["service"] == service
                && line["trace_id"] == access["trace_id"]
                && line["path"].as_str().is_some_and(|path| path.ends_with(method))
        };
        let found: Vec<_> = lines.iter().filter(is_one).collect();
        assert_eq!(found.len(), 1, "{service}: {found:?}");
        assert_eq!(found[0]["grpc_status"], "OK");
    }
}

/// The last metrics are sent when a process ends.
fn assert_metrics_and_audit_events(received: &Others) {
    let (metrics, lines) = &*received.0.lock().unwrap();
    for name in ["doorward_requests_total", "doorward_request_duration_seconds", "doorward_build_info"] {
        assert!(metrics.contains(name), "{name} is not among {metrics:?}");
    }
    let is_made =
        |line: &String| line.contains(r#""event":"app_token_create""#) && line.contains(r#""target":"audit""#);
    assert!(lines.iter().any(is_made), "the making of the token is not among {lines:?}");
}

/// The answer to a GET, head and body.
fn get(address: &str, path: &str, authorization: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{authorization}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_server_requires_its_token_for_metrics() {
    let mut layout = Layout::new("debug", false);
    layout.set("GATEWAY_DEBUG_TOKEN", "a token for metrics");
    let family = TestFamily::start_with(layout, Mode::Inside, |context| context).await;
    family.authenticate("basic", "einstein", "wrong").await.expect_err("a wrong password");
    let address = family.layout.variables()["GATEWAY_DEBUG_ADDR"].clone();
    let jwt_secret = family.layout.jwt_secret.clone();
    let answers = tokio::task::spawn_blocking(move || {
        let metrics = get(&address, "/metrics", "Authorization: Bearer a token for metrics\r\n");
        let [health, ready, refused, config] =
            ["/healthz", "/readyz", "/metrics", "/config"].map(|path| get(&address, path, ""));
        [health, ready, refused, metrics, config]
    });
    let [health, ready, refused, metrics, config] = answers.await.unwrap();
    assert!(health.starts_with("HTTP/1.0 200") && health.ends_with("OK"), "{health}");
    assert!(ready.starts_with("HTTP/1.0 200"), "{ready}");
    assert!(refused.starts_with("HTTP/1.0 401"), "{refused}");
    assert_metrics_are_listed(&metrics);
    assert!(metrics.contains("doorward_requests") && metrics.contains("GatewayAPI/Authenticate"), "{metrics}");
    assert!(!metrics.contains(&jwt_secret));
    assert!(config.contains("jwt_secret: '***'") && config.contains("max_groups_size: "), "{config}");
    assert!(!config.contains(&jwt_secret) && !config.contains("a token for metrics"), "{config}");
    assert!(family.layout.address(ServiceId::Gateway).ip().is_loopback());
}

/// The list in the documentation is generated from the sources, where one that is registered otherwise would be missed, as would a
/// value of a label that is written in another way.
fn assert_metrics_are_listed(exposition: &str) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md")).unwrap();
    let types = exposition.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: Vec<_> = types.collect();
    assert!(types.len() > 5, "{exposition}");
    for (name, kind) in types {
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        assert!(page.contains(&format!("| `{name}` | {kind} | ")), "{name} ({kind}) is not in docs/metrics.md");
    }
    let (_, rows) = page.split_once("\n## Labels\n").unwrap();
    let rows: Vec<_> = rows.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ")).collect();
    for (label, value) in labels(exposition) {
        let row = rows.iter().find(|(names, _)| names.contains(&format!("`{label}`")));
        let (_, values) = row.unwrap_or_else(|| panic!("the label {label} is not in docs/metrics.md"));
        let is_listed = OPEN_LABELS.contains(&label) || values.contains(&format!("`{value}`"));
        assert!(is_listed, "the value {value} of the label {label} is not in docs/metrics.md");
    }
}

/// The labels whose values the documentation describes instead of listing them.
const OPEN_LABELS: [&str; 7] = ["service", "route", "code", "algorithm", "issuer", "setting", "version"];

/// The labels of all samples, with their values; not the bounds of buckets.
fn labels(exposition: &str) -> BTreeSet<(&str, &str)> {
    let samples = exposition.lines().filter(|line| !line.starts_with('#'));
    let sets = samples.filter_map(|line| Some(line.split_once('{')?.1.rsplit_once('}')?.0));
    let pairs = sets.flat_map(|set| set.split("\","));
    let pairs = pairs.filter_map(|pair| pair.split_once("=\"")).filter(|(name, _)| *name != "le");
    pairs.map(|(name, value)| (name, value.trim_end_matches('"'))).collect()
}
