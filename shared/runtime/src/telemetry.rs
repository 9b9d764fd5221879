//! Logs and traces of the process.

mod export;
mod log_file;
mod recent_spans;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use http::HeaderMap;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::Clock;
use crate::tls::TlsError;
use config::{Invalid, Log, Tracing};
use log_file::LogFile;
use recent_spans::RecentSpansLayer;
pub(crate) use recent_spans::{EndedSpan, NamedSpans, RecentSpans};

/// The target of audit events, which are logged whatever the level.
const AUDIT: &str = "audit";
/// The target of spans within that of a request, as those of statements. They are exported and kept; a log line names the request.
pub const STEP: &str = "step";
/// The target of panics, which are logged whatever the level too.
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

/// Set once spans are exported from this process.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();
/// Set once spans are kept for the debug pages.
static RECENT_SPANS: OnceLock<RecentSpans> = OnceLock::new();
/// Set once the process logs into files: the variables that name them, and the files.
static LOG_FILES: OnceLock<Vec<(&'static str, LogFile)>> = OnceLock::new();
/// The variables that name files.
const LOG_VARIABLE: &str = "OCIS_LOG_FILE";
const AUDIT_VARIABLE: &str = "OCIS_AUDIT_LOG_FILE";

/// A layer of the process's subscriber.
type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Why telemetry cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log file cannot be written.
    #[error("{variable}: cannot write {}: {source}", file.display())]
    File {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting of the section `tracing` cannot be used.
    #[error("tracing.{0}")]
    Setting(#[from] Invalid),
    /// The authorities of an https collector cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nothing can be sent to the collector.
    #[error("spans cannot be sent to the collector: {0}")]
    Exporter(String),
}

impl TelemetryError {
    /// What kind of failure it is.
    pub fn kind(&self) -> status::Kind {
        match self {
            Self::File { .. } | Self::Exporter(_) => status::Kind::FailedPrecondition,
            Self::Setting(_) => status::Kind::InvalidArgument,
            Self::Tls(problem) => problem.kind(),
        }
    }
}

/// What a process logs, and what becomes of its spans.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// What is logged.
    pub log: &'a Log,
    /// Where spans are sent.
    pub tracing: &'a Tracing,
    /// Whether spans are kept for the debug pages.
    pub keeps_spans: bool,
}

/// Begins logging, and exporting and keeping spans if that is enabled, for the whole process. What comes second is left out:
/// where several services share a process, its own configuration decides. Needs a tokio runtime.
pub fn init(service: &str, settings: Settings<'_>) -> Result<(), TelemetryError> {
    let Settings { log, tracing, keeps_spans } = settings;
    let provider = if tracing.enabled { export::provider(service, tracing)? } else { None };
    let file = open(LOG_VARIABLE, log.file.as_deref())?;
    let audit_file = open(AUDIT_VARIABLE, log.audit_file.as_deref())?;
    let mut layers = vec![lines(log, file.clone()).with_filter(logged(&log.level, audit_file.is_some())).boxed()];
    // a layer of nothing would have every event ask anew whether it is wanted
    layers.extend(audit_file.clone().map(audit_lines));
    layers.extend(provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("doorward")).with_filter(exported()).boxed()
    }));
    let spans = keeps_spans.then(RecentSpans::default);
    let keeping = |spans: &RecentSpans| RecentSpansLayer::new(spans.clone(), Clock::system());
    layers.extend(spans.as_ref().map(|spans| keeping(spans).with_filter(exported()).boxed()));
    if tracing::subscriber::set_global_default(Registry::default().with(layers)).is_err() {
        return Ok(());
    }
    let files = [(LOG_VARIABLE, file), (AUDIT_VARIABLE, audit_file)];
    let _ = LOG_FILES.set(files.into_iter().filter_map(|(variable, file)| Some((variable, file?))).collect());
    if let Some(spans) = spans {
        let _ = RECENT_SPANS.set(spans);
    }
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    if let Some(provider) = provider {
        opentelemetry::global::set_tracer_provider(provider.clone());
        let _ = PROVIDER.set(provider);
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn open(variable: &'static str, file: Option<&Path>) -> Result<Option<LogFile>, TelemetryError> {
    let failed = |file: &Path, source| TelemetryError::File { variable, file: file.to_owned(), source };
    // the audit log names users and their addresses
    let mode = if variable == AUDIT_VARIABLE { 0o640 } else { 0o666 };
    file.map(|file| LogFile::open(file, mode).map_err(|source| failed(file, source))).transpose()
}

/// Opens the log files again, for programs that rotate them: they rename them and send SIGHUP.
pub(crate) fn reopen_log_file() {
    for (variable, file) in LOG_FILES.get().into_iter().flatten() {
        if let Err(error) = file.reopen() {
            tracing::error!(%error, file = %file.path().display(), "{variable} cannot be opened again; the open file is kept");
        }
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

/// The spans that are kept for the debug pages, if any are.
pub(crate) fn recent_spans() -> Option<RecentSpans> {
    RECENT_SPANS.get().cloned()
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

/// Log lines: JSON, or readable where that is configured and on a terminal.
fn lines(log: &Log, file: Option<LogFile>) -> BoxedLayer {
    let is_terminal = file.is_none() && io::stderr().is_terminal();
    let writer = file.map_or_else(|| BoxMakeWriter::new(io::stderr), BoxMakeWriter::new);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(log.color || is_terminal);
    if log.pretty || log.color || is_terminal {
        layer.boxed()
    } else {
        layer.json().flatten_event(true).with_span_list(false).boxed()
    }
}

/// The lines of the audit log, in a file of their own.
fn audit_lines(file: LogFile) -> BoxedLayer {
    let only = Targets::new().with_target(AUDIT, LevelFilter::INFO);
    let layer = tracing_subscriber::fmt::layer().with_writer(BoxMakeWriter::new(file)).with_ansi(false);
    layer.json().flatten_event(true).with_span_list(false).with_filter(only).boxed()
}

/// What is logged at a level; empty is `error`, as operators of oCIS expect. Below `error` there is only silence. Audit events
/// are left out if they have a file of their own.
fn logged(level: &str, has_audit_file: bool) -> Targets {
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
        .with_target(STEP, LevelFilter::OFF)
        .with_target(AUDIT, if has_audit_file { LevelFilter::OFF } else { level.max(LevelFilter::INFO) })
        .with_target(PANIC, level.max(LevelFilter::ERROR))
}

/// Which spans are exported: ours. The exporter's own would never end.
fn exported() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(LIBRARIES.map(|library| (library, LevelFilter::OFF)))
        .with_target(AUDIT, LevelFilter::OFF)
}

/// One line in the log instead of several on the error stream.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no text");
    tracing::error!(target: PANIC, location, "{message}");
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tracing::Level;

    use super::*;

    #[test]
    fn audit_events_are_always_logged() {
        for level in ["", "panic", "fatal", "error", "warn", "info", "debug", "trace"] {
            assert!(logged(level, false).would_enable(AUDIT, &Level::INFO), "{level}");
            assert!(!logged(level, true).would_enable(AUDIT, &Level::ERROR), "{level}");
        }
        assert!(!logged("", false).would_enable("gateway", &Level::WARN));
        assert!(logged("", false).would_enable("gateway", &Level::ERROR));
        assert!(!logged("fatal", false).would_enable("gateway", &Level::ERROR));
        assert!(!logged("debug", false).would_enable("h2", &Level::DEBUG));
        assert!(logged("trace", false).would_enable("h2", &Level::TRACE));
    }

    #[test]
    fn log_lines_name_the_request_whatever_step_they_are_in() {
        assert!(
            exported().would_enable(STEP, &Level::INFO) && !logged("trace", false).would_enable(STEP, &Level::INFO)
        );
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let file = open(LOG_VARIABLE, Some(&log)).expect("opens");
        let registry =
            Registry::default().with(vec![lines(&Log::default(), file).with_filter(logged("info", false)).boxed()]);
        tracing::subscriber::with_default(registry, || {
            tracing::info_span!("request", request_id = "id-1").in_scope(|| {
                tracing::info_span!(target: STEP, "statement", rows = 3).in_scope(|| tracing::info!("inside"));
            });
        });
        let line = std::fs::read_to_string(&log).expect("reads");
        assert!(line.contains("inside") && line.contains("id-1") && !line.contains("rows"), "{line}");
    }

    #[test]
    fn audit_events_go_to_their_own_file_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, audit) = (folder.path().join("log"), folder.path().join("audit.log"));
        let file = open(LOG_VARIABLE, Some(&log)).expect("opens");
        let audit_file = open(AUDIT_VARIABLE, Some(&audit)).expect("opens").expect("is a file");
        let lines = lines(&Log::default(), file).with_filter(logged("info", true)).boxed();
        let registry = Registry::default().with(vec![lines, audit_lines(audit_file)]);
        tracing::subscriber::with_default(registry, || {
            tracing::info!(target: "audit", event = "authenticate", "audited");
            tracing::info!(target: "gateway", "logged");
        });
        let read = |file: &Path| std::fs::read_to_string(file).expect("reads");
        assert!(read(&audit).contains("\"event\":\"authenticate\"") && !read(&audit).contains("logged"));
        assert!(read(&log).contains("logged") && !read(&log).contains("audited"));
        let mode = std::fs::metadata(&audit).expect("is there").permissions().mode();
        assert_eq!(mode & 0o007, 0, "other accounts cannot read it");
        let problem = open(AUDIT_VARIABLE, Some(folder.path())).expect_err("a folder is no file").to_string();
        assert!(problem.starts_with("OCIS_AUDIT_LOG_FILE: cannot write"), "{problem}");
    }
}
