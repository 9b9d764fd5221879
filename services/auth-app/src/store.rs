//! Where tokens are kept.

mod entity;
mod foreign;
mod prune;
mod rows;
mod sql;
mod uses;

use std::time::SystemTime;

use async_trait::async_trait;
use authn::UserId;
use store::StoreError;
use uuid::Uuid;

pub use sql::Sql;

use crate::model::{AppToken, Digest, Fingerprint, LastUse, Stored};

/// What became of a token that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is durable.
    Done,
    /// Its owner has as many live tokens as are allowed; nothing was changed.
    Full,
}

/// Tokens from one on, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// The last one that is known already.
    pub after: Option<Uuid>,
    /// How many at most.
    pub limit: u64,
}

/// A use to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Which token was used.
    pub token: Uuid,
    /// When, whence and by what.
    pub last_use: LastUse,
    /// How far it has moved the token's end, if that moves.
    pub slid: Option<SystemTime>,
}

/// A token of another system: of its secret only that system's verifier is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The token, and by what it is found: see [`crate::foreign`].
    pub stored: Stored,
    /// SHA-256 of the verifier as it was there: names the token, and tells that it was taken over.
    pub imported: Digest,
    /// A verifier by which the token cannot be found, only recognised, at some cost.
    pub verifier: Option<String>,
}

/// A verifier that has to be tried.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Whose it is.
    pub token: Uuid,
    /// A bcrypt or argon2 string.
    pub verifier: String,
}

/// Keeps tokens. What is acknowledged is durable.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Adds a token, unless its owner has `most` live ones already; 0 is no limit.
    async fn add(&self, token: &Stored, most: u64, now: SystemTime) -> Result<Added, StoreError>;

    /// The token with one of these fingerprints, revoked and expired ones too. One indexed read.
    async fn find(&self, fingerprints: &[Fingerprint]) -> Result<Option<Stored>, StoreError>;

    /// The token with this identifier, revoked and expired ones too.
    async fn get(&self, id: Uuid) -> Result<Option<AppToken>, StoreError>;

    /// A user's tokens that are neither revoked nor over, by identifier, and so the oldest first.
    async fn list(&self, owner: &UserId, now: SystemTime, stretch: Stretch) -> Result<Vec<AppToken>, StoreError>;

    /// Gives a user's live token another label; whether there was one.
    async fn rename(&self, owner: &UserId, id: Uuid, label: &str) -> Result<bool, StoreError>;

    /// Revokes a user's token; whether it was that user's and not yet revoked. Other replicas can learn of it
    /// ([`revoked_lately`](Self::revoked_lately)) as soon as it is durable.
    async fn revoke(&self, owner: &UserId, id: Uuid, now: SystemTime) -> Result<bool, StoreError>;

    /// Revokes all tokens of a user; which.
    async fn revoke_all(&self, owner: &UserId, now: SystemTime) -> Result<Vec<Uuid>, StoreError>;

    /// The tokens that any replica has revoked in the last quarter of a minute, by the database's clock.
    async fn revoked_lately(&self) -> Result<Vec<Uuid>, StoreError>;

    /// Exchanges the fingerprint of a token whose secret is the same: its key is a former one, or it was another
    /// system's.
    async fn rekey(&self, id: Uuid, fingerprint: &Fingerprint) -> Result<(), StoreError>;

    /// Writes uses down, in one statement. An end only ever moves ahead.
    async fn note(&self, uses: &[Use]) -> Result<(), StoreError>;

    /// Removes at most `limit` tokens that have been over or revoked since before this moment; how many.
    async fn prune(&self, before: SystemTime, limit: u64) -> Result<u64, StoreError>;

    /// Takes over tokens of another system, all or none; for each, whether it was new.
    async fn import(&self, tokens: &[Foreign]) -> Result<Vec<bool>, StoreError>;

    /// Which token was taken over by the verifier with this digest.
    async fn imported(&self, digest: &Digest) -> Result<Option<Uuid>, StoreError>;

    /// Whether there is any token left whose secret is another system's.
    async fn has_foreign(&self) -> Result<bool, StoreError>;

    /// The verifiers of a user's live tokens that have to be tried, those first that were used last.
    async fn candidates(&self, owner: &UserId, now: SystemTime) -> Result<Vec<Candidate>, StoreError>;
}
