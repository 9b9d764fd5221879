//! What is printed.

use std::{io, time::Duration};

use authn::BoxError;

use super::{
    Arguments,
    measure::{Bench, Row},
    signature::Cost,
    work::Work,
};
use crate::{report, server::Server};

/// The most that idp may use of the peer's CPU time.
const SHARE: f64 = 0.2;
/// The most that an RS256 token may cost, in signatures.
const SIGNATURES: f64 = 1.3;
/// The most memory of an idle idp, in MiB.
const IDLE: f64 = 25.0;
/// The longest time until idp is ready, in milliseconds.
const READY: f64 = 200.0;
const RS256: Work = Work::ClientCredentials("bench-rs256", Some("RS256"));

/// How long idp takes from its start to the first answer.
pub(super) struct Ready {
    /// The first start, which makes keys and the database.
    pub(super) first: Duration,
    /// The median of those that follow, in milliseconds.
    pub(super) again: f64,
}

/// The memory of a process, in MiB.
pub(super) struct Idle {
    most: f64,
    now: f64,
    own: f64,
}

impl Idle {
    /// What it has now.
    #[expect(clippy::cast_precision_loss, reason = "the memory of a machine is far below 2^52 KiB")]
    pub(super) fn of(server: &Server) -> Result<Self, BoxError> {
        let [most, now, own] = server.memory_kib()?.map(|kib| kib as f64 / 1024.0);
        Ok(Self { most, now, own })
    }
}

/// Prints how long both took to start.
pub(super) fn ready(ours: &Ready, peer: Duration) -> io::Result<()> {
    report::line(&format!(
        "ready (start to the first 200 of discovery): idp {:.0} ms again, {:.0} ms the first time; peer {:.0} ms; target: \
         {READY} ms again, {}",
        ours.again,
        ours.first.as_secs_f64() * 1000.0,
        peer.as_secs_f64() * 1000.0,
        verdict(ours.again <= READY),
    ))
}

/// Prints the memory before any load.
pub(super) fn idle(at_once: &[Idle; 2], later: &[Idle; 2], seconds: u64) -> io::Result<()> {
    let [ours, peer] = [0, 1].map(|side| {
        let Idle { now, own, .. } = &later[side];
        format!("{:.1} MiB at once, {now:.1} MiB after {seconds} s ({own:.1} of it not of files)", at_once[side].now)
    });
    report::line(&format!(
        "idle memory: idp {ours}; peer {peer}; target: {IDLE} MiB, {}",
        verdict(later[0].now <= IDLE)
    ))
}

/// Prints the memory after the load.
pub(super) fn loaded(after: &[Idle; 2]) -> io::Result<()> {
    let [ours, peer] = [0, 1].map(|side| format!("{:.1} MiB, {:.1} MiB at most", after[side].now, after[side].most));
    report::line(&format!("\nmemory after the load: idp {ours}; peer {peer}"))
}

/// Prints what the rounds measured, and answers how many calls failed.
pub(super) fn print(arguments: &Arguments, bench: &Bench<'_>) -> io::Result<u64> {
    let Arguments { callers, rounds, milliseconds, .. } = arguments;
    report::line(&format!("\n{callers} callers with a connection each, {rounds} rounds of {milliseconds} ms\n"))?;
    report::line(
        "| work | requests | idp CPU ms a request | peer CPU ms a request | idp to peer | idp req/s | peer req/s | \
         idp p50 / p99 ms | peer p50 / p99 ms | failures |",
    )?;
    report::line("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    bench.rows().iter().try_for_each(row)?;
    bench.rows().iter().filter(|row| row.work.requests() > 1).try_for_each(whole)?;
    let cost = bench.signature();
    signature(&cost, bench.rows())?;
    targets(bench.rows())?;
    Ok(bench.rows().iter().flat_map(|row| &row.series).map(report::Series::failures).sum())
}

fn ratio(row: &Row) -> f64 {
    let [ours, peer] = &row.series;
    ours.cpu_ms() / peer.cpu_ms()
}

fn row(row: &Row) -> io::Result<()> {
    let [ours, peer] = &row.series;
    let requests = f64::from(row.work.requests());
    report::line(&format!(
        "| {} | {requests} | {:.4} | {:.4} | {:.3} | {:.0} | {:.0} | {:.2} / {:.2} | {:.2} / {:.2} | {} + {} |",
        row.work.name(),
        ours.cpu_ms() / requests,
        peer.cpu_ms() / requests,
        ratio(row),
        ours.rate() * requests,
        peer.rate() * requests,
        ours.percentile_ms(50.0),
        ours.percentile_ms(99.0),
        peer.percentile_ms(50.0),
        peer.percentile_ms(99.0),
        ours.failures(),
        peer.failures(),
    ))
}

fn whole(row: &Row) -> io::Result<()> {
    let [ours, peer] = &row.series;
    report::line(&format!(
        "\n{} as a whole (the latencies above are of this): idp {:.3} ms of CPU, and {:.3} ms of users and auth-basic \
         behind it, {:.0} a second; peer {:.3} ms, {:.0} a second",
        row.work.name(),
        ours.cpu_ms(),
        ours.cpu_ms_behind(),
        ours.rate(),
        peer.cpu_ms(),
        peer.rate(),
    ))
}

fn signature(cost: &Cost, rows: &[Row]) -> io::Result<()> {
    let Some(row) = rows.iter().find(|row| row.work == RS256) else { return Ok(()) };
    let request = row.series[0].cpu_ms();
    let compared = |name: &str, signature: f64| {
        format!("- {name}: {signature:.3} ms; a request is {:.2} of it, {}", request / signature, {
            verdict(request <= SIGNATURES * signature)
        })
    };
    report::line(&format!(
        "\none RSA-2048 signature, to which a request for an RS256 token ({request:.3} ms) compares:"
    ))?;
    match (cost.alone, cost.together) {
        (Some(alone), Some(together)) => {
            report::line(&compared("openssl speed on one core", alone))?;
            report::line(&compared("openssl speed on every core, as both are busy under load", together))?;
        }
        _ => report::line("- the program openssl is not there")?,
    }
    report::line(&compared("the library that idp uses, on every core", cost.library))
}

/// RS256 has a target of its own: most of it is the signature, which costs both the same.
fn targets(rows: &[Row]) -> io::Result<()> {
    let counted: Vec<_> = rows.iter().filter(|row| row.work != RS256).collect();
    let missed: Vec<_> = counted.iter().filter(|row| ratio(row) > SHARE).map(|row| row.work.name()).collect();
    let (met, all) = (counted.len() - missed.len(), counted.len());
    let missed = if missed.is_empty() { String::new() } else { format!("; missed by: {}", missed.join("; ")) };
    report::line(&format!("\nat most {SHARE} of the peer's CPU (RS256 apart): {met} of {all} rows{missed}"))
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}
