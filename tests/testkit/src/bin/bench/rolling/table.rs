//! What a scenario has shown.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report;

/// The longest latency that is distinguished, in microseconds.
const LONGEST: u64 = 120_000_000;
/// How many failures of a kind of request are printed.
const SHOWN: usize = 5;

/// The requests of one kind.
pub(super) struct Outcome {
    name: &'static str,
    /// In microseconds.
    latency: Histogram<u64>,
    failed: u64,
    /// The first failures, with the time since the begin of the load.
    failures: Vec<(Duration, String)>,
}

impl Outcome {
    /// None yet.
    pub(super) fn new(name: &'static str) -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self { name, latency: Histogram::new_with_max(LONGEST, 3)?, failed: 0, failures: Vec::new() })
    }

    /// Adds a request that began at this time after the begin of the load.
    pub(super) fn add(&mut self, at: Duration, took: Duration, failure: Option<String>) {
        self.latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if let Some(failure) = failure {
            self.failed += 1;
            if self.failures.len() < SHOWN {
                self.failures.push((at, failure));
            }
        }
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed
    }
}

/// Prints the head of the table.
pub(super) fn head() -> io::Result<()> {
    report::line("| scenario | request | sent | failed | p50 ms | p99 ms | longest ms |")?;
    report::line("|---|---|---:|---:|---:|---:|---:|")
}

/// Prints a row for each kind of request, and what failed.
#[expect(clippy::cast_precision_loss, reason = "microseconds of requests are far below 2^52")]
pub(super) fn rows(scenario: &str, outcomes: &[Outcome]) -> io::Result<()> {
    for Outcome { name, latency, failed, .. } in outcomes {
        let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
        report::line(&format!(
            "| {scenario} | {name} | {} | {failed} | {:.1} | {:.1} | {:.1} |",
            latency.len(),
            milliseconds(latency.value_at_quantile(0.5)),
            milliseconds(latency.value_at_quantile(0.99)),
            milliseconds(latency.max()),
        ))?;
    }
    for Outcome { name, failures, .. } in outcomes {
        for (at, failure) in failures {
            report::note(&format!("{scenario}, {name}, after {:.1} s: {failure}", at.as_secs_f64()));
        }
    }
    Ok(())
}
