//! Spans, metrics and logs arrive at a collector, whatever it speaks.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::*;
use crate::testing::{Authority, Sections, context};
use crate::{App, Running};

/// What a collector received: the header `authorization` and the spans of each request.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<(String, ExportTraceServiceRequest)>>>, Others);

/// The header `authorization` and the metrics or logs of each request.
#[derive(Clone, Default)]
struct Others(Arc<Mutex<Vec<(String, Other)>>>);

#[derive(Clone, Debug, PartialEq)]
enum Other {
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Others {
    fn note(&self, authorization: Option<&str>, other: Other) {
        self.0.lock().expect("no panic").push((authorization.unwrap_or_default().to_owned(), other));
    }

    fn take(&self) -> Vec<(String, Other)> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

#[tonic::async_trait]
impl MetricsService for Others {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let (metadata, _, metrics) = request.into_parts();
        self.note(metadata.get("authorization").and_then(|value| value.to_str().ok()), Other::Metrics(metrics));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Others {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let (metadata, _, logs) = request.into_parts();
        self.note(metadata.get("authorization").and_then(|value| value.to_str().ok()), Other::Logs(logs));
        Ok(Response::new(rejecting_one()))
    }
}

fn rejecting_one() -> ExportLogsServiceResponse {
    let partial = ExportLogsPartialSuccess { rejected_log_records: 1, error_message: "too old".into() };
    ExportLogsServiceResponse { partial_success: Some(partial) }
}

async fn post_metrics(State(others): State<Others>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    let metrics = ExportMetricsServiceRequest::decode(body).expect("metrics in protobuf");
    others.note(headers.get("authorization").and_then(|value| value.to_str().ok()), Other::Metrics(metrics));
    ExportMetricsServiceResponse::default().encode_to_vec()
}

async fn post_logs(State(others): State<Others>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let logs = ExportLogsServiceRequest::decode(body).expect("logs in protobuf");
    others.note(headers.get("authorization").and_then(|value| value.to_str().ok()), Other::Logs(logs));
    rejecting_one().encode_to_vec()
}

impl Received {
    fn note(&self, authorization: Option<&str>, spans: ExportTraceServiceRequest) {
        self.0.lock().expect("no panic").push((authorization.unwrap_or_default().to_owned(), spans));
    }

    /// The header, the name of the service and the name of the span of each request.
    fn summary(&self) -> Vec<(String, String, String)> {
        let received = self.0.lock().expect("no panic");
        let summary = received.iter().map(|(authorization, request)| {
            let spans = &request.resource_spans[0];
            let attributes = &spans.resource.as_ref().expect("a resource").attributes;
            let name = attributes.iter().find(|attribute| attribute.key == "service.name").expect("a name");
            (authorization.clone(), format!("{:?}", name.value), spans.scope_spans[0].spans[0].name.clone())
        });
        summary.collect()
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let (metadata, _, spans) = request.into_parts();
        self.note(metadata.get("authorization").and_then(|value| value.to_str().ok()), spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn post_spans(State(received): State<Received>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    let spans = ExportTraceServiceRequest::decode(body).expect("spans in protobuf");
    received.note(headers.get("authorization").and_then(|value| value.to_str().ok()), spans);
    ExportTraceServiceResponse::default().encode_to_vec()
}

/// A collector of both protocols, with certificates of this authority if there is one.
async fn collector(authority: Option<&Authority>) -> (Running, Received) {
    let received = Received::default();
    let mut sections = Sections::default();
    if let Some(authority) = authority {
        let (cert, key) = authority.sign("collector", "localhost");
        sections.grpc.tls.enabled = true;
        (sections.grpc.tls.cert, sections.grpc.tls.key) = (Some(cert.clone()), Some(key.clone()));
        sections.http.tls.enabled = true;
        (sections.http.tls.cert, sections.http.tls.key) = (Some(cert), Some(key));
    }
    let http = Router::new().route("/v1/traces", post(post_spans)).with_state(received.clone());
    let others = Router::new().route("/v1/metrics", post(post_metrics)).route("/v1/logs", post(post_logs));
    let http = http.merge(others.with_state(received.1.clone()));
    let grpc = Routes::new(TraceServiceServer::new(received.clone()))
        .add_service(MetricsServiceServer::new(received.1.clone()))
        .add_service(LogsServiceServer::new(received.1.clone()));
    let app = App { grpc: Some(grpc), http: Some(http.into()), ..App::default() };
    (sections.serve(app, &context()).await.expect("starts"), received)
}

/// The settings that send everything to a collector, over gRPC and over HTTP, by TLS if they trust an authority.
fn settings(running: &Running, trusted: Option<&Authority>) -> [Tracing; 2] {
    let scheme = if trusted.is_some() { "https" } else { "http" };
    let [grpc, http] = [running.grpc, running.http].map(|addr| addr.expect("is served").port());
    let tracing = Tracing {
        headers: "authorization=Bearer%20abc".into(),
        cacert: trusted.map(|authority| authority.path("ca.pem")),
        metrics: true,
        audit_log: true,
        ..Tracing::default()
    };
    let over_grpc = Tracing { endpoint: format!("{scheme}://localhost:{grpc}"), ..tracing.clone() };
    let (protocol, otlp_endpoint) = ("http/protobuf".to_owned(), format!("{scheme}://localhost:{http}"));
    [over_grpc, Tracing { protocol, otlp_endpoint, ..tracing }]
}

/// Sends one span, and returns whether the collector accepted it.
async fn send(tracing: &Tracing) -> bool {
    let provider = provider("echo", tracing).expect("settings").expect("a collector");
    provider.tracer("test").start("a span");
    tokio::task::spawn_blocking(move || provider.shutdown().is_ok()).await.expect("no panic")
}

#[tokio::test]
async fn spans_arrive_over_grpc_and_http_in_plain_text_and_by_tls() {
    let authority = Authority::new();
    for authority in [None, Some(&authority)] {
        let (running, received) = collector(authority).await;
        let [over_grpc, over_http] = settings(&running, authority);
        let over_http = Tracing { service_name: "edge".into(), ..over_http };
        for tracing in [over_grpc, over_http] {
            assert!(send(&tracing).await, "{tracing:?}");
        }
        let summary = received.summary();
        let [of_grpc, of_http] = &*summary else { panic!("{summary:?}") };
        for ((authorization, service, span), name) in [(of_grpc, "\"echo\""), (of_http, "\"edge\"")] {
            assert_eq!((authorization.as_str(), span.as_str()), ("Bearer abc", "a span"), "{name}");
            assert!(service.contains(name), "{service}");
        }
        running.stop().await;
    }
}

/// `docs/security-requirements.md#t1`
#[tokio::test]
async fn spans_are_not_sent_to_a_collector_with_a_certificate_of_another_authority() {
    let (running, received) = collector(Some(&Authority::new())).await;
    let another = Authority::new();
    let [over_grpc, over_http] = settings(&running, Some(&another));
    tokio::join!(send(&over_grpc), send(&over_http));
    assert!(received.summary().is_empty());
    running.stop().await;
}

/// Sends metrics and logs, each to the collector of the settings.
async fn send_others(tracing: &Tracing) -> [Result<(), SendError>; 2] {
    let client = |signal| SignalClient::of(tracing, signal).expect("settings").expect("a collector");
    let metrics = client(Signal::Metrics).send_metrics(ExportMetricsServiceRequest::default()).await;
    let logs = client(Signal::Logs).send_logs(ExportLogsServiceRequest::default()).await;
    if let Ok(partial) = &logs {
        let partial = partial.as_ref().expect("one was rejected");
        assert_eq!((partial.rejected, partial.problem.as_str()), (1, "too old"));
    }
    [metrics.map(drop), logs.map(drop)]
}

#[tokio::test]
async fn metrics_and_logs_arrive_over_grpc_and_http_in_plain_text_and_by_tls() {
    let authority = Authority::new();
    for authority in [None, Some(&authority)] {
        let (running, received) = collector(authority).await;
        let metrics = ("Bearer abc".to_owned(), Other::Metrics(ExportMetricsServiceRequest::default()));
        let logs = ("Bearer abc".to_owned(), Other::Logs(ExportLogsServiceRequest::default()));
        for tracing in settings(&running, authority) {
            assert_eq!(send_others(&tracing).await, [Ok(()), Ok(())], "{tracing:?}");
            assert_eq!(received.1.take(), [metrics.clone(), logs.clone()], "{tracing:?}");
        }
        running.stop().await;
    }
}

/// `docs/security-requirements.md#t1`
#[tokio::test]
async fn metrics_and_logs_are_not_sent_to_a_collector_with_a_certificate_of_another_authority() {
    let (running, received) = collector(Some(&Authority::new())).await;
    let another = Authority::new();
    for tracing in settings(&running, Some(&another)) {
        for sent in send_others(&tracing).await {
            assert!(matches!(sent, Err(SendError::Away(_))), "{sent:?}");
        }
    }
    assert!(received.1.take().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn collector_that_knows_no_logs_is_away_and_not_refusing() {
    let http = Router::new().route("/v1/metrics", post(|| async { http::StatusCode::BAD_REQUEST }));
    let app = App { http: Some(http.into()), ..App::default() };
    let running = Sections::default().serve(app, &context()).await.expect("starts");
    let port = running.http.expect("is served").port();
    let (protocol, otlp_endpoint) = ("http/protobuf".to_owned(), format!("http://localhost:{port}"));
    let tracing = Tracing { metrics: true, audit_log: true, protocol, otlp_endpoint, ..Tracing::default() };
    let [metrics, logs] = send_others(&tracing).await;
    assert!(matches!(metrics, Err(SendError::Refused(_))), "{metrics:?}");
    assert!(matches!(logs, Err(SendError::Away(_))), "{logs:?}");
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_where_jaegers_thrift_is_spoken() {
    let tracing = Tracing { collector: "http://jaeger:14268/api/traces".into(), ..Tracing::default() };
    assert!(provider("echo", &tracing).expect("settings").is_none());
    let missing = Tracing { cacert: Some("/nonexistent/ca.pem".into()), ..Tracing::default() };
    let problem = provider("echo", &missing).expect_err("no such file").to_string();
    assert!(problem.starts_with(CACERT), "{problem}");
}

#[tokio::test]
async fn attributes_are_those_of_the_settings() {
    let tracing = Tracing { resource_attributes: "service.name=a,region=eu%2Cwest".into(), ..Tracing::default() };
    let value = |resource: &Resource, key: &'static str| resource.get(&key.into()).map(|value| value.to_string());
    let of_attributes = resource("echo", &tracing).expect("pairs");
    assert_eq!(value(&of_attributes, "service.name").as_deref(), Some("a"));
    assert_eq!(value(&of_attributes, "region").as_deref(), Some("eu,west"));
    let named = resource("echo", &Tracing { service_name: "b".into(), ..tracing }).expect("pairs");
    assert_eq!(value(&named, "service.name").as_deref(), Some("b"));
}
