//! The calls at one replica, which gets an equal share of all: tokens by Zipf's law, through a cache like that of auth-app.

use bounded_cache::HeapSize;
use moka::sync::Cache;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::Arguments;

/// What a cached token takes, and when it was read, in microseconds of the simulation.
#[derive(Debug, Clone)]
struct Entry {
    bytes: usize,
    read: u64,
}

impl HeapSize for Entry {
    fn heap_size(&self) -> usize {
        self.bytes
    }
}

/// How unequally tokens are used: by Zipf's law.
#[derive(Debug, Clone, Copy)]
pub(super) struct Popularity {
    /// How many tokens are in use.
    pub(super) active: u64,
    /// The exponent.
    pub(super) skew: f64,
}

impl Popularity {
    /// The rank of the token of a call, from 0: the inverse of the integral of `x^-skew` from 1 to the number of tokens.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "ranks are positive, and far below 2^52"
    )]
    #[expect(clippy::cast_precision_loss, reason = "numbers of tokens are far below 2^52")]
    pub(super) fn token(self, random: &mut SmallRng) -> u64 {
        let (share, most): (f64, f64) = (random.random(), (self.active + 1) as f64);
        let power = 1.0 - self.skew;
        let rank = if power.abs() < 1e-9 {
            most.powf(share)
        } else {
            (share * (most.powf(power) - 1.0) + 1.0).powf(1.0 / power)
        };
        (rank as u64).clamp(1, self.active) - 1
    }
}

/// A replica and its calls.
pub(super) struct Traffic {
    cache: Cache<u64, Entry>,
    random: SmallRng,
    /// How many tokens the cache holds.
    capacity: u64,
    popularity: Popularity,
    /// What an entry takes in addition to what the cache counts by itself.
    bytes: usize,
    cached_for: u64,
    /// Between two calls, in microseconds.
    period: f64,
    calls: u32,
}

impl Traffic {
    /// A replica with so many MiB for tokens, whose calls are with so many tokens.
    pub(super) fn new(arguments: &Arguments, active: u64, mib: u32) -> Self {
        let bound = u64::from(mib) * bounded_cache::MIB;
        let cache = bounded_cache::sync(bound).build();
        let empty = bounded_cache::weight(&0_u64, &Entry { bytes: 0, read: 0 });
        let nodes = f64::from(arguments.nodes.get());
        Self {
            cache,
            random: SmallRng::seed_from_u64(arguments.seed),
            capacity: bound / u64::from(arguments.entry.max(empty)),
            popularity: Popularity { active, skew: arguments.skew },
            bytes: arguments.entry.saturating_sub(empty) as usize,
            cached_for: u64::from(arguments.cached_for) * 1_000_000,
            period: 1_000_000.0 * nodes / f64::from(arguments.rate),
            calls: arguments.calls,
        }
    }

    /// How many tokens fit into the cache.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The share of the calls that find their token in the cache, once that is full.
    pub(super) fn hit_ratio(mut self) -> f64 {
        // the most used tokens first, as after a long time: to fill a large cache by calls would take most of the simulation
        for token in (0..self.capacity.min(self.popularity.active)).rev() {
            self.cache.insert(token, Entry { bytes: self.bytes, read: 0 });
        }
        self.cache.run_pending_tasks();
        let half = self.calls / 2;
        for call in 0..half {
            self.call(call);
        }
        let hits: u32 = (half..self.calls).map(|call| u32::from(self.call(call))).sum();
        f64::from(hits) / f64::from(self.calls - half)
    }

    /// One call; returns whether its token was in the cache.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times are positive, and far below 2^52"
    )]
    fn call(&mut self, number: u32) -> bool {
        let now = (f64::from(number) * self.period) as u64;
        let token = self.popularity.token(&mut self.random);
        if self.cache.get(&token).is_some_and(|entry| now - entry.read < self.cached_for) {
            return true;
        }
        self.cache.insert(token, Entry { bytes: self.bytes, read: now });
        false
    }
}
