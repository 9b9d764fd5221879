//! When a certificate is ordered, and when the authority is asked for its renewal information. Pure: time and randomness are arguments.

use std::time::{Duration, SystemTime};

use runtime::Random;

use super::state::{Attempt, Renewal, State, StoredCertificate, Window};
use crate::config::Plan;

/// The time after the first failure; each further one doubles it. An authority allows few failures in an hour.
const FIRST_BACKOFF: Duration = Duration::from_mins(5);
/// The longest time between attempts, unless the authority demands a longer one.
const LONGEST_BACKOFF: Duration = Duration::from_hours(12);
/// The longest time that an authority can demand.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(7 * 24);
/// The least time between attempts when the configuration has changed.
const AFTER_CHANGE: Duration = Duration::from_mins(1);
/// The least time between orders that succeed, whatever the certificates and the authority say.
const AFTER_SUCCESS: Duration = Duration::from_hours(1);
/// An attempt later than this after now was dated by a clock that was ahead. The clocks of replicas differ by less.
const CLOCK_SKEW: Duration = Duration::from_mins(10);
/// The limits of the time after which renewal information is asked for again (RFC 9773 4.3.2).
const CHECKS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24));
/// The time after which renewal information is asked for again when that has failed.
const AFTER_FAILED_CHECK: Duration = Duration::from_hours(6);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Obtain a certificate.
    Order,
    /// Ask for renewal information.
    Check,
    /// Nothing until then.
    Wait(SystemTime),
}

/// What is to be done now.
pub(crate) fn next(state: &State, plan: &Plan, now: SystemTime) -> Next {
    let earliest = state.attempt.as_ref().map_or(now, |attempt| earliest(attempt, plan, now));
    let Some(certificate) = state.certificate_for(plan) else {
        return if earliest <= now { Next::Order } else { Next::Wait(earliest) };
    };
    let due = due(certificate, state.renewal.as_ref());
    if due <= now && earliest <= now {
        return Next::Order;
    }
    let check = state.renewal.as_ref().and_then(|renewal| renewal.next_check).unwrap_or(now);
    if check <= now {
        return Next::Check;
    }
    Next::Wait(check.min(due.max(earliest)))
}

/// When a certificate is renewed: at the moment in the window of the authority, else after two thirds of its lifetime. In any case it is
/// before the last tenth.
pub(crate) fn due(certificate: &StoredCertificate, renewal: Option<&Renewal>) -> SystemTime {
    let lifetime = certificate.until.duration_since(certificate.from).unwrap_or_default();
    let chosen = renewal.and_then(|renewal| renewal.window.as_ref()).map(|window| window.chosen);
    chosen.unwrap_or(certificate.from + lifetime * 2 / 3).min(certificate.from + lifetime * 9 / 10)
}

/// The next attempt is not before.
pub(crate) fn earliest(attempt: &Attempt, plan: &Plan, now: SystemTime) -> SystemTime {
    // the clock was ahead then
    if attempt.at > now + CLOCK_SKEW {
        return now;
    }
    if attempt.plan == plan.fingerprint() { attempt.next } else { attempt.next.min(attempt.at + AFTER_CHANGE) }
}

/// The attempt that begins now, as if it had failed: a process that ends in the middle does not try again at once.
pub(crate) fn begin(state: &State, plan: &Plan, random: &Random, now: SystemTime) -> Attempt {
    let plan = plan.fingerprint();
    let failures = state.attempt.as_ref().filter(|attempt| attempt.plan == plan).map_or(0, |attempt| attempt.failures);
    let failures = failures.saturating_add(1);
    let problem = Some("the attempt was interrupted".to_owned());
    Attempt { at: now, plan, failures, next: now + backoff(failures, random), problem }
}

/// The attempt has failed.
pub(crate) fn failed(attempt: Attempt, problem: String, retry_after: Option<Duration>, now: SystemTime) -> Attempt {
    let demanded = now + retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
    Attempt { next: attempt.next.max(demanded), problem: Some(problem), ..attempt }
}

/// The attempt has succeeded.
pub(crate) fn succeeded(attempt: Attempt, now: SystemTime) -> Attempt {
    Attempt { failures: 0, next: now + AFTER_SUCCESS, problem: None, ..attempt }
}

/// The renewal information after the authority has suggested a window. The moment in it stays the same as long as the window does.
pub(crate) fn suggested(
    former: Option<&Renewal>,
    (start, end): (SystemTime, SystemTime),
    retry_after: Duration,
    random: &Random,
    now: SystemTime,
) -> Renewal {
    let known = former.and_then(|renewal| renewal.window.as_ref());
    let window = match known.filter(|window| (window.start, window.end) == (start, end)) {
        Some(same) => same.clone(),
        None => Window { start, end, chosen: start + share(end.duration_since(start).unwrap_or_default(), random) },
    };
    let (least, most) = CHECKS;
    Renewal { window: Some(window), next_check: Some(now + retry_after.clamp(least, most)) }
}

/// The renewal information after the authority has given none: a former window stays.
pub(crate) fn unanswered(former: Option<&Renewal>, now: SystemTime) -> Renewal {
    let window = former.and_then(|renewal| renewal.window.clone());
    Renewal { window, next_check: Some(now + AFTER_FAILED_CHECK) }
}

/// Doubles with each failure; a fifth more or less, so that edges that fail together do not return together.
fn backoff(failures: u32, random: &Random) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let backoff = doubled.min(LONGEST_BACKOFF);
    backoff * 4 / 5 + share(backoff * 2 / 5, random)
}

/// A random part of a duration.
fn share(whole: Duration, random: &Random) -> Duration {
    let part = u32::from(u16::from_be_bytes(random.bytes()));
    whole / u32::from(u16::MAX) * part
}

#[cfg(test)]
mod tests;
