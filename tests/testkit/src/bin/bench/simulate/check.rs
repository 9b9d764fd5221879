//! The model and a small real run, side by side: two replicas of auth-app on a PostgreSQL server of their own, with the calls and the
//! revocations that are simulated.

mod calls;
mod replicas;
mod revocations;

use std::num::NonZeroU32;

use authn::BoxError;
use store::testing::Cluster;

use self::calls::Calls;
use self::replicas::{MACHINES, Replicas};
use super::outbox::Outbox;
use super::traffic::{Popularity, Traffic};
use super::{Arguments as Region, milliseconds};
use crate::report;

/// Seconds of revocations that are simulated: enough for the 99th percentile not to depend on chance.
const SIMULATED_SECONDS: u32 = 300;

/// The small region, and how far both may be apart.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Calls in a second, at both replicas together.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// App tokens, all of which are in use.
    #[arg(long, default_value_t = 10_000)]
    active: u32,
    /// How unequally they are used: the exponent of Zipf's law, 0 for equally.
    #[arg(long, default_value_t = 0.9)]
    skew: f64,
    /// Memory for the tokens that a replica has read, in MiB; three rows for each.
    #[arg(long, value_delimiter = ',', default_values = ["1", "4"])]
    cache: Vec<u32>,
    /// Bytes that a token takes in that memory, as the model has it.
    #[arg(long, default_value_t = 2048)]
    entry: u32,
    /// Seconds of calls that are measured for each; there are as many before. Revocations take twice the time.
    #[arg(long, default_value_t = 6)]
    seconds: u32,
    /// Revocations in a second, at both replicas together.
    #[arg(long, default_value_t = 20.0)]
    revocations: f64,
    /// Accepted factor between the simulated and the measured calls, hits and reads.
    #[arg(long, default_value_t = 1.5)]
    most_apart: f64,
    /// The same for the times of revocations, which depend on the machine.
    #[arg(long, default_value_t = 5.0)]
    most_lag_apart: f64,
    /// Where the sequences of random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    /// What is simulated.
    fn region(&self) -> Result<Region, BoxError> {
        let nodes = NonZeroU32::new(u32::try_from(MACHINES.len())?).ok_or("there are replicas")?;
        let region = Region {
            nodes,
            rate: self.rate,
            tokens: self.active.into(),
            active: self.active.into(),
            skew: self.skew,
            cache: self.cache.clone(),
            entry: self.entry,
            // longer than the run
            cached_for: 900,
            revocations: self.revocations,
            lost: Vec::new(),
            seconds: SIMULATED_SECONDS,
            // at one replica; the first half of them is not counted
            calls: (2 * self.rate / nodes * self.seconds).max(2),
            cpu_ms: 0.0,
            row: 0,
            price: 0.0,
            seed: self.seed,
        };
        region.check()?;
        if self.seconds == 0 {
            return Err("--seconds: at least 1 is needed".into());
        }
        if f64::from(self.active) < self.revocation_count() {
            return Err("--active: more tokens than are revoked are needed".into());
        }
        Ok(region)
    }

    /// How many tokens are revoked in the real run.
    fn revocation_count(&self) -> f64 {
        self.revocations * 2.0 * f64::from(self.seconds)
    }
}

/// A value that both have.
struct Row {
    name: String,
    simulated: f64,
    measured: f64,
    /// The accepted factor.
    most: f64,
}

impl Row {
    /// The factor between both, 1 or more.
    fn factor(&self) -> f64 {
        let (less, more) = (self.simulated.min(self.measured), self.simulated.max(self.measured));
        if more <= 0.0 { 1.0 } else { more / less.max(0.0) }
    }

    fn is_accepted(&self) -> bool {
        self.factor() <= self.most
    }
}

/// Simulates the region and runs it, prints a row for each value, and fails if one is too far apart.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let region = arguments.region()?;
    let cluster = Cluster::start().await.ok_or("there is no PostgreSQL")?;
    let database = cluster.fresh_database().await;
    let mut replicas = Replicas::prepare(database.url(), usize::try_from(arguments.active)?).await?;
    let mut rows = Vec::new();
    for mib in &arguments.cache {
        replicas.restart(*mib).await?;
        rows.extend(compare_reads(arguments, &region, &replicas, *mib).await?);
    }
    rows.extend(compare_revocations(arguments, &region, &replicas).await?);
    replicas.stop().await?;
    print(&rows)?;
    let apart: Vec<_> = rows.iter().filter(|row| !row.is_accepted()).map(|row| row.name.as_str()).collect();
    if apart.is_empty() { Ok(()) } else { Err(format!("too far apart: {}", apart.join(", ")).into()) }
}

/// What the replicas find in their caches of so many MiB, and what they read from the database.
async fn compare_reads(
    arguments: &Arguments,
    region: &Region,
    replicas: &Replicas,
    mib: u32,
) -> Result<[Row; 3], BoxError> {
    let model = Traffic::new(region, region.active, mib);
    let popularity = Popularity { active: region.active, skew: region.skew };
    let mut calls = Calls::new(replicas, popularity, arguments.rate, arguments.seed);
    calls.fill(model.capacity().min(region.active)).await?;
    calls.make(arguments.seconds).await?;
    let before = replicas.counts().await?;
    let elapsed = calls.make(arguments.seconds).await?.as_secs_f64();
    let counted = replicas.counts().await?.since(&before);
    let (hits, made) = (model.hit_ratio(), counted.hits + counted.misses);
    let rate = f64::from(arguments.rate);
    let row = |name: &str, simulated: f64, measured: f64| Row {
        name: format!("{mib} MiB: {name}"),
        simulated,
        measured,
        most: arguments.most_apart,
    };
    Ok([
        row("calls in a second", rate, made / elapsed),
        row("found in memory, %", hits * 100.0, counted.hits / made.max(1.0) * 100.0),
        row("reads in a second", rate * (1.0 - hits), counted.selects / elapsed),
    ])
}

/// How long a replica accepts a token after its revocation at the other one.
async fn compare_revocations(
    arguments: &Arguments,
    region: &Region,
    replicas: &Replicas,
) -> Result<[Row; 2], BoxError> {
    let simulated = Outbox::new(region, 0.0).run()?.lag;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is positive, and small")]
    let count = arguments.revocation_count() as usize;
    let measured = revocations::measure(replicas, count, arguments.revocations, arguments.seed).await?;
    Ok([("p50", 0.5), ("p99", 0.99)].map(|(name, part)| Row {
        name: format!("revocation at the other replica, {name} ms"),
        simulated: milliseconds(simulated.value_at_quantile(part)),
        measured: milliseconds(measured.value_at_quantile(part)),
        most: arguments.most_lag_apart,
    }))
}

fn print(rows: &[Row]) -> Result<(), BoxError> {
    report::line("| value | simulated | measured | factor | accepted |")?;
    report::line("|---|---:|---:|---:|---:|")?;
    for row in rows {
        let Row { name, simulated, measured, most } = row;
        report::line(&format!("| {name} | {simulated:.1} | {measured:.1} | {:.2} | {most:.1} |", row.factor()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn arguments(more: &[&str]) -> Arguments {
        let command = Arguments::augment_args(Command::new("simulate-check"));
        let matches = command.try_get_matches_from(["simulate-check"].iter().chain(more)).expect("are understood");
        Arguments::from_arg_matches(&matches).expect("are understood")
    }

    #[test]
    fn values_too_far_apart_are_not_accepted() {
        for (simulated, measured, is_accepted) in [
            (2.0, 3.0, true),
            (3.0, 2.0, true),
            (2.0, 3.1, false),
            (3.1, 2.0, false),
            (0.0, 0.0, true),
            (0.0, 1.0, false),
        ] {
            let row = Row { name: String::new(), simulated, measured, most: 1.5 };
            assert_eq!(row.is_accepted(), is_accepted, "{simulated} {measured}");
        }
    }

    #[test]
    fn both_replicas_get_half_of_the_calls() {
        let region = arguments(&["--rate", "400", "--seconds", "5"]).region().expect("is possible");
        assert_eq!((region.nodes.get(), region.calls), (2, 2_000));
    }

    #[test]
    fn impossible_regions_are_refused() {
        for wrong in [["--seconds", "0"], ["--active", "100"], ["--cache", "0"], ["--rate", "0"]] {
            assert!(arguments(&wrong).region().is_err(), "{wrong:?}");
        }
    }
}
