//! The memory of the family in one process under a steady load: app tokens that are made, used and revoked, passwords, sign-ins to
//! applications and their access tokens, each of them at the gateway and at the edge.

mod samples;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use authn::{BoxError, role};
use testkit::free_address;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use self::samples::{Sample, Samples};
use self::work::{Counts, Lane};
use crate::family::Family;
use crate::idp::{self, CLIENT_SECRET, REDIRECT_URI};
use crate::server::Server;
use crate::tokens::Owner;
use crate::{report, users};

/// How many rounds are under way at the same time.
const LANES: u32 = 4;
/// How often memory is read, unless the whole is so short that it would be read too rarely. No multiple of the time between two
/// passwords, and no part of the ten seconds after which the memory of a peak is released: both would be met at the same point again
/// and again.
const EVERY: Duration = Duration::from_millis(1100);
/// How often it is read at least.
const SAMPLES: u32 = 60;

/// How much is done, and what is accepted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Minutes of load. The first third is the time in which caches fill, and does not count.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// App tokens that are made, used and revoked in a second; every tenth round signs in with a password as well, and every
    /// twentieth to an application.
    #[arg(long, default_value_t = 30)]
    rate: u32,
    /// By how many MiB the resident memory may grow from the first sixth of the time that counts to the last one.
    #[arg(long, default_value_t = 2.0)]
    most_mib: f64,
    /// By less than how many MiB in ten minutes it may grow: the slope of the line through the medians of the minutes that
    /// count, by least squares.
    #[arg(long, default_value_t = 1.0)]
    most_slope_mib: f64,
    /// A file for what memory was, about every second.
    #[arg(long)]
    samples: Option<PathBuf>,
}

/// Loads the family, prints its memory minute by minute, and fails if it grew, or if a call was not answered as it should be.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let mut family = Family::new()?;
    tell(&mut family)?;
    let server = family.start()?;
    let person = |number| Owner { id: Uuid::from_u64_pair(1, number as u64), login: idp::login(number) };
    let owners: Vec<_> = (0..idp::USERS).map(person).collect();
    users::add(&family.users, role::USER, owners.iter()).await?;
    let passwords = family.setting("AUTH_BASIC_GRPC_ADDR").ok_or("the family has passwords")?;
    users::set_password(passwords, &owners, idp::PASSWORD).await?;

    let whole = Duration::try_from_secs_f64(arguments.minutes * 60.0)?;
    report::line(&format!(
        "{} rounds a second for {} minutes, of which the first third does not count\n",
        arguments.rate, arguments.minutes
    ))?;
    let counts = Arc::new(Counts::default());
    let number = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + whole;
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..LANES {
        let lane = Lane::connect(&server, &family, Arc::clone(&counts)).await?;
        let period = Duration::from_secs(1) * LANES / arguments.rate.max(1);
        lanes.spawn(keep_on(lane, Arc::clone(&number), period, end));
    }
    let samples = watch(&server, &counts, whole).await?;
    while let Some(ended) = lanes.join_next().await {
        ended?;
    }
    server.stop()?;
    if let Some(file) = &arguments.samples {
        samples.write(file)?;
    }
    let (growth, slope) =
        samples.growth_mib().zip(samples.slope_mib()).ok_or("too few samples to tell whether memory grows")?;
    report::line(&format!(
        "\nfrom the first sixth of the time that counts to the last one, resident memory grew by {growth:.2} MiB; {:.2} MiB are \
         accepted\nslope of the medians of the minutes that count, by least squares: {slope:.3} MiB in ten minutes; less than {:.3} MiB is \
         accepted",
        arguments.most_mib, arguments.most_slope_mib
    ))?;
    if let Some(failure) = counts.failure() {
        return Err(format!("{} calls failed, the first one: {failure}", counts.failed()).into());
    }
    Ok(arguments.check(growth, slope)?)
}

impl Arguments {
    /// Fails if memory grew by more than is accepted, between both ends of the time that counts or by its slope.
    fn check(&self, growth_mib: f64, slope_mib: f64) -> Result<(), String> {
        if growth_mib > self.most_mib {
            return Err(format!("memory grows: {growth_mib:.2} MiB from the first sixth to the last one"));
        }
        if slope_mib >= self.most_slope_mib {
            return Err(format!("memory grows: {slope_mib:.3} MiB in ten minutes"));
        }
        Ok(())
    }
}

/// Makes rounds until the end, one each period. What was missed is not made up for.
async fn keep_on(lane: Lane, number: Arc<AtomicU64>, period: Duration, end: Instant) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < end {
        ticks.tick().await;
        lane.round(number.fetch_add(1, Ordering::Relaxed)).await;
    }
}

/// Reads the memory again and again, and prints a line each minute.
async fn watch(server: &Server, counts: &Counts, whole: Duration) -> Result<Samples, BoxError> {
    let begin = Instant::now();
    let mut samples = Samples::new(whole);
    let mut ticks = tokio::time::interval(EVERY.min(whole / SAMPLES));
    samples::head()?;
    while begin.elapsed() < whole {
        ticks.tick().await;
        let [_, resident, anonymous] = server.memory_kib()?;
        let cpu = server.spent()?;
        let sample =
            Sample { at: begin.elapsed(), resident, anonymous, calls: counts.calls(), failed: counts.failed() };
        samples.add(sample, cpu)?;
    }
    Ok(samples)
}

/// Has the family issue access tokens and accept them, and remember passwords as it does by default.
fn tell(family: &mut Family) -> Result<(), BoxError> {
    let clients = family.file("clients.yaml");
    std::fs::write(
        &clients,
        format!(
            "clients:\n  - id: bench-code\n    secret: {CLIENT_SECRET}\n    trusted: true\n    redirect_uris: [{REDIRECT_URI:?}]\n    \
             access_token_claims: [preferred_username]\n"
        ),
    )?;
    let [http, bearer, app] = std::array::from_fn(|_| free_address());
    let issuer = format!("http://localhost:{}", http.port());
    family.set("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer");
    family.set("IDP_CLIENTS_FILE", clients.display().to_string());
    family.set("IDP_ENCRYPTION_SECRET", "bench-encryption-0123456789abcdef012345");
    family.set("IDP_HTTP_ADDR", http.to_string());
    family.set("IDP_ISS", &*issuer);
    family.set("AUTH_APP_GRPC_ADDR", app.to_string());
    family.set("GATEWAY_AUTH_APP_ENDPOINT", app.to_string());
    family.set("AUTH_BASIC_CACHE_TTL", "1m");
    family.set("AUTH_BEARER_OIDC_ISSUER", issuer);
    family.set("AUTH_BEARER_OIDC_AT_JWT_ONLY", "true");
    family.set("AUTH_BEARER_GRPC_ADDR", bearer.to_string());
    family.set("GATEWAY_AUTH_BEARER_ENDPOINT", bearer.to_string());
    for name in ["AUTH_BEARER_HTTP_ADDR", "AUTH_BEARER_DEBUG_ADDR"] {
        family.set(name, free_address().to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_between_both_ends_and_slope_are_each_limited() {
        let arguments = Arguments { minutes: 60.0, rate: 30, most_mib: 2.0, most_slope_mib: 1.0, samples: None };
        assert_eq!(arguments.check(1.9, 0.9), Ok(()));
        let refusal = |growth, slope| arguments.check(growth, slope).expect_err("memory grows");
        assert!(refusal(2.1, 0.0).ends_with("to the last one"));
        assert!(refusal(0.0, 1.0).ends_with("in ten minutes"));
    }
}
