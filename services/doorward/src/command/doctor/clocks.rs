//! How far other clocks are from this machine's: tokens are valid for minutes.

use std::time::{Duration, SystemTime};

use futures_util::future::{join, join_all};

use super::{Finding, Installation, Subject, databases, issuers};
use crate::cli::Check;

/// A clock that is further away than this is corrected soon.
const WARNING: Duration = Duration::from_secs(1);
/// A clock that is further away than this lets valid tokens be refused.
const FAILURE: Duration = Duration::from_secs(30);
const REMEDY: &str = "synchronise the clocks of both machines (chrony, systemd-timesyncd)";

/// The clocks of the databases and issuers.
pub(super) async fn check(installation: &Installation) -> Vec<Finding> {
    let mut servers = databases::servers(installation);
    servers.retain(|server| server.is_postgres);
    let issuers = issuers::sources(installation);
    let of_servers = join_all(servers.iter().map(|server| async move {
        let subject = Subject::new(Check::Clocks, &server.location);
        let asked = async { vec![of_database(&subject, server, installation).await] };
        subject.within_limit(asked).await
    }));
    let of_issuers = join_all(issuers.iter().map(|issuer| async move {
        let subject = Subject::new(Check::Clocks, &issuer.name);
        let asked = async { vec![of_issuer(&subject, issuer, installation).await] };
        subject.within_limit(asked).await
    }));
    let (of_servers, of_issuers) = join(of_servers, of_issuers).await;
    let mut findings: Vec<Finding> = of_servers.into_iter().chain(of_issuers).flatten().collect();
    if servers.is_empty() {
        findings.push(Subject::new(Check::Clocks, "databases").not_checked("SQLite has the clock of this machine"));
    }
    findings
}

async fn of_database(subject: &Subject, server: &databases::Server, installation: &Installation) -> Finding {
    let clock = &installation.context.clock;
    let database = match server.connect().await {
        Ok(database) => database,
        Err(problem) => return subject.not_checked(problem),
    };
    // the first statement makes the connection
    let first = database.time().await;
    let (before, time, after) = (clock.now(), database.time().await, clock.now());
    match first.and(time) {
        Ok(Some(time)) => judge(subject, difference(time, before, after), Duration::ZERO),
        Ok(None) => subject.not_checked("SQLite has the clock of this machine"),
        Err(problem) => subject.not_checked(problem),
    }
}

async fn of_issuer(subject: &Subject, issuer: &issuers::Issuer, installation: &Installation) -> Finding {
    let clock = &installation.context.clock;
    let source = match &issuer.source {
        Ok(source) => source,
        Err(problem) => return subject.not_checked(problem),
    };
    let (before, time, after) = (clock.now(), source.time().await, clock.now());
    match time {
        // a Date header has whole seconds
        Ok(Some(time)) => judge(subject, difference(time, before, after), Duration::from_secs(1)),
        Ok(None) => subject.not_checked("it sends no Date header"),
        Err(problem) => subject.not_checked(problem),
    }
}

/// How far a clock is from this machine's, if it was read at some moment between these two.
fn difference(time: SystemTime, before: SystemTime, after: SystemTime) -> Duration {
    let ahead = time.duration_since(after).unwrap_or_default();
    let behind = before.duration_since(time).unwrap_or_default();
    ahead.max(behind)
}

fn judge(subject: &Subject, difference: Duration, resolution: Duration) -> Finding {
    let difference = difference.saturating_sub(resolution);
    let found = format!("its clock is {:.1} s from this machine's", difference.as_secs_f64());
    match difference {
        _ if difference >= FAILURE => subject.failed(found, REMEDY),
        _ if difference >= WARNING => subject.warning(found, REMEDY),
        _ => subject.ok(found),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::Outcome;
    use super::*;

    #[test]
    fn one_second_warns_and_half_a_minute_fails() {
        let at = |seconds: f64| UNIX_EPOCH + Duration::from_secs_f64(seconds);
        let outcome = |time: f64, resolution: u64| {
            let difference = difference(at(time), at(100.0), at(100.5));
            judge(&Subject::new(Check::Clocks, "db"), difference, Duration::from_secs(resolution)).outcome
        };
        for (time, expected) in [
            (100.2, Outcome::Ok),
            (99.1, Outcome::Ok),
            (98.9, Outcome::Warning),
            (101.6, Outcome::Warning),
            (70.0, Outcome::Failed),
            (131.0, Outcome::Failed),
        ] {
            assert_eq!(outcome(time, 0), expected, "{time}");
        }
        assert_eq!((outcome(98.5, 1), outcome(97.5, 1)), (Outcome::Ok, Outcome::Warning));
    }
}
