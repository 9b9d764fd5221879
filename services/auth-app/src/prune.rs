//! Removing tokens that ended long ago.

use std::sync::Arc;
use std::time::Duration;

use runtime::Clock;
use store::{ReplicaSync, StoreError};

use crate::store::TokenStore;

/// After which time a revocation that every replica has read is not kept for them any more.
const REVOCATIONS_KEPT: Duration = Duration::from_hours(1);

/// Removes tokens that ended long ago.
#[derive(Clone)]
pub struct Pruner {
    pub(crate) store: Arc<TokenStore>,
    pub(crate) sync: Arc<ReplicaSync>,
    pub(crate) clock: Clock,
    /// How long they are kept after their end.
    pub(crate) keep: Duration,
}

impl Pruner {
    /// Removes them all, a few at a time; how many.
    ///
    /// # Errors
    /// When the store fails; what was removed before stays so.
    pub async fn prune(&self) -> Result<u64, StoreError> {
        if let Some(condition) = self.sync.read_by_all(REVOCATIONS_KEPT) {
            store::prune(|limit| self.store.prune_revocations(&condition, limit)).await?;
        }
        let Some(before) = self.clock.now().checked_sub(self.keep) else { return Ok(0) };
        store::prune(|limit| self.store.prune(before, limit)).await
    }
}
