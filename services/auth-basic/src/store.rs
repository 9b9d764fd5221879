//! Where verifiers are kept.

mod entity;
mod sql;

use std::time::SystemTime;

use async_trait::async_trait;
use store::StoreError;

pub use sql::Sql;

/// Verifiers of passwords, by the person's identifier. The boundary to whatever keeps them.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// The verifier of a person, if there is one.
    async fn verifier(&self, user_id: &str) -> Result<Option<String>, StoreError>;
    /// Keeps this verifier, in place of any there is.
    async fn set(&self, user_id: &str, verifier: &str, now: SystemTime) -> Result<(), StoreError>;
    /// Keeps `new` if `old` is still what is kept; says whether it was.
    async fn replace(&self, user_id: &str, old: &str, new: &str, now: SystemTime) -> Result<bool, StoreError>;
    /// Forgets the verifier; says whether there was one.
    async fn remove(&self, user_id: &str) -> Result<bool, StoreError>;
}
