//! A bounded cache of verification results, keyed by the hash of the token; concurrent callers share one verification.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bounded_cache::{HeapSize, Lookups, MIB};
use futures_util::future::BoxFuture;
use moka::future::Cache;

use crate::access::Access;
use crate::claims::Claims;
use crate::failure::Failure;
use crate::issuer::Issuer;

/// How long a refusal is cached.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// The bound of the cache, in bytes.
const BOUND: u64 = 4 * MIB;

/// The key of a token in the cache: its SHA-256.
pub type Key = [u8; 32];

/// Computes the key of a token.
pub fn key(token: &str) -> Key {
    crypto::fingerprint(token.as_bytes())
}

/// A verified token.
pub struct Verified {
    /// Its claims.
    pub claims: Claims,
    /// What it permits.
    pub access: Access,
}

/// The result of a verification.
#[derive(Clone)]
pub struct Outcome {
    /// The issuer of the token.
    pub issuer: Arc<Issuer>,
    /// The verified token, or why it is refused.
    pub verdict: Result<Arc<Verified>, Failure>,
    /// When it was verified.
    pub at: SystemTime,
    until: SystemTime,
}

impl HeapSize for Verified {
    fn heap_size(&self) -> usize {
        let Self { claims, access } = self;
        claims.heap_size() + access.scopes.heap_size() + access.actor.heap_size()
    }
}

impl HeapSize for Outcome {
    fn heap_size(&self) -> usize {
        // the issuer is shared by all
        let Self { issuer: _, verdict, at: _, until: _ } = self;
        match verdict {
            Ok(verified) => verified.heap_size(),
            Err(Failure::Unavailable(text)) => text.heap_size(),
            Err(Failure::Refused(_)) => 0,
        }
    }
}

impl Outcome {
    /// What was found at this time.
    pub fn new(issuer: &Arc<Issuer>, verdict: Result<Verified, Failure>, at: SystemTime) -> Self {
        let until = match &verdict {
            Ok(Verified { claims, .. }) => {
                let cached_until = at + issuer.settings.cache_ttl;
                claims.expires.map_or(cached_until, |end| end.min(cached_until))
            }
            Err(Failure::Refused(_)) => at + REFUSED_FOR.min(issuer.settings.cache_ttl),
            // nothing was found
            Err(Failure::Unavailable(_)) => at,
        };
        Self { issuer: Arc::clone(issuer), verdict: verdict.map(Arc::new), at, until }
    }

    fn is_fresh(&self, now: SystemTime) -> bool {
        now < self.until
    }
}

/// The cache. Clones share it.
#[derive(Clone)]
pub struct Results {
    outcomes: Cache<Key, Outcome>,
    lookups: Lookups,
}

impl Default for Results {
    fn default() -> Self {
        Self { outcomes: bounded_cache::future(BOUND).build(), lookups: Lookups::default() }
    }
}

impl Results {
    /// The cached result for a token, if it is valid at this time.
    pub async fn known(&self, key: &Key, now: SystemTime) -> Option<Outcome> {
        self.lookups.counted(self.outcomes.get(key).await.filter(|outcome| outcome.is_fresh(now)))
    }

    /// How often a result was known.
    pub fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// Caches a result.
    pub async fn keep(&self, key: Key, outcome: Outcome) {
        self.outcomes.insert(key, outcome).await;
    }

    /// What is known of a token, or what `find` finds; of several who want the same at the same time, one finds it for all.
    /// Results from before `not_before` are not used, nor those of an issuer other than `issuer`: its settings may have changed
    /// since. A caller has to check the latter again, as the result may be that of another caller.
    pub async fn find(
        &self,
        (key, issuer): (Key, &Arc<Issuer>),
        now: SystemTime,
        not_before: Option<SystemTime>,
        find: BoxFuture<'static, Outcome>,
    ) -> Outcome {
        let issuer = Arc::clone(issuer);
        let is_over = move |outcome: &Outcome| {
            let is_late = not_before.is_some_and(|time| outcome.at <= time);
            is_late || !outcome.is_fresh(now) || !Arc::ptr_eq(&outcome.issuer, &issuer)
        };
        self.outcomes.entry(key).or_insert_with_if(find, is_over).await.into_value()
    }
}
