//! Where verifiers are kept.

mod attempts;
mod counts;
mod entity;
mod sql;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use store::StoreError;

pub(crate) use counts::SqlCounts;
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

fn micros(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
