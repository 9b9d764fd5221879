//! A bounded cache of verified tokens, keyed by the hash of the token. Refusals are not cached.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bounded_cache::{HeapSize, Lookups, MIB};
use moka::sync::Cache;

use crate::workload::Workload;

/// How long a verified token is cached at most.
const LONGEST: Duration = Duration::from_mins(1);
/// The bound of the cache, in bytes.
const BOUND: u64 = 4 * MIB;

/// The SHA-256 of a token.
pub(crate) type Key = [u8; 32];

/// A verified token.
#[derive(Clone)]
struct Verified {
    workload: Arc<Workload>,
    at: SystemTime,
    /// The generation of policy and keys that it was verified by.
    generation: u64,
}

impl HeapSize for Verified {
    fn heap_size(&self) -> usize {
        self.workload.heap_size()
    }
}

impl Verified {
    fn is_valid(&self, now: SystemTime, generation: u64) -> bool {
        // a token from the future was verified before the clock was set back
        let is_fresh = now.duration_since(self.at).is_ok_and(|age| age < LONGEST);
        is_fresh && self.generation == generation && self.workload.expires.is_none_or(|end| now < end)
    }
}

/// The cache.
pub(crate) struct Results {
    verified: Cache<Key, Verified>,
    lookups: Lookups,
}

impl Default for Results {
    fn default() -> Self {
        Self { verified: bounded_cache::sync(BOUND).build(), lookups: Lookups::default() }
    }
}

impl Results {
    /// What a token was verified as by the same policy and keys, if that was within the last minute and it has not expired since.
    pub(crate) fn known(&self, key: &Key, now: SystemTime, generation: u64) -> Option<Arc<Workload>> {
        let verified = self.verified.get(key).filter(|verified| verified.is_valid(now, generation));
        self.lookups.counted(verified.map(|verified| verified.workload))
    }

    /// Caches a verified token.
    pub(crate) fn keep(&self, key: Key, workload: &Arc<Workload>, at: SystemTime, generation: u64) {
        self.verified.insert(key, Verified { workload: Arc::clone(workload), at, generation });
    }

    /// How often a token was known.
    pub(crate) fn lookups(&self) -> &Lookups {
        &self.lookups
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn verified_token_is_known_for_a_minute_by_the_same_keys_and_until_it_expires() {
        let (results, now) = (Results::default(), UNIX_EPOCH + Duration::from_hours(500_000));
        let after = |seconds| now + Duration::from_secs(seconds);
        let workload = |expires| Arc::new(Workload { expires, ..Workload::certificate("x") });
        results.keep([1; 32], &workload(None), now, 7);
        results.keep([2; 32], &workload(Some(after(10))), now, 7);
        assert!(results.known(&[1; 32], after(59), 7).is_some());
        assert!(results.known(&[1; 32], after(60), 7).is_none());
        assert!(results.known(&[1; 32], now, 8).is_none(), "a key or the policy has changed");
        assert!(results.known(&[1; 32], now - Duration::from_secs(1), 7).is_none(), "the clock was set back");
        assert!(results.known(&[2; 32], after(9), 7).is_some());
        assert!(results.known(&[2; 32], after(10), 7).is_none());
        assert!(results.known(&[3; 32], now, 7).is_none());
    }
}
