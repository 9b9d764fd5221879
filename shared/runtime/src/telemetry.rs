//! Logs and traces of the process.

mod log_file;

use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

use http::HeaderMap;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use config::{Log, Tracing};
use log_file::LogFile;

/// The target of audit events, which are logged whatever the level.
const AUDIT: &str = "audit";
/// The target of panics, of which the same is true.
const PANIC: &str = "panic";
/// Libraries whose business is not ours; of these only what is worth a warning is logged, unless everything is.
const LIBRARIES: [&str; 9] = [
    "h2",
    "hyper",
    "hyper_util",
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry-otlp",
    "rustls",
    "tonic",
    "tower",
];
const DEFAULT_COLLECTOR: &str = "http://127.0.0.1:4317";

/// Set once spans are exported from this process.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();
/// Set once the process logs into a file.
static LOG_FILE: OnceLock<LogFile> = OnceLock::new();

/// Why telemetry cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log file cannot be written.
    #[error("OCIS_LOG_FILE: cannot write {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address that spans are to be sent to is none.
    #[error("OCIS_TRACING_ENDPOINT or OCIS_TRACING_COLLECTOR: {0}")]
    Exporter(String),
}

impl TelemetryError {
    /// What kind of failure it is.
    pub fn kind(&self) -> status::Kind {
        match self {
            Self::File { .. } | Self::Exporter(_) => status::Kind::FailedPrecondition,
        }
    }
}

/// Begins logging, and exporting spans if that is enabled, for the whole process. What comes second is left out: where
/// several services share a process, its own configuration decides. Needs a tokio runtime.
pub fn init(service: &str, log: &Log, tracing: &Tracing) -> Result<(), TelemetryError> {
    let exporter = tracing.enabled.then(|| exporter(tracing)).transpose()?;
    let provider = exporter.map(|exporter| {
        let resource = Resource::builder().with_service_name(service.to_owned()).build();
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()
    });
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("doorward")).with_filter(exported())
    });
    let file = log
        .file
        .as_deref()
        .map(|file| LogFile::open(file).map_err(|source| TelemetryError::File { file: file.to_owned(), source }));
    let file = file.transpose()?;
    let lines = Registry::default().with(lines(log, file.clone()).with_filter(logged(&log.level)));
    // a layer of nothing would have every event ask anew whether it is wanted
    let begun = match spans {
        Some(spans) => tracing::subscriber::set_global_default(lines.with(spans)),
        None => tracing::subscriber::set_global_default(lines),
    };
    if begun.is_err() {
        return Ok(());
    }
    if let Some(file) = file {
        let _ = LOG_FILE.set(file);
    }
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    if let Some(provider) = provider {
        opentelemetry::global::set_tracer_provider(provider.clone());
        let _ = PROVIDER.set(provider);
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Opens the log file again, for programs that rotate it: they rename it and send SIGHUP.
pub(crate) fn reopen_log_file() {
    let Some(file) = LOG_FILE.get() else { return };
    if let Err(error) = file.reopen() {
        tracing::error!(%error, file = %file.path().display(), "OCIS_LOG_FILE cannot be opened again; the open file is kept");
    }
}

/// Sends the spans that are still waiting. Takes as long as the collector does, at most a few seconds.
pub(crate) async fn flush() {
    let Some(provider) = PROVIDER.get() else { return };
    let flushed = tokio::task::spawn_blocking(|| provider.shutdown()).await;
    if let Ok(Err(problem)) = flushed {
        tracing::warn!(%problem, "the last spans could not be sent");
    }
}

/// Whether spans are exported from this process.
pub(crate) fn is_exporting() -> bool {
    PROVIDER.get().is_some()
}

/// Makes the span a part of the trace that the request belongs to (W3C Trace Context), if it does to one.
pub(crate) fn continue_trace(span: &Span, headers: &HeaderMap) {
    let parent = opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&Headers(headers)));
    // fails when no subscriber records the span; there is then no trace to continue
    let _ = span.set_parent(parent);
}

/// Gives a span that has begun another name; its field `otel.name` is what logs show.
pub(crate) fn rename(span: &Span, name: &str) {
    if span.is_disabled() {
        return;
    }
    span.record("otel.name", name);
    // the field names an exported span only until it begins
    span.context().span().update_name(name.to_owned());
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Log lines: JSON, or for people.
fn lines<S>(log: &Log, file: Option<LogFile>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let writer = file.map_or_else(|| BoxMakeWriter::new(io::stderr), BoxMakeWriter::new);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(log.color);
    if log.pretty || log.color { layer.boxed() } else { layer.json().flatten_event(true).with_span_list(false).boxed() }
}

/// What is logged at a level; empty is `error`, as operators of oCIS expect. Below `error` there is only silence.
fn logged(level: &str) -> Targets {
    let level = match level {
        "panic" | "fatal" => LevelFilter::OFF,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => LevelFilter::ERROR,
    };
    let libraries = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    Targets::new()
        .with_default(level)
        .with_targets(LIBRARIES.map(|library| (library, libraries)))
        .with_target(AUDIT, level.max(LevelFilter::INFO))
        .with_target(PANIC, level.max(LevelFilter::ERROR))
}

/// Which spans are exported: ours. The exporter's own would never end.
fn exported() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(LIBRARIES.map(|library| (library, LevelFilter::OFF)))
        .with_target(AUDIT, LevelFilter::OFF)
}

fn exporter(tracing: &Tracing) -> Result<SpanExporter, TelemetryError> {
    let endpoint = collector(tracing)?;
    let built = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build();
    built.map_err(|problem| TelemetryError::Exporter(problem.to_string()))
}

/// Where OTLP goes: the endpoint, else the collector's host, else this machine. Of a URL the path is dropped: that of
/// Jaeger's older protocol (`/api/traces`) means nothing to OTLP.
fn collector(tracing: &Tracing) -> Result<String, TelemetryError> {
    let given = [&tracing.endpoint, &tracing.collector].into_iter().find(|given| !given.is_empty());
    let Some(given) = given else { return Ok(DEFAULT_COLLECTOR.into()) };
    let is_url = given.starts_with("http://") || given.starts_with("https://");
    let url = if is_url { given.clone() } else { format!("http://{given}") };
    let refused = || TelemetryError::Exporter(format!("{given:?} is no address; write host:port"));
    let uri: http::Uri = url.parse().map_err(|_| refused())?;
    if uri.scheme_str() == Some("https") {
        let text = format!("{given:?}: spans are sent in plain text; write http:// or host:port");
        return Err(TelemetryError::Exporter(text));
    }
    let authority = uri.authority().ok_or_else(refused)?;
    Ok(format!("http://{authority}"))
}

/// One line in the log instead of several on the error stream.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no text");
    tracing::error!(target: PANIC, location, "{message}");
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn audit_events_are_always_logged() {
        for level in ["", "panic", "fatal", "error", "warn", "info", "debug", "trace"] {
            assert!(logged(level).would_enable(AUDIT, &Level::INFO), "{level}");
        }
        assert!(!logged("").would_enable("gateway", &Level::WARN));
        assert!(logged("").would_enable("gateway", &Level::ERROR));
        assert!(!logged("fatal").would_enable("gateway", &Level::ERROR));
        assert!(!logged("debug").would_enable("h2", &Level::DEBUG));
        assert!(logged("trace").would_enable("h2", &Level::TRACE));
    }

    #[test]
    fn spans_go_to_the_endpoint_first() {
        let to = |endpoint: &str, collector_url: &str| {
            let (endpoint, collector_url) = (endpoint.into(), collector_url.into());
            collector(&Tracing { enabled: true, kind: String::new(), endpoint, collector: collector_url }).ok()
        };
        assert_eq!(to("", "").as_deref(), Some(DEFAULT_COLLECTOR));
        assert_eq!(to("otel:4317", "http://x:1/").as_deref(), Some("http://otel:4317"));
        assert_eq!(to("", "http://jaeger:14268/api/traces").as_deref(), Some("http://jaeger:14268"));
        assert_eq!(to("https://otel:4317", ""), None);
        assert_eq!(to("a b", ""), None);
    }
}
