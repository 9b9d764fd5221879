//! Logs and traces of the process, its audit log, and sending its metrics.

mod audit;
mod export;
mod log_file;
mod recent_spans;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{TraceContextExt, TraceId, TracerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::access_log::{self, LoggedRequests};
use crate::tls::TlsError;
use crate::{Clock, Context, Metrics};
use audit::{AuditFile, AuditStream};
use config::{Invalid, Log, Tracing};
use export::MetricsExporter;
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
/// Set once the process logs into files.
static LOG_FILES: OnceLock<Vec<OpenFile>> = OnceLock::new();
/// Set once the audit log has destinations besides the log.
static AUDIT_STREAM: OnceLock<AuditStream> = OnceLock::new();
/// Set once metrics are sent.
static METRICS_EXPORTER: OnceLock<MetricsExporter> = OnceLock::new();
/// How long metrics may take to be sent when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// The mode of the log file, less the process's mask.
const LOG_MODE: u32 = 0o666;
/// The variables that name files.
const LOG_VARIABLE: &str = "OCIS_LOG_FILE";
const AUDIT_VARIABLE: &str = "OCIS_AUDIT_LOG_FILE";

/// A layer of the process's subscriber.
type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// A file that lines are appended to, and how it is opened again.
struct OpenFile {
    /// The variable that names it.
    variable: &'static str,
    path: PathBuf,
    reopen: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
}

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
    /// A setting of the audit log cannot be used.
    #[error("log.audit.{0}")]
    Audit(Invalid),
    /// The authorities of an https collector or of a syslog server cannot be read.
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
            Self::Setting(_) | Self::Audit(_) => status::Kind::InvalidArgument,
            Self::Tls(problem) => problem.kind(),
        }
    }
}

/// What a process logs, and what becomes of its spans.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// What is logged.
    pub log: &'a Log,
    /// Where spans, metrics and the audit log are sent.
    pub tracing: &'a Tracing,
    /// Whether spans are kept for the debug pages.
    pub keeps_spans: bool,
}

/// Begins logging, and sending and keeping spans, metrics and audit events if that is enabled, for the whole process. What comes
/// second is left out: where several services share a process, its own configuration decides. Needs a tokio runtime.
pub fn init(service: &str, settings: Settings<'_>) -> Result<(), TelemetryError> {
    let Settings { log, tracing, keeps_spans } = settings;
    let provider = if tracing.enabled { export::provider(service, tracing)? } else { None };
    let metrics = MetricsExporter::of(service, tracing, Clock::system())?;
    let file = open(LOG_VARIABLE, log.file.as_deref(), |file| LogFile::open(file, LOG_MODE))?;
    let audit_file = open(AUDIT_VARIABLE, log.audit_file.as_deref(), |file| AuditFile::open(file, &log.audit))?;
    let files = opened(file.as_ref(), audit_file.as_ref());
    let (audit, deliveries) = AuditStream::open(service, log, tracing, audit_file)?.unzip();
    let is_complete = audit.as_ref().is_some_and(AuditStream::is_complete);
    let requests = LoggedRequests::of(log);
    let mut layers = vec![lines(log, file).with_filter(logged(&log.level, is_complete, requests)).boxed()];
    // a layer of nothing would have every event ask anew whether it is wanted
    layers.extend(audit.clone().map(audit_lines));
    layers.extend(provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("doorward")).with_filter(exported()).boxed()
    }));
    let spans = keeps_spans.then(RecentSpans::default);
    let keeping = |spans: &RecentSpans| RecentSpansLayer::new(spans.clone(), Clock::system());
    layers.extend(spans.as_ref().map(|spans| keeping(spans).with_filter(exported()).boxed()));
    if tracing::subscriber::set_global_default(Registry::default().with(layers)).is_err() {
        return Ok(());
    }
    let _ = LOG_FILES.set(files);
    requests.begin();
    if let Some(audit) = audit {
        let _ = AUDIT_STREAM.set(audit);
    }
    deliveries.into_iter().flatten().for_each(|delivery| drop(tokio::spawn(delivery)));
    if let Some(metrics) = metrics {
        tokio::spawn(metrics.clone().run());
        let _ = METRICS_EXPORTER.set(metrics);
    }
    if let Some(spans) = spans {
        let _ = RECENT_SPANS.set(spans);
    }
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    if let Some(provider) = provider {
        opentelemetry::global::set_tracer_provider(provider.clone());
        let _ = PROVIDER.set(provider);
    }
    let (on_stderr, is_in_a_file) = (std::panic::take_hook(), log.file.is_some());
    std::panic::set_hook(Box::new(move |panic| {
        log_panic(panic);
        // who waits for the process need not know the file, as a test that fails
        if is_in_a_file {
            on_stderr(panic);
        }
    }));
    Ok(())
}

fn open<F>(
    variable: &'static str,
    file: Option<&Path>,
    open: impl FnOnce(&Path) -> io::Result<F>,
) -> Result<Option<F>, TelemetryError> {
    let failed = |file: &Path, source| TelemetryError::File { variable, file: file.to_owned(), source };
    file.map(|file| open(file).map_err(|source| failed(file, source))).transpose()
}

/// The files that are open, to be opened again.
fn opened(file: Option<&LogFile>, audit_file: Option<&AuditFile>) -> Vec<OpenFile> {
    let log = file.cloned().map(|file| OpenFile {
        variable: LOG_VARIABLE,
        path: file.path().to_owned(),
        reopen: Box::new(move || file.reopen()),
    });
    let audit = audit_file.cloned().map(|file| OpenFile {
        variable: AUDIT_VARIABLE,
        path: file.path().to_owned(),
        reopen: Box::new(move || file.reopen()),
    });
    log.into_iter().chain(audit).collect()
}

/// Opens the log files again, for programs that rotate them: they rename them and send SIGHUP.
pub(crate) fn reopen_log_files() {
    LOG_FILES.get().into_iter().flatten().for_each(OpenFile::reopen);
}

impl OpenFile {
    fn reopen(&self) {
        let Self { variable, path, reopen } = self;
        if let Err(error) = reopen() {
            tracing::error!(%error, file = %path.display(), "{variable} cannot be opened again; the open file is kept");
        }
    }
}

/// Adds the authorities of the collector and of the syslog server to the certificates that are in use.
pub(crate) fn add_certificates(log: &Log, tracing: &Tracing, context: &Context) {
    let (collector, syslog) = (tracing.cacert.as_deref(), log.audit.syslog_cacert.as_deref());
    for (setting, file) in [(export::CACERT, collector), (audit::SYSLOG_CACERT, syslog)] {
        if let Some(file) = file {
            context.certificates.add_authorities(setting, file, context);
        }
    }
}

/// Registers what is counted here with the metrics of a service, and sends these metrics if that is enabled.
pub(crate) fn measure(service: &'static str, metrics: &Metrics) {
    if let Some(audit) = AUDIT_STREAM.get() {
        audit.measure(metrics);
    }
    if let Some(exporter) = METRICS_EXPORTER.get() {
        exporter.add(service, metrics);
    }
}

/// Sends the spans, audit events and metrics that are still waiting. Takes as long as their destinations do, at most a few
/// seconds.
pub(crate) async fn flush() {
    tokio::join!(flush_spans(), flush_metrics(), flush_audit_events());
}

async fn flush_spans() {
    let Some(provider) = PROVIDER.get() else { return };
    let flushed = tokio::task::spawn_blocking(|| provider.shutdown()).await;
    if let Ok(Err(problem)) = flushed {
        tracing::warn!(%problem, "the last spans could not be sent");
    }
}

async fn flush_metrics() {
    let Some(exporter) = METRICS_EXPORTER.get() else { return };
    let sent = tokio::time::timeout(FLUSH_TIMEOUT, exporter.send()).await;
    if let Err(problem) = sent.unwrap_or_else(|_| Err("the collector does not answer".to_owned())) {
        tracing::warn!(problem, "the last metrics could not be sent");
    }
}

async fn flush_audit_events() {
    if let Some(audit) = AUDIT_STREAM.get() {
        audit.flush().await;
    }
}

/// Whether spans are exported from this process.
pub(crate) fn is_exporting() -> bool {
    PROVIDER.get().is_some()
}

/// The trace that a span belongs to, where spans are exported.
pub(crate) fn trace_id(span: &Span) -> Option<String> {
    if !is_exporting() {
        return None;
    }
    let context = span.context();
    let id = context.span().span_context().trace_id();
    (id != TraceId::INVALID).then(|| id.to_string())
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

/// The lines of the audit log, for its destinations besides the log.
fn audit_lines(stream: AuditStream) -> BoxedLayer {
    let only = Targets::new().with_target(AUDIT, LevelFilter::INFO);
    let layer = tracing_subscriber::fmt::layer().with_writer(stream).with_ansi(false);
    layer.json().flatten_event(true).with_span_list(false).with_filter(only).boxed()
}

/// What is logged at a level; empty is `error`, as operators of oCIS expect. Below `error` there is only silence. Audit events
/// are left out if a destination of their own has all of them.
fn logged(level: &str, has_audit_log: bool, requests: LoggedRequests) -> Targets {
    let level = match level {
        "panic" | "fatal" => LevelFilter::OFF,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => LevelFilter::ERROR,
    };
    let access = if requests == LoggedRequests::None { LevelFilter::OFF } else { LevelFilter::INFO };
    let libraries = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    Targets::new()
        .with_default(level)
        .with_targets(LIBRARIES.map(|library| (library, libraries)))
        .with_target(STEP, LevelFilter::OFF)
        .with_target(AUDIT, if has_audit_log { LevelFilter::OFF } else { level.max(LevelFilter::INFO) })
        .with_target(access_log::TARGET, access)
        .with_target(PANIC, level.max(LevelFilter::ERROR))
}

/// Which spans are exported: ours. The exporter's own would never end.
fn exported() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(LIBRARIES.map(|library| (library, LevelFilter::OFF)))
        .with_target(AUDIT, LevelFilter::OFF)
        .with_target(access_log::TARGET, LevelFilter::OFF)
}

/// One line in the log instead of several on the error stream.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no text");
    tracing::error!(target: PANIC, location, "{message}");
}
