//! Patroni with etcd and `PgBouncer`: the server of the database fails, and another takes over.

mod cluster;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Session;
use super::family::{Family, USER};
use super::kubernetes::ETCD;
use super::processes::{pause, wait_until};
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};
use cluster::{Cluster, Programs};

pub(super) const VERSION: &str = "4.1.5";

/// How soon the family has to work again once the database does.
const HEALTHY: Duration = Duration::from_secs(5);
/// How long Patroni may take to notice the failure and to promote the standby: its lease lasts 20 s.
const LONGEST: Duration = Duration::from_mins(2);

/// The fewest rounds of requests that say something about the time of the failure.
const FEWEST: u32 = 4;

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let etcd = etcd(session)?;
    let programs = Programs::find(session)?;
    let mut cluster = Cluster::start(session, scenarios, &etcd, programs)?;
    let mut family = Family::prepare(session, "patroni", scenarios)?;
    family.set("OCIS_DATABASE_URL", cluster.url());
    family.run()?;
    let tokens = Tokens::make(&family)?;
    tokens.check(&family, &mut Seen::default())?;
    let failover = failover(&family, &mut cluster, &tokens);
    let done = scenarios.add("failover of the database: no wrong answer, healthy within 5 s of its return", failover);
    if done {
        let outcome = cluster.rejoined().map(|()| "as standby".to_owned());
        scenarios.add("the failed server comes back", outcome);
    }
    Ok(())
}

/// The machine's, as Debian has it, or one of our own.
fn etcd(session: &Session<'_>) -> Result<PathBuf, Trouble> {
    if tools::answers("etcd", &["--version"]) { Ok("etcd".into()) } else { session.build(&ETCD) }
}

/// App tokens whose state was acknowledged before the failure.
struct Tokens {
    good: String,
    revoked: String,
}

/// What requests were answered during the failure.
#[derive(Default)]
struct Seen {
    rounds: u32,
    accepted: u32,
    unavailable: u32,
}

impl Tokens {
    fn make(family: &Family<'_>) -> Outcome<Self> {
        let (good, revoked) = (token(family)?, token(family)?);
        // so that caches know it
        if status(family, &revoked)? != 200 {
            return Err("a new token is refused".to_owned());
        }
        family.doorward(&["auth-app", "revoke", "--token-stdin", "--yes"], &revoked)?;
        wait_until("the revocation reaches the replica", 10, || Ok(status(family, &revoked)? == 401))?;
        Ok(Self { good, revoked })
    }

    /// Fails at a wrong accept, and where a good token is called wrong.
    fn check(&self, family: &Family<'_>, seen: &mut Seen) -> Outcome {
        seen.rounds += 1;
        for (token, is_good) in [(&self.good, true), (&self.revoked, false)] {
            match (status(family, token)?, is_good) {
                (200, true) => seen.accepted += 1,
                (401, false) => {}
                (500..=599, _) => seen.unavailable += 1,
                (status, true) => return Err(format!("a good token is answered {status}")),
                (status, false) => return Err(format!("a revoked token is answered {status}")),
            }
        }
        Ok(())
    }
}

fn token(family: &Family<'_>) -> Outcome<String> {
    let create = ["auth-app", "create", "--user-name", USER, "--quiet", "--scope", "user", "--scope", "tokens:read"];
    family.doorward(&create, "")
}

/// What the edge answers to a request with a token.
fn status(family: &Family<'_>, token: &str) -> Outcome<u16> {
    Ok(family.request("/auth-app/tokens", &["--user", &format!("{USER}:{token}")])?.0)
}

fn failover(family: &Family<'_>, cluster: &mut Cluster<'_>, tokens: &Tokens) -> Outcome<String> {
    cluster.crash()?;
    let (failed, mut seen) = (Instant::now(), Seen::default());
    while !cluster.is_writable() {
        tokens.check(family, &mut seen)?;
        if failed.elapsed() > LONGEST {
            return Err(format!("no server has taken over within {} s", LONGEST.as_secs()));
        }
        pause(Duration::from_millis(100));
    }
    let (outage, returned) = (failed.elapsed(), Instant::now());
    if seen.rounds < FEWEST {
        return Err(format!("only {} rounds of requests during the failure", seen.rounds));
    }
    // healthy: a token is made, and it and the earlier one are accepted
    let mut is_healthy = || -> Outcome<bool> {
        tokens.check(family, &mut seen)?;
        Ok(token(family).and_then(|made| status(family, &made)).is_ok_and(|status| status == 200)
            && status(family, &tokens.good)? == 200)
    };
    while !is_healthy()? {
        if returned.elapsed() > HEALTHY {
            return Err(format!("the family is not healthy {} s after the database", HEALTHY.as_secs()));
        }
        pause(Duration::from_millis(50));
    }
    let healthy = returned.elapsed();
    if healthy > HEALTHY {
        return Err(format!("the family is healthy {:.1} s after the database", healthy.as_secs_f32()));
    }
    Ok(format!(
        "away for {:.0} s, healthy {:.1} s later; meanwhile {} accepted from memory, {} answered 5xx",
        outage.as_secs_f32(),
        healthy.as_secs_f32(),
        seen.accepted,
        seen.unavailable
    ))
}
