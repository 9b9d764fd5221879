//! Caches an issuer's metadata and keys. One caller at a time fetches them, unknown keys do not cause a fetch each, and the cache
//! stays usable for a day while the issuer is unreachable.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use authn::Reason;
use oidc::jose::{JwtError, KeySet, UnverifiedJwt};
use outbound::issuer::{Metadata, Source, SourceError};
use runtime::Clock;
use tokio::sync::{Mutex, MutexGuard};

use crate::metrics::KeyRequests;

/// The age from which the metadata is fetched again, in the background.
const FRESH: Duration = Duration::from_mins(10);
/// The age up to which it is used while the issuer is unreachable.
const USABLE: Duration = Duration::from_hours(24);
/// The least time between two fetches, whatever tokens are presented.
const PAUSE: Duration = Duration::from_secs(10);
/// The least time between two fetches while nothing is cached: until then no user of the issuer can sign in.
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// The cached metadata and keys of an issuer. Clones share it.
#[derive(Clone)]
pub struct KeyCache(Arc<Inner>);

struct Inner {
    source: Source,
    needs_keys: bool,
    clock: Clock,
    requests: KeyRequests,
    held: ArcSwapOption<Known>,
    /// When they were last fetched; locked during a fetch.
    last: Mutex<Option<SystemTime>>,
}

/// What the issuer publishes.
pub struct Known {
    /// Its metadata.
    pub metadata: Metadata,
    keys: KeySet,
    since: SystemTime,
}

/// Why a signature could not be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerificationError {
    /// The token is refused.
    Refused(Reason),
    /// Nothing is cached of the issuer, and it is unreachable.
    Unknown,
}

impl KeyCache {
    /// A cache that is still empty. With `needs_keys` a response without any key is not cached.
    pub fn new(source: Source, needs_keys: bool, clock: Clock, requests: KeyRequests) -> Self {
        let (held, last) = (ArcSwapOption::empty(), Mutex::default());
        Self(Arc::new(Inner { source, needs_keys, clock, requests, held, last }))
    }

    /// How the issuer is called.
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    /// Checks a signature by the issuer's keys.
    ///
    /// # Errors
    /// [`VerificationError`].
    pub async fn verify(&self, jwt: &UnverifiedJwt<'_>) -> Result<(), VerificationError> {
        if let Some(held) = self.usable()
            && let Some(verdict) = held.verify(jwt)
        {
            self.renew_if_old(&held);
            return verdict.map_err(VerificationError::Refused);
        }
        // a new key, or none yet: worth waiting for
        self.0.ask(self.0.last.lock().await).await;
        let held = self.usable().ok_or(VerificationError::Unknown)?;
        held.verify(jwt).unwrap_or(Err(Reason::ForeignToken)).map_err(VerificationError::Refused)
    }

    /// What the issuer says of itself; `None` if it never said anything.
    pub async fn known(&self) -> Option<Arc<Known>> {
        if let Some(held) = self.usable() {
            self.renew_if_old(&held);
            return Some(held);
        }
        self.0.ask(self.0.last.lock().await).await;
        self.usable()
    }

    fn usable(&self) -> Option<Arc<Known>> {
        self.0.held.load_full().filter(|held| self.0.age(held.since) < USABLE)
    }

    fn renew_if_old(&self, held: &Known) {
        if self.0.age(held.since) < FRESH {
            return;
        }
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Ok(last) = inner.last.try_lock() {
                inner.ask(last).await;
            }
        });
    }
}

impl Known {
    /// `None` if there is no key of that name for that algorithm.
    fn verify(&self, jwt: &UnverifiedJwt<'_>) -> Option<Result<(), Reason>> {
        let key = self.keys.find(jwt.kid(), jwt.algorithm()?)?;
        Some(jwt.verify(key).map_err(|error| match error {
            JwtError::Signature => Reason::WrongSecret,
            _ => Reason::ForeignToken,
        }))
    }
}

impl Inner {
    fn age(&self, since: SystemTime) -> Duration {
        self.clock.now().duration_since(since).unwrap_or_default()
    }

    /// Asks the issuer, unless that was done just now. What is held stays if it does not answer.
    async fn ask(&self, mut last: MutexGuard<'_, Option<SystemTime>>) {
        let pause = if self.held.load().is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        if last.is_some_and(|last| self.age(last) < pause) {
            return;
        }
        let now = self.clock.now();
        *last = Some(now);
        let answer = self.source.ask().await;
        let is_good = answer.as_ref().is_ok_and(|(_, keys)| !(self.needs_keys && keys.is_empty()));
        self.requests.note(is_good);
        match answer {
            Ok((metadata, keys)) if is_good => {
                tracing::debug!("the issuer was asked");
                self.held.store(Some(Arc::new(Known { metadata, keys, since: now })));
            }
            Ok(_) => tracing::warn!("the issuer has no key that could be used"),
            Err(error) => warn(&error),
        }
    }
}

fn warn(error: &SourceError) {
    tracing::warn!(%error, "the issuer could not be asked");
}
