//! Slowing down whoever guesses, and nobody else.
//!
//! An account has no budget of its own, for then anyone could lock its owner out. What is counted:
//! - failures of one *account from one source*: some are free, then each costs a delay, twice as long each time;
//! - failures of one *source* over all accounts, a generous number a minute, against trying one password on everybody.
//!   An account that has signed in from there before is spared, so that neighbours behind one address stay welcome.
//!
//! All of it is decided before any password is hashed, and forgotten in time.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::digest::{Digest, Digester};

/// How failures are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How many failures of an account from one source cost nothing.
    pub free: u32,
    /// The delay after the last free one; it doubles with each further failure.
    pub first_delay: Duration,
    /// The longest delay.
    pub longest_delay: Duration,
    /// After so long without a failure they are forgotten.
    pub forget_after: Duration,
    /// How many failures a minute one source may have over all accounts; 0 is any number.
    pub per_source: u32,
    /// How many accounts and sources are remembered; the least recently seen are forgotten first.
    pub capacity: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            free: 5,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_mins(15),
            forget_after: Duration::from_hours(1),
            per_source: 100,
            capacity: 100_000,
        }
    }
}

/// The counts. What it is asked about is identified by digests only.
#[derive(Debug)]
pub(crate) struct Throttle {
    rules: Rules,
    digester: Digester,
    pairs: Cache<Digest, Arc<Mutex<Pair>>>,
    sources: Cache<Digest, Arc<Mutex<Source>>>,
}

/// An account from one source.
#[derive(Debug, Clone, Copy)]
struct Pair {
    failures: u32,
    last: SystemTime,
    blocked_until: SystemTime,
    /// Whether it has signed in from there.
    is_known: bool,
}

/// A source over all accounts: failures it may still have.
#[derive(Debug, Clone, Copy)]
struct Source {
    left: f64,
    counted: SystemTime,
}

impl Throttle {
    pub(crate) fn new(rules: Rules, digester: Digester) -> Self {
        Self { rules, digester, pairs: lru(rules.capacity), sources: lru(rules.capacity) }
    }

    /// Whether an attempt may be made at all.
    ///
    /// # Errors
    /// How long it may not.
    pub(crate) fn check(&self, now: SystemTime, account: &str, source: Option<IpAddr>) -> Result<(), Duration> {
        let pair = self.pair(now, account, source);
        let pair = *lock(&pair);
        pair.check(now)?;
        let Some(budget) = self.source(now, source).filter(|_| !pair.is_known) else { return Ok(()) };
        lock(&budget).refill(now, self.rules.per_source)
    }

    /// Begins an attempt: it counts as a failure until it is known to be none, so that many at the same time count as many.
    ///
    /// # Errors
    /// How long it may not be made.
    pub(crate) fn begin(&self, now: SystemTime, account: &str, source: Option<IpAddr>) -> Result<Attempt, Duration> {
        let shared = self.pair(now, account, source);
        let mut pair = lock(&shared);
        pair.check(now)?;
        let charged = self.source(now, source).filter(|_| !pair.is_known);
        if let Some(budget) = &charged {
            let mut budget = lock(budget);
            budget.refill(now, self.rules.per_source)?;
            budget.left -= 1.0;
        }
        pair.fail(now, &self.rules);
        drop(pair);
        Ok(Attempt { pair: shared, source: charged, free: self.rules.free })
    }

    fn pair(&self, now: SystemTime, account: &str, source: Option<IpAddr>) -> Arc<Mutex<Pair>> {
        let source = source.map(network).map(|network| network.to_string());
        let key = self.digester.digest(&[account.as_bytes(), source.as_deref().unwrap_or("unknown").as_bytes()]);
        let shared = self.pairs.get_with(key, || Arc::new(Mutex::new(Pair::new(now))));
        let mut pair = lock(&shared);
        if since(now, pair.last) >= self.rules.forget_after {
            *pair = Pair { is_known: pair.is_known, ..Pair::new(now) };
        }
        drop(pair);
        shared
    }

    /// Sources that nobody knows share no budget: it would be everybody's.
    fn source(&self, now: SystemTime, source: Option<IpAddr>) -> Option<Arc<Mutex<Source>>> {
        let network = network(source.filter(|_| self.rules.per_source > 0)?);
        let key = self.digester.digest(&[network.to_string().as_bytes()]);
        let fresh = || Arc::new(Mutex::new(Source { left: f64::from(self.rules.per_source), counted: now }));
        Some(self.sources.get_with(key, fresh))
    }
}

/// An attempt under way. Dropped without a word it is a failure.
#[derive(Debug)]
pub(crate) struct Attempt {
    pair: Arc<Mutex<Pair>>,
    source: Option<Arc<Mutex<Source>>>,
    free: u32,
}

impl Attempt {
    /// The password was right: earlier failures of this account from this source are forgiven.
    pub(crate) fn succeeded(self) {
        let mut pair = lock(&self.pair);
        *pair = Pair { is_known: true, failures: 0, blocked_until: UNIX_EPOCH, last: pair.last };
        drop(pair);
        self.give_back();
    }

    /// There was no verdict: nothing happened.
    pub(crate) fn cancelled(self) {
        let mut pair = lock(&self.pair);
        pair.failures = pair.failures.saturating_sub(1);
        if pair.failures < self.free {
            pair.blocked_until = UNIX_EPOCH;
        }
        drop(pair);
        self.give_back();
    }

    fn give_back(&self) {
        if let Some(budget) = &self.source {
            lock(budget).left += 1.0;
        }
    }
}

impl Pair {
    fn new(now: SystemTime) -> Self {
        Self { failures: 0, last: now, blocked_until: UNIX_EPOCH, is_known: false }
    }

    fn check(&self, now: SystemTime) -> Result<(), Duration> {
        match since(self.blocked_until, now) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    fn fail(&mut self, now: SystemTime, rules: &Rules) {
        self.failures = self.failures.saturating_add(1);
        self.last = now;
        if let Some(doublings) = self.failures.checked_sub(rules.free) {
            let factor = 2_u32.saturating_pow(doublings);
            self.blocked_until = now + rules.first_delay.saturating_mul(factor).min(rules.longest_delay);
        }
    }
}

impl Source {
    /// Adds what time has brought; tells how long to wait if that is not enough for a failure.
    fn refill(&mut self, now: SystemTime, per_minute: u32) -> Result<(), Duration> {
        let per_second = f64::from(per_minute) / 60.0;
        self.left = (self.left + since(now, self.counted).as_secs_f64() * per_second).min(f64::from(per_minute));
        self.counted = now;
        if self.left >= 1.0 { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - self.left) / per_second)) }
    }
}

/// Who has an IPv6 address has at least 2^64 of them: they are one source.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

/// Zero if the clock went backwards.
fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lru<T: Clone + Send + Sync + 'static>(capacity: u64) -> Cache<Digest, T> {
    Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build()
}

#[cfg(test)]
mod tests;
