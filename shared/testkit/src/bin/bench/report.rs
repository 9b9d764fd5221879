//! What the load tool prints.

use std::io::{self, Write};

use crate::load::Measured;

/// A line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) measured: Measured,
    /// CPU time of the server while it was measured, in milliseconds.
    pub(crate) cpu_ms: f64,
}

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    fn cpu_ms_a_request(&self) -> f64 {
        self.cpu_ms / self.measured.latency.len().max(1) as f64
    }
}

/// Prints one line of text.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints the head of the table.
pub(crate) fn head(callers: usize) -> io::Result<()> {
    line(&format!("{callers} callers\n"))?;
    line("| call | req/s | of the echo | p50 ms | p99 ms | server CPU ms a request | failures |")?;
    line("|---|---:|---:|---:|---:|---:|---:|")
}

/// Prints a row; `floor` is the echo's rate.
pub(crate) fn row(row: &Row, floor: Option<f64>) -> io::Result<()> {
    let ratio = floor.map_or_else(|| "1.00".to_owned(), |floor| format!("{:.2}", row.measured.rate() / floor));
    line(&format!(
        "| {} | {:.0} | {ratio} | {:.2} | {:.2} | {:.3} | {} |",
        row.name,
        row.measured.rate(),
        milliseconds(row, 50.0),
        milliseconds(row, 99.0),
        row.cpu_ms_a_request(),
        row.measured.failures,
    ))
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a call are far below 2^52")]
fn milliseconds(row: &Row, percentile: f64) -> f64 {
    row.measured.latency.value_at_percentile(percentile) as f64 / 1000.0
}

/// Prints why there is no result.
pub(crate) fn failure(error: &(dyn std::error::Error + Send + Sync)) {
    let causes = std::iter::successors(error.source(), |error| error.source()).map(|error| format!(": {error}"));
    let text = format!("bench: {error}{}", causes.collect::<String>());
    // Nothing can be done when even this cannot be printed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
