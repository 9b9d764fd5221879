//! What the load tool prints.

use std::io::{self, Write};

use authn::BoxError;
use hdrhistogram::Histogram;

use crate::{load::Measured, spent::Cost};

/// A line of the table: what was measured under one name, round by round.
#[derive(Default)]
pub(crate) struct Series {
    name: String,
    rates: Vec<f64>,
    latency: Option<Histogram<u64>>,
    failures: u64,
    cost: Cost,
    behind: Cost,
}

impl Series {
    /// Nothing yet, under this name.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a round.
    pub(crate) fn add(&mut self, measured: Measured) -> Result<(), BoxError> {
        self.rates.push(measured.rate());
        self.failures += measured.failures;
        self.cost += measured.cost;
        self.behind += measured.behind;
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

    #[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    fn calls(&self) -> f64 {
        self.latency.as_ref().map_or(0, Histogram::len) as f64
    }

    /// CPU time of the server for one call, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> f64 {
        self.cost.cpu_ms / self.calls().max(1.0)
    }

    /// The same for the servers behind it.
    pub(crate) fn cpu_ms_behind(&self) -> f64 {
        self.behind.cpu_ms / self.calls().max(1.0)
    }

    /// Calls that failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }

    /// How long so many percent of the calls took at most, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of calls are far below 2^52")]
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        self.latency.as_ref().map_or(0, |latency| latency.value_at_percentile(percent)) as f64 / 1000.0
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of reads are far below 2^52")]
    fn file_reads(&self) -> f64 {
        self.cost.file_reads as f64 / self.calls().max(1.0)
    }
}

/// The middle one; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// So many KiB, in MiB.
#[expect(clippy::cast_precision_loss, reason = "the KiB of a process or a file are far below 2^52")]
pub(crate) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Prints one line of text.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints one line where it is no part of the result.
pub(crate) fn note(text: &str) {
    // Nothing can be done when even this cannot be printed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a table; its first row is the echo, to which the others are compared.
pub(crate) fn table(title: &str, floor: &Series, rows: &[&Series]) -> io::Result<()> {
    line(&format!("\n{title}\n"))?;
    line(
        "| call | req/s | of the echo | p50 ms | p99 ms | server CPU ms a request | file reads a request | failures |",
    )?;
    line("|---|---:|---:|---:|---:|---:|---:|---:|")?;
    std::iter::once(&floor).chain(rows).try_for_each(|series| row(series, floor.rate()))
}

fn row(series: &Series, floor: f64) -> io::Result<()> {
    if series.latency.is_none() {
        return Ok(());
    }
    line(&format!(
        "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.4} | {:.3} | {} |",
        series.name,
        series.rate(),
        series.rate() / floor,
        series.percentile_ms(50.0),
        series.percentile_ms(99.0),
        series.cpu_ms(),
        series.file_reads(),
        series.failures,
    ))
}

/// Prints how far rows are apart that should be equal: by their medians, round by round, and by their CPU time.
pub(crate) fn spread(what: &str, rows: &[&Series]) -> io::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let rates: Vec<_> = rows.iter().map(|series| series.rate()).collect();
    let by_round: Vec<_> = rows.iter().map(|series| median(&ratios(&series.rates, &first.rates))).collect();
    let cpu: Vec<_> = rows.iter().map(|series| series.cpu_ms()).collect();
    line(&format!("\n{what}, as ratios to the first of these rows:"))?;
    line(&format!("- medians of req/s {}", apart(&rates)))?;
    line(&format!("- req/s, the median of the ratios within a round {}", apart(&by_round)))?;
    line(&format!("- server CPU ms a request {}", apart(&cpu)))
}

fn ratios(values: &[f64], to: &[f64]) -> Vec<f64> {
    values.iter().zip(to).map(|(value, to)| value / to).collect()
}

fn apart(values: &[f64]) -> String {
    let first = values.first().copied().unwrap_or_default();
    let shown: Vec<_> = values.iter().map(|value| format!("{:.3}", value / first)).collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{}: {:.1} % apart", shown.join(" : "), (most / least - 1.0) * 100.0)
}

/// Prints why there is no result.
pub(crate) fn failure(error: &(dyn std::error::Error + Send + Sync)) {
    let causes = std::iter::successors(error.source(), |error| error.source()).map(|error| format!(": {error}"));
    note(&format!("bench: {error}{}", causes.collect::<String>()));
}
