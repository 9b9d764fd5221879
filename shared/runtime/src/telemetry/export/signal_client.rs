//! Sending metrics and logs to a collector by the messages of OTLP.

use std::error::Error;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use opentelemetry_http::HttpClient;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::http_client::CollectorClient;
use super::{TelemetryError, channel, connector};
use config::{OtlpProtocol, Signal, Tracing};

/// The type of a body of messages.
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// A client of the collector of one signal.
#[derive(Debug)]
pub(in crate::telemetry) struct SignalClient(Transport);

#[derive(Debug)]
enum Transport {
    Grpc { channel: Channel, metadata: MetadataMap },
    Http { client: Box<CollectorClient>, url: Uri },
}

/// Why something was not sent.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::telemetry) enum SendError {
    /// The collector will never take it.
    Refused(String),
    /// It may take it later.
    Away(String),
}

/// What a collector did not take of something that it took.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::telemetry) struct PartialSuccess {
    pub(in crate::telemetry) rejected: usize,
    pub(in crate::telemetry) problem: String,
}

type Sent = Result<Option<PartialSuccess>, SendError>;

impl SignalClient {
    /// The client for a signal; `None` where it is not sent, or no collector is configured whose protocol is spoken. Needs a
    /// tokio runtime.
    pub(in crate::telemetry) fn of(tracing: &Tracing, signal: Signal) -> Result<Option<Self>, TelemetryError> {
        if !tracing.is_sent(signal) {
            return Ok(None);
        }
        let Some(collector) = tracing.collector(signal)? else { return Ok(None) };
        let connector = connector(tracing, collector.protocol)?;
        let headers = tracing.header_map()?;
        Ok(Some(Self(match collector.protocol {
            OtlpProtocol::Grpc => Transport::Grpc {
                channel: channel(&collector, connector),
                metadata: MetadataMap::from_headers(headers),
            },
            OtlpProtocol::Http => {
                Transport::Http { client: Box::new(CollectorClient::new(connector, headers)), url: collector.url }
            }
        })))
    }

    /// Sends metrics.
    pub(in crate::telemetry) async fn send_metrics(&self, metrics: ExportMetricsServiceRequest) -> Sent {
        let response = match &self.0 {
            Transport::Grpc { channel, metadata } => {
                let mut client = MetricsServiceClient::new(channel.clone());
                let sent = client.export(with(metadata, metrics)).await;
                sent.map_err(|status| of_grpc(&status))?.into_inner()
            }
            Transport::Http { client, url } => post::<ExportMetricsServiceResponse>(client, url, &metrics).await?,
        };
        Ok(response.partial_success.and_then(|it| partial(it.rejected_data_points, it.error_message)))
    }

    /// Sends logs.
    pub(in crate::telemetry) async fn send_logs(&self, logs: ExportLogsServiceRequest) -> Sent {
        let response = match &self.0 {
            Transport::Grpc { channel, metadata } => {
                let mut client = LogsServiceClient::new(channel.clone());
                let sent = client.export(with(metadata, logs)).await;
                sent.map_err(|status| of_grpc(&status))?.into_inner()
            }
            Transport::Http { client, url } => post::<ExportLogsServiceResponse>(client, url, &logs).await?,
        };
        Ok(response.partial_success.and_then(|it| partial(it.rejected_log_records, it.error_message)))
    }
}

fn with<T>(metadata: &MetadataMap, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().clone_from(metadata);
    request
}

fn partial(rejected: i64, problem: String) -> Option<PartialSuccess> {
    let rejected = usize::try_from(rejected).unwrap_or_default();
    (rejected > 0 || !problem.is_empty()).then_some(PartialSuccess { rejected, problem })
}

/// A collector refuses what is malformed. What it may not take for now, or from this client, waits until an operator has mended it.
fn of_grpc(status: &Status) -> SendError {
    let problem = format!("{:?}: {}", status.code(), status.message());
    // a broken connection has the code of an internal error too, and is the source of its status
    let is_answer = status.source().is_none();
    match status.code() {
        Code::InvalidArgument | Code::Internal | Code::FailedPrecondition if is_answer => SendError::Refused(problem),
        _ => SendError::Away(problem),
    }
}

fn of_http(status: StatusCode) -> SendError {
    let problem = format!("the collector answers {status}");
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => SendError::Refused(problem),
        _ => SendError::Away(problem),
    }
}

async fn post<R: Message + Default>(
    client: &CollectorClient,
    url: &Uri,
    message: &impl Message,
) -> Result<R, SendError> {
    let mut request = Request::new(Bytes::from(message.encode_to_vec()));
    *request.method_mut() = Method::POST;
    request.uri_mut().clone_from(url);
    request.headers_mut().insert(header::CONTENT_TYPE, PROTOBUF);
    let response = client.send_bytes(request).await.map_err(|error| SendError::Away(error.to_string()))?;
    if !response.status().is_success() {
        return Err(of_http(response.status()));
    }
    // the collector has taken it, whatever it says of that
    Ok(R::decode(response.into_body()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn broken_connection_is_no_refusal() {
        assert_eq!(of_grpc(&Status::internal("damaged")), SendError::Refused("Internal: damaged".to_owned()));
        let mut broken = Status::internal("reset");
        broken.set_source(Arc::new(io::Error::other("reset")));
        assert_eq!(of_grpc(&broken), SendError::Away("Internal: reset".to_owned()));
    }
}
