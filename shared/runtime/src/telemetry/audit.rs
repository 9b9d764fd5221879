//! The stream of audit events: each is formatted once, as one line of JSON, and every destination gets that line.
//!
//! A file and the standard output take a line at once. Syslog and a collector take it from a queue, so that no request waits for
//! them: a line that finds the queue full is lost there, which is counted and logged.

mod delivery;
mod file;
mod otlp;
mod syslog;

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::time::{sleep, timeout};
use tracing_subscriber::fmt::MakeWriter;

use super::TelemetryError;
use super::export::SignalClient;
use crate::{Clock, Metrics};
use config::{Log, Signal, Tracing};
use delivery::Queue;
pub(super) use file::AuditFile;
use otlp::OtlpLogs;
pub(super) use syslog::CACERT as SYSLOG_CACERT;
use syslog::Syslog;

/// How often what was lost is logged.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// How long waiting lines may take to be delivered when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// An audit event.
#[derive(Clone, Debug)]
struct Line {
    at: SystemTime,
    /// One JSON object, and the end of the line.
    json: Bytes,
}

impl Line {
    /// The JSON object.
    fn object(&self) -> &[u8] {
        self.json.trim_ascii_end()
    }
}

/// The destinations of audit events. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct AuditStream(Arc<Destinations>);

#[derive(Debug)]
pub(super) struct Destinations {
    clock: Clock,
    file: Option<(AuditFile, Arc<Losses>)>,
    stdout: Option<Arc<Losses>>,
    queues: Vec<Queue>,
}

/// What has to run for lines to be delivered.
pub(super) type Deliveries = Vec<BoxFuture<'static, ()>>;

impl AuditStream {
    /// The destinations that the settings name, if there are any besides the log.
    pub(super) fn open(
        service: &str,
        log: &Log,
        tracing: &Tracing,
        file: Option<AuditFile>,
    ) -> Result<Option<(Self, Deliveries)>, TelemetryError> {
        let (mut queues, mut deliveries): (Vec<_>, Deliveries) = (Vec::new(), Vec::new());
        if let Some(syslog) = Syslog::of(service, &log.audit)? {
            let (queue, delivery) = Queue::to("syslog", syslog);
            queues.push(queue);
            deliveries.push(delivery.boxed());
        }
        if let Some(client) = SignalClient::of(tracing, Signal::Logs)? {
            let (queue, delivery) = Queue::to("otlp", OtlpLogs::new(client, service, tracing)?);
            queues.push(queue);
            deliveries.push(delivery.boxed());
        }
        let stdout = log.audit.stdout.then(|| Losses::of("stdout"));
        if file.is_none() && stdout.is_none() && queues.is_empty() {
            return Ok(None);
        }
        let file = file.map(|file| (file, Losses::of("file")));
        let stream = Self(Arc::new(Destinations { clock: Clock::system(), file, stdout, queues }));
        deliveries.push(stream.clone().report_losses().boxed());
        Ok(Some((stream, deliveries)))
    }

    /// Whether one of the destinations has every line at once, so that the log need not have it.
    pub(super) fn is_complete(&self) -> bool {
        self.0.file.is_some() || self.0.stdout.is_some()
    }

    /// Registers how many lines were lost.
    #[expect(clippy::cast_precision_loss, reason = "a count of more than 2^53 is not reached")]
    pub(super) fn measure(&self, metrics: &Metrics) {
        for losses in self.0.losses() {
            let (labels, losses) = (vec![("destination", losses.destination.to_owned())], Arc::clone(losses));
            metrics.counter_of(
                "doorward_audit_log_lines_lost",
                "Lines of the audit log that one of its destinations did not get; the log or another destination has them",
                labels,
                move || Some(losses.lost.load(Ordering::Relaxed) as f64),
            );
        }
    }

    /// Waits until the lines that are waiting are delivered, a few seconds at most, and logs what is lost.
    pub(super) async fn flush(&self) {
        let all = join_all(self.0.queues.iter().map(Queue::flush));
        if timeout(FLUSH_TIMEOUT, all).await.is_err() {
            self.0.queues.iter().for_each(Queue::lose_waiting);
        }
        self.0.losses().for_each(|losses| losses.report());
    }

    async fn report_losses(self) {
        loop {
            sleep(REPORT_INTERVAL).await;
            self.0.losses().for_each(|losses| losses.report());
        }
    }
}

impl Destinations {
    fn losses(&self) -> impl Iterator<Item = &Arc<Losses>> {
        let file = self.file.as_ref().map(|(_, losses)| losses);
        file.into_iter().chain(&self.stdout).chain(self.queues.iter().map(Queue::losses))
    }

    fn take(&self, json: &[u8]) {
        let now = self.clock.now();
        if let Some((file, losses)) = &self.file {
            let written = file.append(json, now);
            // with a file, the log does not have the line; where this fails too, nothing else is left
            if written.is_err() && self.stdout.is_none() {
                let _ = io::stderr().lock().write_all(json);
            }
            losses.note(written);
        }
        if let Some(losses) = &self.stdout {
            losses.note(io::stdout().lock().write_all(json).map(|()| None));
        }
        if !self.queues.is_empty() {
            let line = Line { at: now, json: Bytes::copy_from_slice(json) };
            self.queues.iter().for_each(|queue| queue.push(line.clone()));
        }
    }
}

/// What formats events writes each of them by one call.
impl Write for &Destinations {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.take(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for AuditStream {
    type Writer = &'a Destinations;

    fn make_writer(&'a self) -> &'a Destinations {
        &self.0
    }
}

/// The lines that a destination did not get. They cannot be logged where an event is being logged.
#[derive(Debug)]
struct Losses {
    destination: &'static str,
    lost: AtomicU64,
    unreported: Mutex<Unreported>,
}

#[derive(Debug, Default)]
struct Unreported {
    /// How many lines were lost when that was logged last.
    logged: u64,
    problem: Option<String>,
}

impl Losses {
    fn of(destination: &'static str) -> Arc<Self> {
        Arc::new(Self { destination, lost: AtomicU64::new(0), unreported: Mutex::default() })
    }

    fn add(&self, lines: usize) {
        self.lost.fetch_add(lines.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Remembers why lines are lost, or wait.
    fn explain(&self, problem: String) {
        self.unreported.lock().unwrap_or_else(PoisonError::into_inner).problem = Some(problem);
    }

    /// Counts a line that was not written; one that was written may have a problem that is to be logged.
    fn note(&self, written: io::Result<Option<String>>) {
        match written {
            Ok(None) => {}
            Ok(Some(problem)) => self.explain(problem),
            Err(error) => {
                self.add(1);
                self.explain(error.to_string());
            }
        }
    }

    /// Logs what was lost and what went wrong since this was asked last.
    fn report(&self) {
        let (problem, lines) = {
            let mut unreported = self.unreported.lock().unwrap_or_else(PoisonError::into_inner);
            let lost = self.lost.load(Ordering::Relaxed);
            (unreported.problem.take(), lost - std::mem::replace(&mut unreported.logged, lost))
        };
        let (destination, problem) = (self.destination, problem.as_deref());
        if lines > 0 {
            tracing::error!(
                destination,
                lines,
                problem,
                "lines of the audit log were lost on the way to a destination"
            );
        } else if problem.is_some() {
            tracing::warn!(
                destination,
                problem,
                "a destination of the audit log has a problem; its lines wait or are written late"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_lines_are_counted_and_logged_once() {
        let losses = Losses::of("file");
        losses.note(Ok(None));
        losses.note(Err(io::Error::other("disk full")));
        let metrics = Metrics::default();
        let destinations =
            Destinations { clock: Clock::system(), file: None, stdout: Some(Arc::clone(&losses)), queues: Vec::new() };
        AuditStream(Arc::new(destinations)).measure(&metrics);
        let line = "doorward_audit_log_lines_lost_total{destination=\"file\"} 1";
        assert!(metrics.render().contains(line), "{}", metrics.render());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let file = std::fs::File::create(&path).expect("is made");
        let subscriber = tracing_subscriber::fmt().json().with_writer(Mutex::new(file)).finish();
        tracing::subscriber::with_default(subscriber, || {
            losses.report();
            losses.report();
        });
        let logged = std::fs::read_to_string(&path).expect("reads");
        assert_eq!(logged.lines().count(), 1, "{logged}");
        assert!(logged.contains("\"lines\":1") && logged.contains("disk full"), "{logged}");
    }
}
