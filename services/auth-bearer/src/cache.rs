//! The issuer's keys, kept: asked for by one caller at a time, not again and again for keys that it has not, and good for a
//! day when it cannot be asked.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use jsonwebtoken::{Algorithm, DecodingKey};
use runtime::Clock;
use tokio::sync::{Mutex, MutexGuard};

use crate::issuer::{FetchError, Issuer};
use crate::keys::Keys;

/// How old keys may be before they are asked for anew, in the background.
const FRESH: Duration = Duration::from_mins(10);
/// How old keys may be when the issuer cannot be asked.
const USABLE: Duration = Duration::from_hours(24);
/// The least time between two questions, whatever is presented to us.
const PAUSE: Duration = Duration::from_secs(10);
/// The same as long as there are no keys at all: nobody can sign in until then.
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// The keys of an issuer. Clones share them.
#[derive(Clone)]
pub struct KeyCache(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    clock: Clock,
    held: ArcSwapOption<Held>,
    /// When the issuer was asked last; locked while it is.
    asked: Mutex<Option<SystemTime>>,
}

struct Held {
    keys: Keys,
    since: SystemTime,
}

/// There are no keys, and the issuer does not give any.
#[derive(Debug, thiserror::Error)]
#[error("the issuer's keys are not known")]
pub struct NoKeys;

impl KeyCache {
    /// Keys of this issuer, which is not asked yet.
    pub fn new(issuer: Issuer, clock: Clock) -> Self {
        Self(Arc::new(Inner { issuer, clock, held: ArcSwapOption::empty(), asked: Mutex::default() }))
    }

    /// The key of this name, for this algorithm.
    pub async fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Option<DecodingKey>, NoKeys> {
        if let Some(held) = self.usable()
            && let Some(key) = held.keys.find(kid, algorithm)
        {
            self.renew_if_old(&held);
            return Ok(Some(key.clone()));
        }
        // a new key, or none yet: worth waiting for
        self.0.ask(self.0.asked.lock().await).await;
        let held = self.usable().ok_or(NoKeys)?;
        Ok(held.keys.find(kid, algorithm).cloned())
    }

    fn usable(&self) -> Option<Arc<Held>> {
        self.0.held.load_full().filter(|held| self.0.age(held.since) < USABLE)
    }

    fn renew_if_old(&self, held: &Held) {
        if self.0.age(held.since) < FRESH {
            return;
        }
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Ok(asked) = inner.asked.try_lock() {
                inner.ask(asked).await;
            }
        });
    }
}

impl Inner {
    fn age(&self, since: SystemTime) -> Duration {
        self.clock.now().duration_since(since).unwrap_or_default()
    }

    /// Asks the issuer, unless that was done just now. What is held stays if it does not answer.
    async fn ask(&self, mut asked: MutexGuard<'_, Option<SystemTime>>) {
        let pause = if self.held.load().is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        if asked.is_some_and(|last| self.age(last) < pause) {
            return;
        }
        let now = self.clock.now();
        *asked = Some(now);
        match self.issuer.keys().await {
            Ok(keys) if keys.is_empty() => tracing::warn!("the issuer has no key that could be used"),
            Ok(keys) => {
                tracing::debug!(count = keys.len(), "the issuer's keys were read");
                self.held.store(Some(Arc::new(Held { keys, since: now })));
            }
            Err(error) => warn(&error),
        }
    }
}

/// The causes too: that a connection was refused stands only there.
fn warn(error: &FetchError) {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    tracing::warn!(error = text, "the issuer's keys could not be read");
}
