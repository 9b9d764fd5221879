//! Calls on behalf of users that are in progress or were made lately, so that each is made once.

use std::time::Duration;

use authn::UserId;
use bounded_cache::{HeapSize, MIB};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::watch;

/// The bound of a cache, in bytes.
const BOUND: u64 = MIB / 4;
/// The two ends of a channel have allocated this, in bytes: eight lists of those who wait.
const CHANNEL: usize = 512;

/// A call for a user. The channel closes when there is an answer.
#[derive(Clone)]
pub(crate) struct PendingCall(pub(crate) watch::Receiver<()>);

impl HeapSize for PendingCall {
    fn heap_size(&self) -> usize {
        CHANNEL
    }
}

/// Holds calls for `pause` after they began. The least recently used are evicted first, so that a call that has just begun is
/// not made twice.
pub(crate) fn cache(pause: Duration) -> Cache<UserId, PendingCall> {
    bounded_cache::sync(BOUND).eviction_policy(EvictionPolicy::lru()).time_to_live(pause).build()
}
