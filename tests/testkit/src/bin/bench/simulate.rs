//! A region on paper: how soon every replica knows a revocation, and what the replicas ask of the database, by the size of their
//! caches. Nothing is started; the tables follow from the model, whose times and sizes are arguments. [`check`] compares the model with
//! a small real run.

pub(crate) mod check;
mod outbox;
mod traffic;

use std::num::NonZeroU32;

use authn::BoxError;
use hdrhistogram::Histogram;

use self::outbox::Outbox;
use self::traffic::Traffic;
use crate::report;

/// The region, and what is asked of it. The defaults are measurements of this machine class, and the figures that
/// `docs/scale.md` begins with.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Replicas of auth-app.
    #[arg(long, default_value = "24")]
    nodes: NonZeroU32,
    /// Calls in a second, at all replicas together.
    #[arg(long, default_value_t = 350_000)]
    rate: u32,
    /// App tokens in the database.
    #[arg(long, default_value_t = 100_000_000)]
    tokens: u64,
    /// App tokens that are in use.
    #[arg(long, default_value_t = 10_000_000)]
    active: u64,
    /// How unequally they are used: the exponent of Zipf's law, 0 for equally.
    #[arg(long, default_value_t = 0.9)]
    skew: f64,
    /// Memory for the tokens that a replica has read, in MiB; a row for each.
    #[arg(long, value_delimiter = ',', default_values = ["8", "64", "512", "2048"])]
    cache: Vec<u32>,
    /// Bytes that a token takes in that memory.
    #[arg(long, default_value_t = 2048)]
    entry: u32,
    /// Seconds after which a token is read again, even if nothing has changed.
    #[arg(long, default_value_t = 900)]
    cached_for: u32,
    /// Revocations in a second, at all replicas together.
    #[arg(long, default_value_t = 20.0)]
    revocations: f64,
    /// Share of the announcements that are lost on their way, from 0 to 1; a row for each.
    #[arg(long, value_delimiter = ',', default_values = ["0", "0.01", "1"])]
    lost: Vec<f64>,
    /// Seconds of revocations that are simulated.
    #[arg(long, default_value_t = 300)]
    seconds: u32,
    /// Calls at one replica that are simulated once its cache is full.
    #[arg(long, default_value_t = 5_000_000)]
    calls: u32,
    /// CPU time of a call that finds its token in the cache, in milliseconds: `cargo xtask bench` measures it.
    #[arg(long, default_value_t = 0.06)]
    cpu_ms: f64,
    /// Bytes of a token in the database, with its indexes.
    #[arg(long, default_value_t = 400)]
    row: u32,
    /// The price of a CPU for an hour, in the currency of your choice; 0 leaves prices out.
    #[arg(long, default_value_t = 0.04)]
    price: f64,
    /// Where the sequence of random numbers begins: the same seed gives the same tables.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    fn check(&self) -> Result<(), BoxError> {
        let is_share = |share: &f64| (0.0..=1.0).contains(share);
        let problems = [
            (!self.lost.iter().all(is_share), "--lost: shares from 0 to 1 are needed"),
            (!(0.0..=4.0).contains(&self.skew), "--skew: a number from 0 to 4 is needed"),
            (
                !(self.revocations > 0.0 && self.revocations <= 10_000.0),
                "--revocations: a number up to 10000 is needed",
            ),
            (self.cache.contains(&0) || self.entry == 0, "--cache and --entry: numbers above 0 are needed"),
            (self.active == 0 || self.active > self.tokens, "--active: some of --tokens are in use"),
            (self.rate == 0 || self.calls == 0, "--rate and --calls: numbers above 0 are needed"),
            (self.seconds < 10, "--seconds: at least 10 are needed"),
        ];
        match problems.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, problem)) => Err(problem.into()),
            None => Ok(()),
        }
    }
}

/// Simulates the region and prints a table for each question.
pub(crate) fn run(arguments: &Arguments) -> Result<(), BoxError> {
    arguments.check()?;
    let nodes = arguments.nodes.get();
    report::line(&format!(
        "{nodes} replicas, {} calls in a second, {} app tokens of which {} are in use\n",
        arguments.rate, arguments.tokens, arguments.active
    ))?;
    print_revocations(arguments)?;
    print_reads(arguments)?;
    print_size(arguments)
}

fn print_revocations(arguments: &Arguments) -> Result<(), BoxError> {
    report::line("How long a replica accepts a token after its revocation at another one, at most:\n")?;
    report::line("| announcements lost | p50 ms | p99 ms | longest ms | statements in a second |")?;
    report::line("|---:|---:|---:|---:|---:|")?;
    for lost in &arguments.lost {
        let outcome = Outbox::new(arguments, *lost).run()?;
        let [p50, p99] = [0.5, 0.99].map(|part| milliseconds(outcome.lag.value_at_quantile(part)));
        report::line(&format!(
            "| {:.0} % | {p50:.1} | {p99:.1} | {:.1} | {:.0} |",
            lost * 100.0,
            milliseconds(outcome.lag.max()),
            outcome.statements_per_second(arguments.seconds)
        ))?;
    }
    Ok(())
}

fn print_reads(arguments: &Arguments) -> Result<(), BoxError> {
    report::line(
        "\nWhat the replicas read from the database, by the memory of each for tokens (AUTH_APP_CACHE_SIZE), if a token is used at \
         any replica or always at the same one:\n",
    )?;
    let heads = ["any replica", "one replica"].map(|place| format!("{place}: found | reads in a second"));
    report::line(&format!("| MiB | tokens | {} |", heads.join(" | ")))?;
    report::line("|---:|---:|---:|---:|---:|---:|")?;
    let active_of_one = arguments.active.div_ceil(u64::from(arguments.nodes.get()));
    for mib in &arguments.cache {
        let capacity = Traffic::new(arguments, arguments.active, *mib).capacity();
        let cells = [arguments.active, active_of_one].map(|active| {
            let hits = Traffic::new(arguments, active, *mib).hit_ratio();
            format!("{:.1} % | {:.0}", hits * 100.0, f64::from(arguments.rate) * (1.0 - hits))
        });
        report::line(&format!("| {mib} | {capacity} | {} |", cells.join(" | ")))?;
    }
    Ok(())
}

/// What the replicas and the database need.
#[expect(clippy::cast_precision_loss, reason = "numbers of tokens and bytes are far below 2^52")]
fn print_size(arguments: &Arguments) -> Result<(), BoxError> {
    let busy = f64::from(arguments.rate) * arguments.cpu_ms / 1000.0;
    // what is left is for the loss of a third of the replicas
    let cpus = (busy * 1.5).ceil();
    let gib = arguments.tokens as f64 * f64::from(arguments.row) / 1024.0_f64.powi(3);
    report::line(&format!(
        "\nThe replicas use {busy:.1} CPUs; {cpus:.0} let a third of them fail. The tokens take {gib:.1} GiB."
    ))?;
    if arguments.price > 0.0 {
        let price = cpus * arguments.price * 24.0 * 30.0;
        report::line(&format!(
            "At {} for a CPU and hour that is {price:.0} in a month, without the database.",
            arguments.price
        ))?;
    }
    Ok(())
}

/// Of microseconds.
#[expect(clippy::cast_precision_loss, reason = "times are far below 2^52 microseconds")]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

/// What a run of the outbox gives.
struct Lags {
    /// The time from the answer to a revocation to its effect at another replica, in microseconds.
    lag: Histogram<u64>,
    /// Reads of the outbox, and announcements.
    statements: u64,
}

impl Lags {
    #[expect(clippy::cast_precision_loss, reason = "numbers of statements are far below 2^52")]
    fn statements_per_second(&self, seconds: u32) -> f64 {
        self.statements as f64 / f64::from(seconds)
    }
}

#[cfg(test)]
mod tests;
