//! What is counted under one key, and how it grows and fades. No I/O.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Rules;

/// The failures under one key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Record {
    /// How many there are; for a source, how many are left of those that time has taken away.
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

    /// Counts a failure of an account: some are free, then the delay doubles with each.
    pub(super) fn fail(&mut self, now: SystemTime, rules: &Rules) {
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

    /// Counts a failure of a source over all accounts: it may have so many a minute.
    pub(super) fn fail_source(&mut self, now: SystemTime, rules: &Rules) {
        let (most, per_second) = (f64::from(rules.per_source), f64::from(rules.per_source) / 60.0);
        self.failures = (self.failures - since(now, self.last).as_secs_f64() * per_second).max(0.0) + 1.0;
        self.last = self.last.max(now);
        let excess = self.failures + 1.0 - most;
        if excess > 0.0 {
            self.blocked_until = now + Duration::from_secs_f64(excess / per_second);
        }
    }

    /// The password was right: earlier failures are forgiven.
    pub(super) fn forgive(&mut self, now: SystemTime) {
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
        let kept = if self.is_known { rules.known_for } else { rules.forget_after };
        self.check(now).is_ok() && since(now, self.last) >= kept
    }
}

/// Zero if the clock went backwards.
fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}
