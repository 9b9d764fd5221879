//! Sending spans, metrics and logs to a collector: OTLP over gRPC and over HTTP, in plain text and by TLS.

mod http_client;
mod metrics;
mod signal_client;

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::uri::{Parts, Scheme};
use http::{HeaderMap, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt;

use super::TelemetryError;
use crate::tls;
use config::{Collector, Invalid, OtlpProtocol, Sampling, Signal, Tracing};
use http_client::CollectorClient;
pub(super) use metrics::MetricsExporter;
pub(super) use signal_client::{SendError, SignalClient};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what is sent may take to be accepted.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The setting of the authorities of an https collector.
pub(super) const CACERT: &str = "OCIS_TRACING_CACERT";

type Connector = HttpsConnector<HttpConnector>;

/// What records spans and sends them; `None` where no collector is configured whose protocol is spoken.
pub(super) fn provider(service: &str, tracing: &Tracing) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let Some(collector) = tracing.collector(Signal::Traces)? else { return Ok(None) };
    let connector = connector(tracing, collector.protocol)?;
    let headers = tracing.header_map()?;
    let exporter = match collector.protocol {
        OtlpProtocol::Grpc => over_grpc(&collector, connector, headers),
        OtlpProtocol::Http => over_http(&collector, connector, headers),
    };
    let exporter = exporter.map_err(|problem| TelemetryError::Exporter(problem.to_string()))?;
    let builder = SdkTracerProvider::builder().with_batch_exporter(exporter);
    let builder = builder.with_resource(resource(service, tracing)?).with_sampler(sampler(tracing.sampling()?));
    Ok(Some(builder.build()))
}

fn connector(tracing: &Tracing, protocol: OtlpProtocol) -> Result<Connector, TelemetryError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = tls::https_rereading(CACERT, tracing.cacert.as_deref())?;
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    Ok(match protocol {
        OtlpProtocol::Grpc => builder.enable_http2().wrap_connector(tcp),
        OtlpProtocol::Http => builder.enable_http1().wrap_connector(tcp),
    })
}

fn over_grpc(
    collector: &Collector,
    connector: Connector,
    headers: HeaderMap,
) -> Result<SpanExporter, ExporterBuildError> {
    let channel = channel(collector, connector);
    let builder = SpanExporter::builder().with_tonic().with_channel(channel).with_timeout(TIMEOUT);
    builder.with_metadata(MetadataMap::from_headers(headers)).build()
}

/// Connects when something is sent first, and again when the connection has ended.
fn channel(collector: &Collector, connector: Connector) -> Channel {
    let url = collector.url.clone();
    let endpoint = Endpoint::from(in_plain_text(&url)).origin(url.clone());
    // the connector limits TCP only, and not what TLS takes
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT);
    endpoint.connect_with_connector_lazy(connector.map_request(move |_: Uri| url.clone()))
}

/// The same URL for tonic, which must not see https: TLS is the connector's business.
fn in_plain_text(url: &Uri) -> Uri {
    let mut parts = Parts::from(url.clone());
    parts.scheme = Some(Scheme::HTTP);
    Uri::from_parts(parts).unwrap_or_else(|_| url.clone())
}

fn over_http(
    collector: &Collector,
    connector: Connector,
    headers: HeaderMap,
) -> Result<SpanExporter, ExporterBuildError> {
    let client = CollectorClient::new(connector, headers);
    let builder = SpanExporter::builder().with_http().with_http_client(client).with_timeout(TIMEOUT);
    builder.with_protocol(Protocol::HttpBinary).with_endpoint(collector.url.to_string()).build()
}

/// What all spans, metrics and logs of this process have in common.
fn resource(service: &str, tracing: &Tracing) -> Result<Resource, Invalid> {
    let attributes = tracing.attributes()?.into_iter().map(|(name, value)| KeyValue::new(name, value));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_service_name(service.to_owned()).with_attribute(version);
    let builder = builder.with_attributes(attributes);
    // it goes before an attribute of that name
    let builder = match tracing.service_name.as_str() {
        "" => builder,
        name => builder.with_service_name(name.to_owned()),
    };
    Ok(builder.build())
}

/// The same as a message.
pub(super) fn resource_of_messages(service: &str, tracing: &Tracing) -> Result<ResourceMessage, Invalid> {
    let attributes = ResourceAttributesWithSchema::from(&resource(service, tracing)?).attributes.0;
    Ok(ResourceMessage { attributes, ..ResourceMessage::default() })
}

/// The part of this program that metrics or logs are from.
pub(super) fn scope(name: &str) -> InstrumentationScope {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    InstrumentationScope { name: name.to_owned(), version, ..InstrumentationScope::default() }
}

/// The nanoseconds from 1970 to this moment.
pub(super) fn nanoseconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().try_into().unwrap_or(u64::MAX)
}

fn sampler(Sampling { is_parent_based, ratio }: Sampling) -> Sampler {
    let root = Sampler::TraceIdRatioBased(ratio);
    if is_parent_based { Sampler::ParentBased(Box::new(root)) } else { root }
}
