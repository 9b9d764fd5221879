//! What is measured of a database: its statements, and the wait for a connection.

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use runtime::Metrics;
use sea_orm::{DbBackend, DbErr};
use tracing::{Instrument, Span};

use crate::statement::{self, OPERATIONS};

tokio::task_local! {
    /// Set while a connection may have to be waited for.
    static WAIT: Wait;
}

/// A wait for a connection.
struct Wait {
    begin: Instant,
    waits: Histogram,
}

/// To be called by a pool when it hands out a connection.
pub(crate) fn acquired() {
    // a connection that no statement waits for is not counted
    let _ = WAIT.try_with(|wait| wait.waits.observe(wait.begin.elapsed().as_secs_f64()));
}

/// What is measured. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Measures(Arc<Histograms>);

#[derive(Debug)]
struct Histograms {
    /// In the order of [`OPERATIONS`].
    statements: [Histogram; OPERATIONS.len()],
    waits: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

impl Default for Measures {
    /// Measures that are shown nowhere.
    fn default() -> Self {
        Self(Arc::new(Histograms { statements: OPERATIONS.map(|_| histogram()), waits: histogram() }))
    }
}

impl Measures {
    /// Those that these metrics show.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let statements = metrics.histogram(
            "doorward_database_statement_duration_seconds",
            "How long statements took, by operation, with the wait for a connection",
            Family::<OperationLabels, Histogram, fn() -> Histogram>::new_with_constructor(
                histogram as fn() -> Histogram,
            ),
        );
        let waits = metrics.histogram(
            "doorward_database_pool_wait_seconds",
            "How long statements and transactions waited for a connection, also in vain",
            histogram(),
        );
        let of = |operation| statements.get_or_create_owned(&OperationLabels { operation });
        Self(Arc::new(Histograms { statements: OPERATIONS.map(of), waits }))
    }

    /// A statement that begins.
    pub(crate) fn begin(&self, backend: DbBackend, sql: &str) -> Run<'_> {
        let operation = statement::operation(sql);
        let known = OPERATIONS.iter().zip(&self.0.statements).find(|(known, _)| **known == operation);
        let duration = known.map_or(&self.0.waits, |(_, duration)| duration);
        Run { span: statement::span(backend, sql), duration, begin: Instant::now() }
    }

    /// Does work that first waits for a connection.
    pub(crate) async fn waiting<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let begin = Instant::now();
        let result = WAIT.scope(Wait { begin, waits: self.0.waits.clone() }, work).await;
        if matches!(result, Err(DbErr::ConnectionAcquire(_))) {
            self.0.waits.observe(begin.elapsed().as_secs_f64());
        }
        result
    }
}

/// A statement that has begun.
pub(crate) struct Run<'a> {
    span: Span,
    duration: &'a Histogram,
    begin: Instant,
}

impl Run<'_> {
    /// Runs it, in a span of its own.
    pub(crate) async fn of<T>(self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let result = work.instrument(self.span.clone()).await;
        self.duration.observe(self.begin.elapsed().as_secs_f64());
        if result.is_err() {
            self.span.record("otel.status_code", "error");
        }
        result
    }
}

/// From 0.1 ms, a row of a cached page, to 2.5 s, longer than a call may take.
fn histogram() -> Histogram {
    Histogram::new([0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5])
}
