//! Removing tokens that ended long ago.

use std::sync::Arc;
use std::time::Duration;

use runtime::Clock;
use store::StoreError;

use crate::store::TokenStore;

/// Removes tokens that ended long ago.
#[derive(Clone)]
pub struct Pruner {
    pub(crate) store: Arc<TokenStore>,
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
        let Some(before) = self.clock.now().checked_sub(self.keep) else { return Ok(0) };
        store::prune(|limit| self.store.prune(before, limit)).await
    }
}
