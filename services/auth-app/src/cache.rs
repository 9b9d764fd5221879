//! A bounded cache of tokens that were read from the store: each token is read by one caller at a time, and no entry is valid
//! after a revocation in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use authn::{Reason, Scopes};
use bounded_cache::{HeapSize, Lookups, MIB};
use moka::{future, sync};
use store::StoreError;
use uuid::Uuid;

use crate::last_used::Usage;
use crate::model::{AppToken, Digest};
use crate::revoked::Revoked;

/// The bound of the digests of which it is kept that no token has them, in bytes.
const UNKNOWN_BOUND: u64 = MIB;
/// How long an entry is valid.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// How long a read of a token may take at most; one that began before a revocation is over by then.
const SLOWEST_READ: Duration = Duration::from_mins(1);

/// A token that was read, ready for use.
#[derive(Debug)]
pub struct Known {
    /// The token.
    pub token: AppToken,
    /// What it may do.
    pub scopes: Arc<Scopes>,
    /// What is known of its uses.
    pub usage: Arc<Usage>,
    /// When it was read, to compute its age.
    pub read: Instant,
    /// The same by the clock that tokens end by.
    pub read_at: SystemTime,
}

impl HeapSize for Known {
    fn heap_size(&self) -> usize {
        let Self { token, scopes, usage, read: _, read_at: _ } = self;
        token.heap_size() + scopes.heap_size() + usage.heap_size()
    }
}

impl Known {
    /// When it ends if it is not used any more.
    pub fn end(&self) -> Option<SystemTime> {
        self.token.end_when_slid_to(self.usage.slid())
    }

    /// Why it is not valid at this moment; `None` if it is.
    pub fn refusal(&self, now: SystemTime) -> Option<Reason> {
        self.token.refusal(now, self.end())
    }
}

/// Why a token could not be read.
#[derive(Debug)]
pub enum Miss {
    /// There is none with this digest.
    Unknown,
    /// The store failed.
    Failed(StoreError),
}

/// What the cache holds at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Memory for tokens, in bytes.
    pub bytes: u64,
    /// How long an entry is valid.
    pub cached_for: Duration,
}

/// The cache.
pub struct Cache {
    tokens: future::Cache<Digest, Arc<Known>>,
    unknown: sync::Cache<Digest, ()>,
    lookups: Lookups,
    /// How long a token is kept as it was read.
    cached_for: Duration,
    /// How often something was forgotten before its time.
    forgotten: AtomicU64,
    /// Tokens of whose revocation this process knows, until no answer read before can be in `tokens`.
    revoked: Revoked,
}

impl Cache {
    /// A cache within these limits.
    pub fn new(limits: Limits) -> Self {
        let Limits { bytes, cached_for } = limits;
        Self {
            tokens: bounded_cache::future(bytes).time_to_live(cached_for).build(),
            cached_for,
            forgotten: AtomicU64::new(0),
            unknown: bounded_cache::sync(UNKNOWN_BOUND).time_to_live(UNKNOWN_FOR).build(),
            lookups: Lookups::default(),
            revoked: Revoked::new(cached_for + SLOWEST_READ),
        }
    }

    /// The token with this digest, if it is known.
    pub async fn known(&self, digest: &Digest) -> Option<Arc<Known>> {
        self.lookups.counted(self.tokens.get(digest).await)
    }

    /// How often tokens were known.
    pub fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// The token with this digest, read by `load` unless it is known. Of several callers at the same time one loads.
    pub async fn read(
        &self,
        digest: &Digest,
        load: impl Future<Output = Result<Option<Known>, StoreError>>,
    ) -> Result<Arc<Known>, Arc<Miss>> {
        if self.unknown.contains_key(digest) {
            return Err(Arc::new(Miss::Unknown));
        }
        let read = async {
            match load.await {
                Ok(Some(known)) => Ok(Arc::new(known)),
                Ok(None) => Err(Miss::Unknown),
                Err(error) => Err(Miss::Failed(error)),
            }
        };
        let outcome = self.tokens.try_get_with_by_ref(digest, read).await;
        if outcome.as_ref().is_err_and(|miss| matches!(**miss, Miss::Unknown)) {
            self.unknown.insert(*digest, ());
        }
        outcome
    }

    /// Forgets a token, so that it is read again.
    pub async fn forget(&self, digest: &Digest) {
        self.tokens.invalidate(digest).await;
        self.unknown.invalidate(digest);
        self.note_forgotten();
    }

    /// Forgets all tokens.
    pub fn clear(&self) {
        self.tokens.invalidate_all();
        self.note_forgotten();
    }

    /// After it was forgotten: who has seen the new number must not find what is forgotten.
    fn note_forgotten(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }

    /// How often something was forgotten: what was known before may have to be read again.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Whether what was read of a token is recent enough to be known still, unless it was forgotten.
    pub fn is_recent(&self, known: &Known) -> bool {
        known.read.elapsed() < self.cached_for
    }

    /// Remembers that a token has been revoked. Call it after that is durable and before it is acknowledged.
    pub fn revoke(&self, id: Uuid) {
        self.revoked.add(id, Instant::now());
    }

    /// Whether a token is known to be revoked. Every result must be checked, since a read that was under way may be older
    /// than the revocation.
    pub fn is_revoked(&self, id: Uuid) -> bool {
        self.revoked.contains(id)
    }

    /// Whether all revocations are known that what was read then can have missed.
    pub fn knows_revocations_since(&self, read: Instant) -> bool {
        self.revoked.is_complete_since(read)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use authn::{Grants, UserId};

    use super::*;
    use crate::last_used::Uses;
    use crate::model::{Kind, Life};

    const LIMITS: Limits = Limits { bytes: 8 * MIB, cached_for: Duration::from_mins(15) };

    fn known(number: u32) -> Known {
        let token = AppToken {
            id: Uuid::from_u128(number.into()),
            owner: UserId { opaque_id: "x".repeat(36), ..UserId::default() },
            kind: Kind::App,
            label: "y".repeat(200),
            grants: Grants::user(),
            created: UNIX_EPOCH,
            imported: None,
            created_by: "x".repeat(36),
            life: Life::Fixed(None),
            slid: None,
            last_use: None,
            revoked: None,
        };
        let scopes = Arc::new(token.grants.to_cs3().with_amr(authn::amr::APP));
        let usage = Uses::default().of(&token);
        Known { token, scopes, usage, read: Instant::now(), read_at: UNIX_EPOCH }
    }

    #[tokio::test]
    async fn many_tokens_stay_within_the_bound() {
        let cache = Cache::new(LIMITS);
        for number in 0..20_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            cache.read(&digest, async { Ok(Some(known(number))) }).await.expect("it is read");
            cache.unknown.insert(digest, ());
        }
        cache.tokens.run_pending_tasks().await;
        cache.unknown.run_pending_tasks();
        assert!(cache.tokens.weighted_size() <= LIMITS.bytes, "{}", cache.tokens.weighted_size());
        assert!((1_000..10_000).contains(&cache.tokens.entry_count()), "{}", cache.tokens.entry_count());
        assert!(cache.unknown.weighted_size() <= UNKNOWN_BOUND, "{}", cache.unknown.weighted_size());
    }

    #[tokio::test]
    async fn evicted_token_stays_revoked() {
        let cache = Cache::new(LIMITS);
        let first = cache.read(&[1; 32], async { Ok(Some(known(1))) }).await.expect("it is read");
        cache.revoke(first.token.id);
        for number in 2..200_000_u32 {
            cache.revoke(Uuid::from_u128(number.into()));
        }
        let is_refused = cache.is_revoked(first.token.id) || !cache.knows_revocations_since(first.read);
        assert!(is_refused, "however many were revoked since");
    }
}
