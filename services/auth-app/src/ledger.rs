//! All tokens: the store, the keys of the digests, and the cache in front of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Reason, UserId};
use runtime::Random;
use secrecy::{ExposeSecret, SecretString};
use store::StoreError;
use uuid::Uuid;

use crate::cache::{Cache, Known, Miss};
use crate::model::{AppToken, Fingerprint, Stored};
use crate::pepper::{self, Peppers};
use crate::store::Tokens;
use crate::token::{self, WellFormed};

/// All tokens.
pub struct Ledger {
    tokens: Arc<dyn Tokens>,
    peppers: Peppers,
    cache: Cache,
}

/// Why there is no good token.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The text is not a good token, for this reason.
    #[error("invalid credentials")]
    Refused(Reason),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl Ledger {
    /// Tokens in this store, digested with these keys. What was read is believed for `believed_for`, unless this process
    /// revokes it.
    pub fn new(tokens: Arc<dyn Tokens>, peppers: Peppers, believed_for: Duration) -> Self {
        Self { tokens, peppers, cache: Cache::new(believed_for) }
    }

    /// Makes the secret of a token and adds the token. The secret exists nowhere else; it cannot be shown again.
    pub async fn issue(&self, token: AppToken, random: &Random) -> Result<SecretString, StoreError> {
        let secret = token::generate(random);
        let form = WellFormed::parse(secret.expose_secret());
        let form = form.ok_or_else(|| StoreError::internal("a token was made that is not well formed"))?;
        let fingerprint = self.peppers.fingerprint(form);
        self.tokens.add(&Stored { token, fingerprint }).await?;
        Ok(secret)
    }

    /// The token with this secret, if it is good at this moment. Junk costs no read, and a known token none either.
    pub async fn find(&self, secret: &str, now: SystemTime) -> Result<Arc<Known>, LookupError> {
        let form = WellFormed::parse(secret).ok_or(LookupError::Refused(Reason::Malformed))?;
        let fingerprint = self.peppers.fingerprint(form);
        let answer = self.cache.get(&fingerprint.digest, self.load(form, &fingerprint)).await;
        let known = answer.map_err(|miss| match &*miss {
            Miss::Unknown => LookupError::Refused(Reason::WrongSecret),
            Miss::Failed(error) => LookupError::Store(error.clone()),
        })?;
        if self.cache.is_revoked(known.token.id) {
            return Err(LookupError::Refused(Reason::Revoked));
        }
        match known.token.refusal(now) {
            Some(reason) => Err(LookupError::Refused(reason)),
            None => Ok(known),
        }
    }

    /// Reads a token, and brings it under the current key if it still is under the one before.
    async fn load(&self, form: WellFormed<'_>, current: &Fingerprint) -> Result<Option<Stored>, StoreError> {
        let fingerprints = self.peppers.fingerprints(form);
        let found = self.tokens.find(&fingerprints).await?;
        // an index compares as it likes: the whole digest is compared once more, in constant time
        let Some(stored) = found.filter(|stored| fingerprints.iter().any(|one| pepper::same(one, &stored.fingerprint)))
        else {
            return Ok(None);
        };
        if stored.fingerprint.key_id != current.key_id
            && let Err(error) = self.tokens.rekey(stored.token.id, current).await
        {
            tracing::warn!(%error, id = %stored.token.id, "a token stays under the former key for now");
        }
        Ok(Some(stored))
    }

    /// A user's good tokens, the oldest first.
    pub async fn list(&self, owner: &UserId, now: SystemTime) -> Result<Vec<AppToken>, StoreError> {
        self.tokens.list(owner, now).await
    }

    /// Revokes a user's token, for good; whether there was one. From then on this process refuses it.
    pub async fn revoke(&self, owner: &UserId, id: Uuid, now: SystemTime) -> Result<bool, StoreError> {
        let revoked = self.tokens.revoke(owner, id, now).await?;
        if revoked {
            self.cache.revoke(id);
        }
        Ok(revoked)
    }
}
