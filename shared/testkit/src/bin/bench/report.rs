//! What the load tool prints.

use std::io::{self, Write};

use authn::BoxError;
use hdrhistogram::Histogram;

use crate::load::Measured;

/// A line of the table: what was measured under one name, round by round.
#[derive(Default)]
pub(crate) struct Series {
    rates: Vec<f64>,
    latency: Option<Histogram<u64>>,
    failures: u64,
    cpu_ms: f64,
}

impl Series {
    /// Adds a round; `cpu_ms` is the CPU time of the server in it.
    pub(crate) fn add(&mut self, measured: Measured, cpu_ms: f64) -> Result<(), BoxError> {
        self.rates.push(measured.rate());
        self.failures += measured.failures;
        self.cpu_ms += cpu_ms;
        match &mut self.latency {
            Some(latency) => latency.add(measured.latency)?,
            none => *none = Some(measured.latency),
        }
        Ok(())
    }

    /// The median of the rounds, in calls a second.
    pub(crate) fn rate(&self) -> f64 {
        median(&self.rates)
    }
}

/// The middle one; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Prints one line of text.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints the head of the table.
pub(crate) fn head(callers: usize, rounds: usize) -> io::Result<()> {
    line(&format!("{callers} callers, the median of {rounds} rounds\n"))?;
    line("| call | req/s | of the echo | p50 ms | p99 ms | server CPU ms a request | failures |")?;
    line("|---|---:|---:|---:|---:|---:|---:|")
}

/// Prints a row; `floor` is the echo's rate.
#[expect(clippy::cast_precision_loss, reason = "counts and microseconds of calls are far below 2^52")]
pub(crate) fn row(name: &str, series: &Series, floor: f64) -> io::Result<()> {
    let Some(latency) = &series.latency else { return Ok(()) };
    let milliseconds = |percentile| latency.value_at_percentile(percentile) as f64 / 1000.0;
    line(&format!(
        "| {name} | {:.0} | {:.2} | {:.2} | {:.2} | {:.3} | {} |",
        series.rate(),
        series.rate() / floor,
        milliseconds(50.0),
        milliseconds(99.0),
        series.cpu_ms / latency.len().max(1) as f64,
        series.failures,
    ))
}

/// Prints why there is no result.
pub(crate) fn failure(error: &(dyn std::error::Error + Send + Sync)) {
    let causes = std::iter::successors(error.source(), |error| error.source()).map(|error| format!(": {error}"));
    let text = format!("bench: {error}{}", causes.collect::<String>());
    // Nothing can be done when even this cannot be printed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
