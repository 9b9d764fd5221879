//! What a scenario has shown.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::failure::Failure;
use crate::report;

/// The longest latency that is distinguished, in microseconds.
const LONGEST: u64 = 120_000_000;

/// The requests of one kind.
pub(super) struct Outcome {
    name: &'static str,
    /// In microseconds.
    latency: Histogram<u64>,
    failures: Vec<Failure>,
}

impl Outcome {
    /// None yet.
    pub(super) fn new(name: &'static str) -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self { name, latency: Histogram::new_with_max(LONGEST, 3)?, failures: Vec::new() })
    }

    /// Adds a request.
    pub(super) fn add(&mut self, took: Duration, failure: Option<Failure>) {
        self.latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.failures.extend(failure);
    }

    /// What the requests are called.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Those that failed.
    pub(super) fn failures(&self) -> &[Failure] {
        &self.failures
    }
}

/// Prints the head of the table.
pub(super) fn head() -> io::Result<()> {
    report::line("| scenario | request | sent | failed | p50 ms | p99 ms | longest ms |")?;
    report::line("|---|---|---:|---:|---:|---:|---:|")
}

/// Prints a row for each kind of request.
#[expect(clippy::cast_precision_loss, reason = "microseconds of requests are far below 2^52")]
pub(super) fn rows(scenario: &str, outcomes: &[Outcome]) -> io::Result<()> {
    for Outcome { name, latency, failures } in outcomes {
        let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
        report::line(&format!(
            "| {scenario} | {name} | {} | {} | {:.1} | {:.1} | {:.1} |",
            latency.len(),
            failures.len(),
            milliseconds(latency.value_at_quantile(0.5)),
            milliseconds(latency.value_at_quantile(0.99)),
            milliseconds(latency.max()),
        ))?;
    }
    Ok(())
}
