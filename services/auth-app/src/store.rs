//! Where tokens are kept.

mod entity;
mod sql;

use std::time::SystemTime;

use async_trait::async_trait;
use authn::UserId;
use store::StoreError;
use uuid::Uuid;

pub use sql::Sql;

use crate::model::{AppToken, Fingerprint, Stored};

/// Keeps tokens. What is acknowledged is durable.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Adds a token.
    async fn add(&self, token: &Stored) -> Result<(), StoreError>;

    /// The token with one of these fingerprints, revoked and expired ones too. One indexed read.
    async fn find(&self, fingerprints: &[Fingerprint]) -> Result<Option<Stored>, StoreError>;

    /// A user's tokens that are neither revoked nor over, the oldest first.
    async fn list(&self, owner: &UserId, now: SystemTime) -> Result<Vec<AppToken>, StoreError>;

    /// Revokes a user's token; whether it was that user's and not yet revoked.
    async fn revoke(&self, owner: &UserId, id: Uuid, now: SystemTime) -> Result<bool, StoreError>;

    /// Exchanges the fingerprint of a token whose secret is the same: its key is a former one.
    async fn rekey(&self, id: Uuid, fingerprint: &Fingerprint) -> Result<(), StoreError>;
}
