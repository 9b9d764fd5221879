//! Key sets that are fetched from clients.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use moka::future::Cache;
use oidc::jose::KeySet;
use outbound::Fetcher;
use runtime::Clock;
use tokio::sync::Mutex;

use super::ClientKeysError;

/// How long a key set is used without looking again.
const FRESH: Duration = Duration::from_mins(1);
/// How long one is used that cannot be fetched any more.
const STALE: Duration = Duration::from_hours(1);
/// How long nothing is fetched after a try.
const PAUSE: Duration = Duration::from_secs(10);
/// The most addresses of which key sets are held.
const MOST: u64 = 1_000;

/// Key sets by address.
pub(super) struct KeySets {
    fetcher: Fetcher,
    clock: Clock,
    sets: Cache<String, Arc<Mutex<Fetched>>>,
}

/// What is known of one address. Its lock is held while it is fetched, so that of many callers one fetches.
#[derive(Default)]
struct Fetched {
    set: Option<(Arc<KeySet>, SystemTime)>,
    tried: Option<SystemTime>,
}

impl KeySets {
    pub(super) fn new(fetcher: Fetcher, clock: Clock) -> Self {
        Self { fetcher, clock, sets: Cache::builder().max_capacity(MOST).time_to_idle(STALE).build() }
    }

    /// The key set at an address, with the key of this name in it if there is one now.
    pub(super) async fn at(&self, uri: &str, kid: Option<&str>) -> Result<Arc<KeySet>, ClientKeysError> {
        self.having(uri, |set| kid.is_none_or(|kid| set.has_kid(kid))).await
    }

    /// Whether the certificate with this thumbprint stands in the key set at an address.
    pub(super) async fn knows(&self, uri: &str, thumbprint: &str) -> bool {
        let set = self.having(uri, |set| set.has_certificate(thumbprint)).await;
        set.is_ok_and(|set| set.has_certificate(thumbprint))
    }

    /// The key set at an address, read again if what is wanted is not in it.
    async fn having(&self, uri: &str, has: impl Fn(&KeySet) -> bool) -> Result<Arc<KeySet>, ClientKeysError> {
        let fetched = self.sets.get_with_by_ref(uri, async { Arc::default() }).await;
        let mut fetched = fetched.lock().await;
        let now = self.clock.now();
        if !fetched.suffices(has, now) && fetched.may_try(now) {
            fetched.tried = Some(now);
            match self.fetch(uri).await {
                Ok(set) => fetched.set = Some((Arc::new(set), now)),
                Err(problem) => tracing::warn!(uri, problem, "a client's keys cannot be fetched"),
            }
        }
        let usable = fetched.set.as_ref().filter(|(_, at)| age(*at, now) < STALE);
        usable.map(|(set, _)| Arc::clone(set)).ok_or(ClientKeysError::Unreachable)
    }

    async fn fetch(&self, uri: &str) -> Result<KeySet, String> {
        let body = self.fetcher.get(uri).await.map_err(|error| error.to_string())?;
        KeySet::parse(&body).map_err(|error| error.to_string())
    }
}

impl Fetched {
    fn suffices(&self, has: impl Fn(&KeySet) -> bool, now: SystemTime) -> bool {
        self.set.as_ref().is_some_and(|(set, at)| age(*at, now) < FRESH && has(set))
    }

    fn may_try(&self, now: SystemTime) -> bool {
        self.tried.is_none_or(|tried| age(tried, now) >= PAUSE)
    }
}

/// A clock that was set back makes nothing young again.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or(Duration::MAX)
}
