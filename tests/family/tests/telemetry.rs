//! What an operator sees of a request from outside: one trace through all services, metrics, health.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use doorward::ServiceId;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use testkit::{Layout, Mode, TestFamily};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// Which services spoke of each trace.
type Traces = Arc<Mutex<BTreeMap<Vec<u8>, BTreeSet<String>>>>;

struct Collector(Traces);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut traces = self.0.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            let name =
                attributes.iter().find(|attribute| attribute.key == "service.name").map(|name| format!("{name:?}"));
            for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                traces.entry(span.trace_id.clone()).or_default().extend(name.clone());
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn collector() -> (String, Traces) {
    let traces = Traces::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = TraceServiceServer::new(Collector(traces.clone()));
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, traces)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_joins_gateway_authenticator_and_directory_processes() {
    let (address, traces) = collector().await;
    let mut layout = Layout::new("process-traces", false);
    layout.set("OCIS_TRACING_ENABLED", "true");
    layout.set("OCIS_TRACING_ENDPOINT", &address);
    let family = TestFamily::start_with(layout, Mode::Processes, |context| context).await;
    family.authenticate("machine", "einstein", &family.layout.machine_key).await.expect("einstein");
    family.stop().await;
    let joined = |services: &BTreeSet<String>| {
        ["\"gateway\"", "\"auth-machine\"", "\"users\""]
            .iter()
            .all(|name| services.iter().any(|said| said.contains(name)))
    };
    let traces = traces.lock().unwrap();
    assert!(traces.values().any(joined), "no trace has all three: {:?}", traces.values().collect::<Vec<_>>());
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
        [get(&address, "/healthz", ""), get(&address, "/readyz", ""), get(&address, "/metrics", ""), metrics]
    });
    let [health, ready, refused, metrics] = answers.await.unwrap();
    assert!(health.starts_with("HTTP/1.0 200") && health.ends_with("OK"), "{health}");
    assert!(ready.starts_with("HTTP/1.0 200"), "{ready}");
    assert!(refused.starts_with("HTTP/1.0 401"), "{refused}");
    assert!(metrics.contains("doorward_requests") && metrics.contains("GatewayAPI/Authenticate"), "{metrics}");
    assert!(!metrics.contains(&jwt_secret));
    assert!(family.layout.address(ServiceId::Gateway).ip().is_loopback());
}
