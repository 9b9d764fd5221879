//! Key sets that are fetched from clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bounded_cache::{ARC, HeapSize, MIB};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use oidc::jose::KeySet;
use outbound::Fetcher;
use runtime::Clock;
use tokio::sync::Mutex;

use super::ClientKeysError;
use super::client::RemoteKeys;
use super::fetch_rate::{FetchRate, WINDOW, age};

/// How long a key set is used without looking again.
const FRESH: Duration = Duration::from_mins(1);
/// How long one is used that cannot be fetched any more.
const STALE: Duration = Duration::from_hours(1);
/// The bound of the key sets, in bytes.
const BOUND: u64 = 4 * MIB;
/// The bound of the request counts, in bytes.
const RATES_BOUND: u64 = MIB / 4;
/// How many bytes the parts of a key set take at most for a byte of its text.
const PARTS: usize = 4;

/// Key sets by URL, and the number of requests to each URL.
pub(super) struct KeySets {
    fetcher: Fetcher,
    clock: Clock,
    sets: Cache<RemoteKeys, Arc<Held>>,
    rates: Cache<String, Arc<Rate>>,
}

/// What was fetched for one registration: another one of the same address begins anew. Its lock is held while it is fetched,
/// so that of many callers one fetches.
#[derive(Default)]
struct Held {
    fetched: Mutex<Fetched>,
    /// The length of the text that was fetched, in bytes.
    text: AtomicUsize,
}

#[derive(Default)]
struct Fetched(Option<(Arc<KeySet>, SystemTime)>);

impl HeapSize for Held {
    fn heap_size(&self) -> usize {
        ARC + size_of::<KeySet>() + PARTS * self.text.load(Ordering::Relaxed)
    }
}

/// The number of requests to a URL.
#[derive(Default)]
struct Rate(Mutex<FetchRate>);

impl HeapSize for Rate {
    fn heap_size(&self) -> usize {
        FetchRate::MOST_BYTES
    }
}

impl KeySets {
    pub(super) fn new(fetcher: Fetcher, clock: Clock) -> Self {
        let sets = bounded_cache::future(BOUND).eviction_policy(EvictionPolicy::lru()).time_to_idle(STALE).build();
        let rates =
            bounded_cache::future(RATES_BOUND).eviction_policy(EvictionPolicy::lru()).time_to_idle(WINDOW).build();
        Self { fetcher, clock, sets, rates }
    }

    /// What `read` finds in the key set of a client. Where it finds nothing, the set is fetched and read again: the client may
    /// have changed its keys a moment ago, also under the same name.
    ///
    /// # Errors
    /// [`ClientKeysError::Unreachable`] if there is no set.
    pub(super) async fn read<T>(
        &self,
        keys: &RemoteKeys,
        read: impl Fn(&KeySet) -> Option<T>,
    ) -> Result<Option<T>, ClientKeysError> {
        let held = self.sets.get_with_by_ref(keys, async { Arc::default() }).await;
        let mut fetched = held.fetched.lock().await;
        let now = self.clock.now();
        let found = fetched.within(FRESH, now).and_then(|set| read(&set));
        if found.is_some() {
            return Ok(found);
        }
        if self.may_fetch(&keys.uri, now).await {
            match self.fetch(&keys.uri).await {
                Ok((set, text)) => {
                    fetched.0 = Some((Arc::new(set), now));
                    held.text.store(text, Ordering::Relaxed);
                    // it is weighed when it is put there
                    self.sets.insert(keys.clone(), Arc::clone(&held)).await;
                }
                Err(problem) => tracing::warn!(uri = keys.uri, problem, "a client's keys cannot be fetched"),
            }
        }
        fetched.within(STALE, now).map(|set| read(&set)).ok_or(ClientKeysError::Unreachable)
    }

    async fn may_fetch(&self, uri: &str, now: SystemTime) -> bool {
        let rate = self.rates.get_with_by_ref(uri, async { Arc::default() }).await;
        rate.0.lock().await.begin(now)
    }

    /// The key set at an address, and the length of its text.
    async fn fetch(&self, uri: &str) -> Result<(KeySet, usize), String> {
        let body = self.fetcher.get(uri).await.map_err(|error| error.to_string())?;
        let set = KeySet::parse(&body).map_err(|error| error.to_string())?;
        Ok((set, body.len()))
    }
}

impl Fetched {
    /// The set, if it is not older than this.
    fn within(&self, most: Duration, now: SystemTime) -> Option<Arc<KeySet>> {
        self.0.as_ref().filter(|(_, at)| age(*at, now) < most).map(|(set, _)| Arc::clone(set))
    }
}
