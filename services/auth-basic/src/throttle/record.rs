//! What is counted under one key, and how it grows and fades. No I/O.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Limit, Rules};

/// How far clocks of replicas may be apart. A time further ahead was noted by a clock that has been corrected since.
pub(crate) const SKEW: Duration = Duration::from_mins(1);

/// The failures under one key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Record {
    /// How many there are; under a limit, how many time has left of them.
    pub(crate) failures: f64,
    /// When the last one was, or the last success.
    pub(crate) last: SystemTime,
    /// Until when no attempt may be made.
    pub(crate) blocked_until: SystemTime,
    /// Whether there was a success.
    pub(crate) is_known: bool,
}

/// Nothing has happened.
impl Default for Record {
    fn default() -> Self {
        Self { failures: 0.0, last: UNIX_EPOCH, blocked_until: UNIX_EPOCH, is_known: false }
    }
}

impl Record {
    /// Whether an attempt may be made.
    ///
    /// # Errors
    /// How long it may not.
    pub(crate) fn check(&self, now: SystemTime) -> Result<(), Duration> {
        match since(self.blocked_until, now) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    /// Takes what a clock has noted that was ahead and has been corrected since for what happens now: no delay becomes longer by that.
    pub(crate) fn correct(&mut self, now: SystemTime) {
        if since(self.last, now) > SKEW {
            let delay = since(self.blocked_until, self.last);
            self.blocked_until = if delay.is_zero() { UNIX_EPOCH } else { now + delay };
            self.last = now;
        }
    }

    /// Counts a failure of an account: some are free, then the delay doubles with each.
    pub(super) fn fail(&mut self, now: SystemTime, rules: &Rules) {
        self.correct(now);
        if since(now, self.last) >= rules.forget_after {
            self.failures = 0.0;
        }
        self.failures += 1.0;
        self.last = self.last.max(now);
        let doublings = self.failures - f64::from(rules.free);
        if doublings >= 0.0 {
            // beyond 2^30 every delay is the longest
            let factor = doublings.min(30.0).exp2();
            let delay = Duration::try_from_secs_f64(rules.first_delay.as_secs_f64() * factor);
            self.blocked_until = now + delay.unwrap_or(rules.longest_delay).min(rules.longest_delay);
        }
    }

    /// Counts a failure under a limit: it may have so many in a period.
    pub(super) fn fail_within(&mut self, now: SystemTime, limit: Limit) {
        self.correct(now);
        let most = f64::from(limit.most);
        let per_second = most / limit.period.as_secs_f64();
        self.failures = (self.failures - since(now, self.last).as_secs_f64() * per_second).max(0.0) + 1.0;
        self.last = self.last.max(now);
        let excess = self.failures + 1.0 - most;
        if excess > 0.0 {
            self.blocked_until = now + Duration::from_secs_f64(excess / per_second);
        }
    }

    /// The password was right: earlier failures are forgiven.
    pub(super) fn forgive(&mut self, now: SystemTime) {
        self.correct(now);
        *self = Self { failures: 0.0, last: self.last.max(now), blocked_until: UNIX_EPOCH, is_known: true };
    }

    /// Takes a failure back that was none; `free` is up to how many failures cost nothing.
    pub(super) fn take_back(&mut self, free: u32) {
        self.failures = (self.failures - 1.0).max(0.0);
        if self.failures < f64::from(free) {
            self.blocked_until = UNIX_EPOCH;
        }
    }

    /// Whether it says no more than the absence of a record.
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_known && self.failures < f64::EPSILON
    }

    /// The order in which records are removed when there are too many: never one with a delay before one without; then those
    /// first that have had no success, and of these the oldest.
    pub(crate) fn worth(&self, now: SystemTime) -> (bool, bool, SystemTime) {
        (self.check(now).is_err(), self.is_known, self.last)
    }

    /// Whether it has no meaning any more.
    pub(crate) fn is_over(&self, now: SystemTime, rules: &Rules) -> bool {
        let kept = if self.is_known { rules.known_for } else { rules.kept_for() };
        self.check(now).is_ok() && since(now, self.last) >= kept
    }
}

/// Zero if the clock went backwards.
fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AHEAD: Duration = Duration::from_hours(2);

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(500_000)
    }

    #[test]
    fn delay_of_a_clock_that_was_ahead_is_as_long_from_now() {
        let rules = Rules::default();
        for failures in 5..30 {
            let mut record = Record::default();
            (0..failures).for_each(|_| record.fail(now() + AHEAD, &rules));
            let delay = record.check(now() + AHEAD).expect_err("is delayed");
            let mut corrected = record;
            corrected.correct(now());
            assert_eq!((corrected.check(now()), corrected.check(now() + delay)), (Err(delay), Ok(())));
            assert_eq!((corrected.failures, corrected.last), (record.failures, now()));
            // of replicas one may be ahead of the other
            let mut same = record;
            same.correct(now() + AHEAD - SKEW);
            assert_eq!(same, record);
            record.fail(now(), &rules);
            assert!(record.check(now()).is_err_and(|delay| delay <= rules.longest_delay), "{failures}");
        }
    }

    #[test]
    fn failures_under_a_limit_fade_by_the_corrected_clock() {
        let limit = Limit { most: 10, period: Duration::from_mins(1) };
        let mut record = Record::default();
        (0..10).for_each(|_| record.fail_within(now() + AHEAD, limit));
        record.correct(now());
        assert!(record.check(now()).is_err(), "all have counted");
        for seconds in [12, 24] {
            record.fail_within(now() + Duration::from_secs(seconds), limit);
        }
        assert!((record.failures - 8.0).abs() < 1e-6, "{}: two fade in twelve seconds", record.failures);
    }

    #[test]
    fn what_was_no_delay_does_not_become_one() {
        let mut record = Record::default();
        record.fail(now() + AHEAD, &Rules::default());
        record.correct(now());
        assert_eq!((record.check(now()), record.blocked_until), (Ok(()), UNIX_EPOCH));
        record.forgive(now() + AHEAD);
        record.correct(now());
        assert!(record.is_known && record.last == now());
    }
}
