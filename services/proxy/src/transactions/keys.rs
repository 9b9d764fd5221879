//! The keys by which the edge verifies transaction tokens: fetched of the gateway when a request needs them, and again now and then.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use authn::{Gateway, causes};
use token::transaction::{FRESH_FOR, KeySource, PublishedKeys, TransactionVerifier};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How long after a fetch the keys are not fetched again, whatever tokens name.
const PAUSE: Duration = Duration::from_secs(10);
/// How long keys are used that cannot be fetched again: the key of the next day is among them.
const LONGEST: Duration = Duration::from_hours(24);

/// The keys, if they were fetched. Clones share them.
#[derive(Clone)]
pub(super) struct Keys {
    gateway: Arc<dyn Gateway>,
    fetched: Arc<ArcSwapOption<Fetched>>,
    /// When the gateway has last answered, or has not; locked while it is asked.
    attempted: Arc<Mutex<Option<SystemTime>>>,
}

struct Fetched {
    verifier: TransactionVerifier,
    at: SystemTime,
}

impl Keys {
    /// The keys that this gateway publishes.
    pub(super) fn new(gateway: Arc<dyn Gateway>) -> Self {
        Self { gateway, fetched: Arc::default(), attempted: Arc::default() }
    }

    /// The verifier with these keys; `None` where the gateway does not answer and none were fetched recently. A request waits for the
    /// gateway only if there are none.
    pub(super) async fn verifier(&self, now: SystemTime) -> Option<TransactionVerifier> {
        let Some(fetched) = self.usable(now) else { return self.newest(now).await };
        if age(fetched.at, now) >= FRESH_FOR
            && let Ok(attempted) = Arc::clone(&self.attempted).try_lock_owned()
            && !is_paused(*attempted, now)
        {
            tokio::spawn(self.clone().fetch(attempted, now));
        }
        Some(fetched.verifier.clone())
    }

    /// The verifier with keys that were fetched a moment ago, for a token whose key is not among the former ones. Requests that need them at
    /// the same time wait for one answer, which comes although the client of the first one hangs up.
    pub(super) async fn newest(&self, now: SystemTime) -> Option<TransactionVerifier> {
        let attempted = Arc::clone(&self.attempted).lock_owned().await;
        if !is_paused(*attempted, now)
            && let Err(error) = tokio::spawn(self.clone().fetch(attempted, now)).await
        {
            tracing::error!(%error, "the keys of transaction tokens were not fetched");
        }
        self.usable(now).map(|fetched| fetched.verifier.clone())
    }

    fn usable(&self, now: SystemTime) -> Option<Arc<Fetched>> {
        self.fetched.load_full().filter(|fetched| age(fetched.at, now) < LONGEST)
    }

    async fn fetch(self, mut attempted: OwnedMutexGuard<Option<SystemTime>>, now: SystemTime) {
        match published_by(&*self.gateway, now).await {
            Ok(fetched) => self.fetched.store(Some(Arc::new(fetched))),
            Err(error) => tracing::warn!(%error, "the keys of transaction tokens cannot be fetched"),
        }
        *attempted = Some(now);
    }
}

async fn published_by(gateway: &dyn Gateway, now: SystemTime) -> Result<Fetched, String> {
    let key_set = gateway.transaction_keys().await.map_err(|error| format!("{error} {}", causes(&error)))?;
    if key_set.trust_domain.is_empty() {
        return Err("the gateway names no trust domain".to_owned());
    }
    let published = PublishedKeys::default();
    published.replace(&key_set.jwks).map_err(|error| error.to_string())?;
    let source = KeySource::Published(Arc::new(published));
    Ok(Fetched { verifier: TransactionVerifier::new(&key_set.trust_domain, source), at: now })
}

fn is_paused(attempted: Option<SystemTime>, now: SystemTime) -> bool {
    attempted.is_some_and(|attempted| age(attempted, now) < PAUSE)
}

/// How long ago something was; none if the clock was set back.
fn age(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or_default()
}
