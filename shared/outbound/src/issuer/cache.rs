//! Caches an issuer's metadata and keys. One caller at a time fetches them, unknown keys do not cause a fetch each, and the cache
//! stays usable for a day while the issuer is unreachable.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use oidc::jose::{JwtError, KeySet, UnverifiedJwt};
use runtime::Clock;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument;

use super::{Metadata, Source};

/// The age from which metadata and keys are fetched again.
const FRESH: Duration = Duration::from_mins(10);
/// The age from which they are not used any more before the issuer was asked again: an idle service learns of a removed key too.
const OLD: Duration = Duration::from_mins(20);
/// The age up to which they are used while the issuer is unreachable.
const USABLE: Duration = Duration::from_hours(24);
/// The least time between two fetches, whatever tokens are presented.
const PAUSE: Duration = Duration::from_secs(10);
/// The least time between two fetches while nothing is cached: until then no user of the issuer can sign in.
const PAUSE_WHILE_EMPTY: Duration = Duration::from_secs(1);

/// How a cache treats entries that are older than ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// It uses them, and fetches new ones in the background. Those that are older than twenty minutes it uses only if a fetch has failed within
    /// the last ten.
    Background,
    /// It fetches new ones first, and uses the old ones if that fails.
    First,
}

/// Receives whether a fetch returned usable metadata and keys.
pub type FetchHook = Box<dyn Fn(bool) + Send + Sync>;

/// How a cache behaves where its users differ.
pub struct CacheOptions {
    /// How old entries are treated.
    pub refresh: Refresh,
    /// Whether a response without any key is discarded.
    pub needs_keys: bool,
    /// Called after each fetch, once what it returned is in use.
    pub on_fetch: FetchHook,
}

/// The cached metadata and keys of an issuer.
pub struct IssuerCache(Arc<Inner>);

struct Inner {
    source: Source,
    clock: Clock,
    options: CacheOptions,
    cached: ArcSwapOption<IssuerData>,
    /// When they were last fetched; locked during a fetch.
    last_fetch: Arc<Mutex<Option<SystemTime>>>,
    /// When the last fetch had ended.
    tried_at: ArcSwapOption<SystemTime>,
}

/// The metadata and keys that an issuer publishes.
pub struct IssuerData {
    /// Its metadata.
    pub metadata: Metadata,
    keys: KeySet,
    fetched_at: SystemTime,
}

/// Nothing usable is cached of the issuer, and it is unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer cannot be asked")]
pub struct IssuerUnavailable;

/// Why a signature could not be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The issuer has no such key for this algorithm.
    #[error("the issuer has no key for the JWT")]
    NoKey,
    /// The issuer's key does not verify it.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// The issuer's keys are not available.
    #[error(transparent)]
    Unavailable(#[from] IssuerUnavailable),
}

impl IssuerCache {
    /// A cache that is still empty: nothing is fetched yet.
    pub fn new(source: Source, clock: Clock, options: CacheOptions) -> Self {
        let (cached, last_fetch, tried_at) = (ArcSwapOption::empty(), Arc::default(), ArcSwapOption::empty());
        Self(Arc::new(Inner { source, clock, options, cached, last_fetch, tried_at }))
    }

    /// How the issuer is called.
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    /// The issuer's metadata and keys.
    ///
    /// # Errors
    /// [`IssuerUnavailable`].
    pub async fn get(&self) -> Result<Arc<IssuerData>, IssuerUnavailable> {
        if let Some(data) = self.0.younger_than(FRESH) {
            return Ok(data);
        }
        if self.0.options.refresh == Refresh::Background
            && let Some(data) = self.0.younger_than(USABLE)
            && (self.0.age(data.fetched_at) < OLD || self.0.was_tried_within(FRESH))
        {
            self.refresh_in_background();
            return Ok(data);
        }
        self.fetch().await
    }

    /// Checks a signature by the issuer's keys. An unknown key causes a fetch, as the issuer may have a new one.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify(&self, jwt: &UnverifiedJwt<'_>) -> Result<(), VerifyError> {
        let verdict = self.get().await?.verify(jwt);
        let verdict = match verdict {
            Some(verdict) => verdict,
            None => self.fetch().await?.verify(jwt).ok_or(VerifyError::NoKey)?,
        };
        Ok(verdict?)
    }

    async fn fetch(&self) -> Result<Arc<IssuerData>, IssuerUnavailable> {
        // waiting ends with the caller, so that callers which go away leave nothing behind
        let last_fetch = Arc::clone(&self.0.last_fetch).lock_owned().await;
        if self.0.is_due(*last_fetch) {
            let inner = Arc::clone(&self.0);
            // a fetch that has begun does not: the next caller would take the attempt for made, and use what is old
            let fetching = async move { inner.fetch(last_fetch).await };
            if let Err(error) = tokio::spawn(fetching.in_current_span()).await {
                tracing::error!(%error, "a request to the issuer has ended without an outcome");
            }
        }
        self.0.younger_than(USABLE).ok_or(IssuerUnavailable)
    }

    fn refresh_in_background(&self) {
        // else one is under way
        let Ok(last_fetch) = Arc::clone(&self.0.last_fetch).try_lock_owned() else { return };
        if self.0.is_due(*last_fetch) {
            let inner = Arc::clone(&self.0);
            tokio::spawn(async move { inner.fetch(last_fetch).await });
        }
    }
}

impl IssuerData {
    /// `None` if there is no key of that name for that algorithm.
    fn verify(&self, jwt: &UnverifiedJwt<'_>) -> Option<Result<(), JwtError>> {
        let key = self.keys.find(jwt.kid(), jwt.algorithm()?)?;
        Some(jwt.verify(key))
    }
}

impl Inner {
    fn younger_than(&self, most: Duration) -> Option<Arc<IssuerData>> {
        self.cached.load_full().filter(|data| self.age(data.fetched_at) < most)
    }

    fn was_tried_within(&self, time: Duration) -> bool {
        self.tried_at.load().as_deref().is_some_and(|tried| self.age(*tried) < time)
    }

    fn age(&self, since: SystemTime) -> Duration {
        self.clock.now().duration_since(since).unwrap_or_default()
    }

    /// Whether metadata and keys may be fetched, as that was not done just now.
    fn is_due(&self, last_fetch: Option<SystemTime>) -> bool {
        let pause = if self.cached.load().is_some() { PAUSE } else { PAUSE_WHILE_EMPTY };
        last_fetch.is_none_or(|last| self.age(last) >= pause)
    }

    /// Fetches metadata and keys. The cached ones stay if it fails.
    async fn fetch(&self, mut last_fetch: OwnedMutexGuard<Option<SystemTime>>) {
        let fetched_at = self.clock.now();
        *last_fetch = Some(fetched_at);
        let response = self.source.ask().await;
        // callers that waited for the lock share this answer, and do not ask again
        *last_fetch = Some(self.clock.now());
        let is_usable = response.as_ref().is_ok_and(|(_, keys)| !(self.options.needs_keys && keys.is_empty()));
        match response {
            Ok((metadata, keys)) if is_usable => {
                self.cached.store(Some(Arc::new(IssuerData { metadata, keys, fetched_at })));
            }
            Ok(_) => tracing::warn!("the issuer has no key that could be used"),
            Err(error) => tracing::warn!(%error, "the issuer could not be asked"),
        }
        // after what it returned is in use
        self.tried_at.store(Some(Arc::new(self.clock.now())));
        (self.options.on_fetch)(is_usable);
    }
}
