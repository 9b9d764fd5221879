//! Lines of the audit log as logs of OpenTelemetry.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::Value as Json;

use super::delivery::{Delivered, Destination};
use super::{Line, TelemetryError};
use crate::telemetry::export::{SendError, SignalClient, nanoseconds, resource_of_messages, scope};
use config::Tracing;

/// The fields of a line that a record has a place for.
const PLACED: [&str; 2] = ["timestamp", "level"];

/// A collector of logs.
pub(super) struct OtlpLogs {
    client: SignalClient,
    resource: Resource,
}

impl OtlpLogs {
    pub(super) fn new(client: SignalClient, service: &str, tracing: &Tracing) -> Result<Self, TelemetryError> {
        Ok(Self { client, resource: resource_of_messages(service, tracing)? })
    }

    fn request(&self, lines: &[Line]) -> ExportLogsServiceRequest {
        let scope = scope("audit");
        let records = lines.iter().map(record).collect();
        let logs = ScopeLogs { scope: Some(scope), log_records: records, schema_url: String::new() };
        let resource = Some(self.resource.clone());
        let resource_logs = vec![ResourceLogs { resource, scope_logs: vec![logs], schema_url: String::new() }];
        ExportLogsServiceRequest { resource_logs }
    }
}

impl Destination for OtlpLogs {
    async fn deliver(&mut self, lines: &[Line]) -> Delivered {
        match self.client.send_logs(self.request(lines)).await {
            Ok(None) => Delivered { done: lines.len(), ..Delivered::default() },
            Ok(Some(partial)) => {
                Delivered { done: lines.len(), refused: partial.rejected, problem: Some(partial.problem) }
            }
            Err(SendError::Refused(problem)) => {
                Delivered { done: lines.len(), refused: lines.len(), problem: Some(problem) }
            }
            Err(SendError::Away(problem)) => Delivered { done: 0, refused: 0, problem: Some(problem) },
        }
    }
}

/// The record of a line: its body is the line, its attributes are the fields of the line.
fn record(line: &Line) -> LogRecord {
    let fields = match serde_json::from_slice(line.object()) {
        Ok(Json::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let text = |field: &str| fields.get(field).and_then(Json::as_str).unwrap_or_default();
    let (severity_text, event_name) = (text("level").to_owned(), text("event").to_owned());
    let trace_id = bytes_of_hex(text("trace_id")).unwrap_or_default();
    let at = nanoseconds(line.at);
    let body = Value::StringValue(String::from_utf8_lossy(line.object()).into_owned());
    LogRecord {
        time_unix_nano: at,
        observed_time_unix_nano: at,
        severity_number: severity(&severity_text).into(),
        severity_text,
        body: Some(AnyValue { value: Some(body) }),
        trace_id,
        event_name,
        attributes: fields.into_iter().filter(|(key, _)| !PLACED.contains(&key.as_str())).map(attribute).collect(),
        ..LogRecord::default()
    }
}

fn severity(level: &str) -> SeverityNumber {
    match level {
        "ERROR" => SeverityNumber::Error,
        "WARN" => SeverityNumber::Warn,
        "DEBUG" => SeverityNumber::Debug,
        "TRACE" => SeverityNumber::Trace,
        _ => SeverityNumber::Info,
    }
}

fn attribute((key, value): (String, Json)) -> KeyValue {
    KeyValue { key, value: Some(any(value)), key_strindex: 0 }
}

fn any(value: Json) -> AnyValue {
    let value = match value {
        Json::Null => None,
        Json::Bool(value) => Some(Value::BoolValue(value)),
        Json::Number(number) => Some(
            number.as_i64().map_or_else(|| Value::DoubleValue(number.as_f64().unwrap_or_default()), Value::IntValue),
        ),
        Json::String(text) => Some(Value::StringValue(text)),
        Json::Array(values) => Some(Value::ArrayValue(ArrayValue { values: values.into_iter().map(any).collect() })),
        Json::Object(fields) => {
            Some(Value::KvlistValue(KeyValueList { values: fields.into_iter().map(attribute).collect() }))
        }
    };
    AnyValue { value }
}

/// The sixteen bytes of a trace's identifier; a request that belongs to no trace has another one.
fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let is_id = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten().filter(|number| *number != 0)?;
    Some(number.to_be_bytes().into())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn record_has_the_line_and_its_fields() {
        let json = r#"{"timestamp":"2026-11-29T21:00:00Z","level":"WARN","event":"sign_in","count":3,"again":true,"trace_id":"0af7651916cd43dd8448eb211c80319c","span":{"name":"request"}}"#;
        let at = UNIX_EPOCH + Duration::from_nanos(1_764_450_000_000_000_001);
        let record = record(&Line { at, json: format!("{json}\n").into() });
        assert_eq!(record.time_unix_nano, 1_764_450_000_000_000_001);
        assert_eq!((record.severity_number(), record.event_name.as_str()), (SeverityNumber::Warn, "sign_in"));
        assert_eq!(record.trace_id[..3], [0x0a, 0xf7, 0x65]);
        let body = record.body.expect("a body").value;
        assert_eq!(body, Some(Value::StringValue(json.into())));
        let value = |key: &str| {
            let attribute = record.attributes.iter().find(|attribute| attribute.key == key).cloned();
            attribute.and_then(|attribute| attribute.value?.value)
        };
        assert_eq!(value("count"), Some(Value::IntValue(3)));
        assert_eq!(value("again"), Some(Value::BoolValue(true)));
        assert!(matches!(value("span"), Some(Value::KvlistValue(_))));
        assert_eq!((value("level"), value("timestamp")), (None, None), "the record has places for them");
    }

    #[test]
    fn identifier_of_a_request_is_none_of_a_trace() {
        for text in ["", "id-1", "00000000000000000000000000000000", "+af7651916cd43dd8448eb211c80319c"] {
            assert_eq!(bytes_of_hex(text), None, "{text}");
        }
    }
}
