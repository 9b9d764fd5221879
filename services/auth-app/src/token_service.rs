//! All tokens: the store, the keys of the digests, and the cache in front of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use authn::{Caller, Reason, UserId};
use runtime::{Clock, Random};
use secrecy::{ExposeSecret, SecretString};
use store::{ReplicaSync, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::cache::{Cache, Known, Limits, Miss};
use crate::digest_keys::{self, DigestKeys};
use crate::last_used::Uses;
use crate::legacy_hashes::{self, Admission, Claimant, Found, Search};
use crate::model::{AppToken, Fingerprint, Stored};
use crate::store::{Added, TokenStore};
use crate::token::{self, WellFormed};

/// How long a secret is searched for among another system's verifiers before the caller has to try again; the search
/// goes on. Callers give up after two seconds.
const SEARCH_PATIENCE: Duration = Duration::from_millis(1500);
/// How long after a use it is written down at the latest, if it is due.
const WRITTEN_SOON: Duration = Duration::from_secs(5);
/// How often it is looked whether it was.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often uses are written down that are due; for other replicas a sliding token ends at the end that is written.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Where replicas announce that they have revoked tokens.
const CHANNEL: &str = "auth_app_revocations";
/// Where they write which ones.
const TABLE: &str = "app_token_revocations";
/// How many uses are written down in one statement at most.
const WRITE_AT_ONCE: usize = 1000;

/// All tokens.
pub struct TokenService {
    pub(crate) store: Arc<TokenStore>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) sync: Arc<ReplicaSync>,
    digest_keys: DigestKeys,
    uses: Uses,
    search: Arc<Search>,
    /// Whether there may be a token whose secret is another system's.
    has_legacy_hashes: AtomicBool,
}

/// Why there is no valid token.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The text is not a valid token, for this reason.
    #[error("invalid credentials")]
    Refused(Reason),
    /// It is being looked for among another system's verifiers, or too many others are.
    #[error("the token is being looked for")]
    Searching,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for LookupError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A secret that is looked up, and when.
#[derive(Clone, Copy)]
struct Presented<'a> {
    secret: &'a str,
    is_legacy: bool,
    now: SystemTime,
}

impl TokenService {
    /// Tokens in this store, digested with these keys. What was read is kept within these limits, unless it is known to
    /// be revoked, or other replicas may have revoked it unnoticed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: Arc<TokenStore>, digest_keys: DigestKeys, limits: Limits) -> Result<Self, StoreError> {
        let has_legacy_hashes = AtomicBool::new(store.has_legacy_hashes().await?);
        let sync = Arc::new(ReplicaSync::open(CHANNEL, TABLE, store.database()).await?);
        let (cache, search) = (Arc::new(Cache::new(limits)), Arc::default());
        Ok(Self { store, cache, sync, digest_keys, uses: Uses::default(), search, has_legacy_hashes })
    }

    /// Makes the secret of a token and adds the token, unless its owner has `most` already. The secret exists nowhere else;
    /// it cannot be shown again.
    pub async fn issue(
        &self,
        token: AppToken,
        most: u64,
        now: SystemTime,
        random: &Random,
    ) -> Result<Option<SecretString>, StoreError> {
        let secret = token::generate(random);
        let form = WellFormed::parse(secret.expose_secret());
        let form = form.ok_or_else(|| StoreError::internal("a token was made that is not well formed"))?;
        let fingerprint = self.digest_keys.fingerprint(form.text());
        let added = self.store.add(&Stored { token, fingerprint }, most, now).await?;
        Ok((added == Added::Done).then_some(secret))
    }

    /// The token with this secret, if it is valid at this moment. Junk costs no read, and a known token none either.
    /// `claimant` says who is said to have it: without one a secret that has to be tried is not found.
    pub async fn find(
        &self,
        secret: &str,
        claimant: Option<Claimant<'_>>,
        now: SystemTime,
    ) -> Result<Arc<Known>, LookupError> {
        if let Some(form) = WellFormed::parse(secret) {
            return self.lookup(Presented { secret: form.text(), is_legacy: false, now }).await;
        }
        if !self.may_be_legacy(secret) {
            return Err(LookupError::Refused(Reason::Malformed));
        }
        let presented = Presented { secret, is_legacy: true, now };
        match (self.lookup(presented).await, claimant) {
            (Err(LookupError::Refused(Reason::WrongSecret)), Some(claimant)) => {
                self.recognise(secret, claimant, now).await?;
                self.lookup(presented).await
            }
            (outcome, _) => outcome,
        }
    }

    /// Whether a text that is not of our form can be a secret that was taken over.
    pub fn may_be_legacy(&self, secret: &str) -> bool {
        self.has_legacy_hashes.load(Ordering::Relaxed) && legacy_hashes::is_plausible(secret)
    }

    /// Notes that tokens were imported.
    pub(crate) fn expect_legacy_hashes(&self) {
        self.has_legacy_hashes.store(true, Ordering::Relaxed);
        self.search.forget();
    }

    /// Looks whether another replica has imported any.
    pub(crate) async fn look_for_legacy_hashes(&self) {
        if let Ok(has_legacy_hashes) = self.store.has_legacy_hashes().await {
            self.has_legacy_hashes.store(has_legacy_hashes, Ordering::Relaxed);
        }
    }

    async fn lookup(&self, presented: Presented<'_>) -> Result<Arc<Known>, LookupError> {
        let (current, now) = (self.digest_keys.fingerprint(presented.secret), presented.now);
        let known = match self.cache.known(&current.digest).await {
            Some(known) if self.is_believed(&known, now) => known,
            stale => {
                if stale.is_some() {
                    self.cache.forget(&current.digest).await;
                }
                self.read(presented, &current).await?
            }
        };
        if self.cache.is_revoked(known.token.id) {
            return Err(LookupError::Refused(Reason::Revoked));
        }
        if !self.cache.knows_revocations_since(known.read) {
            let problem = "a token was read more slowly than revocations are remembered";
            return Err(LookupError::Store(StoreError::internal(problem)));
        }
        match known.refusal(now) {
            Some(reason) => Err(LookupError::Refused(reason)),
            None => Ok(known),
        }
    }

    /// Whether a token that was found would be found again as it was. `forgotten` is how often the cache had
    /// [`forgotten`](Cache::forgotten) something before the token was looked for.
    pub fn would_find(&self, known: &Known, forgotten: u64, now: SystemTime) -> bool {
        self.cache.forgotten() == forgotten
            && self.cache.is_recent(known)
            && self.is_believed(known, now)
            && !self.cache.is_revoked(known.token.id)
            && known.refusal(now).is_none()
    }

    /// What was read may be outdated: by a revocation that this process has missed or that had to make room, or by uses at another
    /// replica, which have moved the end of a sliding token that seems to be over.
    fn is_believed(&self, known: &Known, now: SystemTime) -> bool {
        self.sync.believes(known.read)
            && self.cache.knows_revocations_since(known.read)
            && !known.end().is_some_and(|end| end <= now && may_have_moved(known, end, now))
    }

    async fn read(&self, presented: Presented<'_>, current: &Fingerprint) -> Result<Arc<Known>, LookupError> {
        let answer = self.cache.read(&current.digest, self.load(presented, current)).await;
        answer.map_err(|miss| match &*miss {
            Miss::Unknown => LookupError::Refused(Reason::WrongSecret),
            Miss::Failed(error) => LookupError::Store(error.clone()),
        })
    }

    /// Reads a token, and brings it under the current key if it is not.
    async fn load(&self, presented: Presented<'_>, current: &Fingerprint) -> Result<Option<Known>, StoreError> {
        let Presented { secret, is_legacy, now } = presented;
        let mut fingerprints = self.digest_keys.fingerprints(secret);
        if is_legacy {
            fingerprints.push(legacy_hashes::fingerprint(secret));
        }
        let read = Instant::now();
        // boxed: each caller that waits for this read holds a copy of the future
        let found = Box::pin(self.store.find(&fingerprints)).await?;
        // an index compares as it likes: the whole digest is compared once more, in constant time
        let Some(Stored { token, fingerprint }) =
            found.filter(|stored| fingerprints.iter().any(|one| digest_keys::same(one, &stored.fingerprint)))
        else {
            return Ok(None);
        };
        if fingerprint.key_id != current.key_id
            && let Err(error) = Box::pin(self.store.rekey(token.id, current)).await
        {
            tracing::warn!(%error, id = %token.id, "a token stays under the former key for now");
        }
        let usage = self.uses.of(&token);
        Ok(Some(Known {
            scopes: Arc::new(token.grants.to_cs3().with_amr(authn::amr::APP)),
            token,
            usage,
            read,
            read_at: now,
        }))
    }

    /// Tries a secret against what is left of another system's verifiers of its owner. If one matches, the token gets a
    /// fingerprint of ours.
    async fn recognise(&self, secret: &str, claimant: Claimant<'_>, now: SystemTime) -> Result<(), LookupError> {
        let owner = claimant.owner;
        let current = self.digest_keys.fingerprint(secret);
        let attempt = self.digest_keys.fingerprint(&format!("{} {secret}", owner.opaque_id)).digest;
        if self.search.is_known_to_fit_none(&attempt) {
            return Err(LookupError::Refused(Reason::WrongSecret));
        }
        let candidates = Box::pin(self.store.candidates(owner, now)).await?;
        if candidates.is_empty() {
            return Err(LookupError::Refused(Reason::WrongSecret));
        }
        let admitted = match self.search.admit(attempt, claimant) {
            Admission::Begin(admitted) => admitted,
            Admission::Full => return Err(LookupError::Searching),
            Admission::Join(ended) => {
                let ended = tokio::time::timeout(SEARCH_PATIENCE, ended.cancelled()).await;
                return ended.map_err(|_| LookupError::Searching);
            }
        };
        let (search, store, cache) = (Arc::clone(&self.search), Arc::clone(&self.store), Arc::clone(&self.cache));
        let secret = SecretString::from(secret);
        // a task of its own, so that it ends well also when the caller does not wait for it
        let searching = tokio::spawn(async move {
            // it is under way until this task has ended, when its outcome can be looked up
            match search.search(&admitted, secret, candidates).await {
                Found::Token(id) => {
                    store.rekey(id, &current).await?;
                    cache.forget(&current.digest).await;
                    Ok(())
                }
                Found::None => Err(LookupError::Refused(Reason::WrongSecret)),
                Found::Busy => Err(LookupError::Searching),
            }
        });
        match tokio::time::timeout(SEARCH_PATIENCE, searching).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(LookupError::Searching),
        }
    }

    /// Records a use of a valid token.
    pub fn note(&self, known: &Known, now: SystemTime, caller: &Caller) {
        self.uses.note(&known.usage, now, caller);
    }

    /// Writes down the uses that are due by now; all, if the process is about to end.
    pub async fn write_uses(&self, now: SystemTime, all: bool) -> Result<(), StoreError> {
        let mut due = self.uses.due(now, all);
        while !due.is_empty() {
            let rest = due.split_off(due.len().min(WRITE_AT_ONCE));
            let uses: Vec<_> = due.iter().map(|(_, one)| one.clone()).collect();
            self.store.write_uses(&uses).await?;
            self.uses.written(due);
            due = rest;
        }
        Ok(())
    }

    /// Writes uses down when they are due, and all that are left when the service stops.
    pub async fn keep_writing_uses(self: Arc<Self>, clock: Clock, shutdown: CancellationToken) {
        let writing = async {
            loop {
                tokio::time::sleep(WRITE_INTERVAL).await;
                if let Err(error) = self.write_uses(clock.now(), false).await {
                    tracing::warn!(%error, "the uses of app tokens are not written down for now");
                }
            }
        };
        shutdown.run_until_cancelled(writing).await;
        if let Err(error) = self.write_uses(clock.now(), true).await {
            tracing::warn!(%error, "the last uses of app tokens are lost");
        }
    }

    /// Revokes a user's token permanently; returns whether there was one. From then on this process refuses it, and others soon.
    pub async fn revoke(&self, owner: &UserId, id: Uuid, now: SystemTime) -> Result<bool, StoreError> {
        let (store, owner) = (Arc::clone(&self.store), owner.clone());
        let revoke = async move { Ok(Vec::from_iter(store.revoke(&owner, id, now).await?.then_some(id))) };
        Ok(self.revoke_whole(revoke).await? > 0)
    }

    /// Revokes all tokens of a user; how many.
    pub async fn revoke_all(&self, owner: &UserId, now: SystemTime) -> Result<usize, StoreError> {
        let (store, owner) = (Arc::clone(&self.store), owner.clone());
        self.revoke_whole(async move { store.revoke_all(&owner, now).await }).await
    }

    /// In a task of its own: a caller that stops waiting must not leave behind what is revoked in the store and still valid
    /// in the cache.
    async fn revoke_whole(
        &self,
        revoke: impl Future<Output = Result<Vec<Uuid>, StoreError>> + Send + 'static,
    ) -> Result<usize, StoreError> {
        let (cache, sync) = (Arc::clone(&self.cache), Arc::clone(&self.sync));
        let whole = async move {
            let revoked = revoke.await?;
            for id in &revoked {
                cache.revoke(*id);
            }
            if !revoked.is_empty() {
                sync.announce();
            }
            Ok(revoked.len())
        };
        let ended = tokio::spawn(whole.in_current_span()).await;
        ended.unwrap_or_else(|error| Err(StoreError::internal(format!("a revocation did not end: {error}"))))
    }
}

/// Whether the end of a sliding token that has passed may have been moved since it was read: it was read before it had
/// passed; or soon after, when a use at another replica may not have been written down yet.
fn may_have_moved(known: &Known, end: SystemTime, now: SystemTime) -> bool {
    let may_go_on = known.token.life.latest().is_none_or(|latest| now < latest);
    let is_soon_after = end.checked_add(WRITTEN_SOON).is_some_and(|soon| known.read_at < soon);
    may_go_on && (known.read_at < end || (is_soon_after && known.read.elapsed() >= LOOK_AGAIN))
}
