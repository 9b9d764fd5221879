//! Caches the issuer's metadata and keys. One caller at a time fetches them, unknown keys do not cause a fetch each, and the cache
//! stays usable for a day while the issuer is unreachable.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use oidc::jose::{KeySet, UnverifiedJwt};
use outbound::issuer::{Metadata, Source};
use outbound::{Answer, FetchError, Question};
use runtime::Clock;
use tokio::sync::Mutex;

/// The age from which they are fetched again.
const FRESH: Duration = Duration::from_mins(10);
/// The age up to which they are used while the issuer is unreachable.
const USABLE: Duration = Duration::from_hours(24);
/// The least time between two fetches.
const PAUSE: Duration = Duration::from_secs(10);
/// The least time between two fetches while nothing is cached: until then no user can sign in.
const PAUSE_AT_FIRST: Duration = Duration::from_secs(1);

/// The issuer.
pub(crate) struct Issuer {
    name: String,
    source: Source,
    clock: Clock,
    held: ArcSwapOption<Known>,
    /// When they were last fetched; locked during a fetch.
    last: Mutex<Option<SystemTime>>,
}

/// What it publishes.
pub(crate) struct Known {
    /// Its metadata.
    pub(crate) metadata: Metadata,
    keys: KeySet,
    since: SystemTime,
}

/// Nothing is cached of the issuer, and it is unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer cannot be asked")]
pub(crate) struct Unknown;

impl Issuer {
    /// The issuer with this name; nothing is fetched yet.
    pub(crate) fn new(name: &str, source: Source, clock: Clock) -> Self {
        Self { name: name.to_owned(), source, clock, held: ArcSwapOption::empty(), last: Mutex::default() }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Calls an address that it has named.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn call(&self, address: &str, question: &Question<'_>) -> Result<Answer, FetchError> {
        self.source.call(address, question).await
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// [`Unknown`].
    pub(crate) async fn known(&self) -> Result<Arc<Known>, Unknown> {
        if let Some(held) = self.younger_than(FRESH) {
            return Ok(held);
        }
        self.ask().await;
        self.younger_than(USABLE).ok_or(Unknown)
    }

    /// Whether it has signed this.
    ///
    /// # Errors
    /// [`Unknown`].
    pub(crate) async fn has_signed(&self, jwt: &UnverifiedJwt<'_>) -> Result<bool, Unknown> {
        if let Some(verdict) = self.known().await?.has_signed(jwt) {
            return Ok(verdict);
        }
        // it may have a new key
        self.ask().await;
        let held = self.younger_than(USABLE).ok_or(Unknown)?;
        Ok(held.has_signed(jwt).unwrap_or(false))
    }

    fn younger_than(&self, most: Duration) -> Option<Arc<Known>> {
        self.held.load_full().filter(|held| self.age(held.since) < most)
    }

    fn age(&self, since: SystemTime) -> Duration {
        self.clock.now().duration_since(since).unwrap_or_default()
    }

    /// Asks, unless that was done just now. What is held stays if there is no answer.
    async fn ask(&self) {
        let mut last = self.last.lock().await;
        let pause = if self.held.load().is_some() { PAUSE } else { PAUSE_AT_FIRST };
        if last.is_some_and(|last| self.age(last) < pause) {
            return;
        }
        let since = self.clock.now();
        *last = Some(since);
        match self.source.ask().await {
            Ok((metadata, keys)) => self.held.store(Some(Arc::new(Known { metadata, keys, since }))),
            Err(error) => tracing::warn!(%error, "the issuer could not be asked"),
        }
    }
}

impl Known {
    /// `None` if there is no key of that name for that algorithm.
    fn has_signed(&self, jwt: &UnverifiedJwt<'_>) -> Option<bool> {
        let key = self.keys.find(jwt.kid(), jwt.algorithm()?)?;
        Some(jwt.verify(key).is_ok())
    }
}
