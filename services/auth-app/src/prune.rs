//! What the service does by itself: writing uses down, and removing what has ended.

use std::sync::Arc;
use std::time::Duration;

use runtime::Clock;
use store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;
use crate::store::Tokens;

/// How many tokens are removed in one transaction: few enough that nobody waits for it.
const BATCH: u64 = 500;
/// The pause between two of them.
const BREATH: Duration = Duration::from_millis(100);
/// How often it is looked for uses that are due to be written down; for other replicas a sliding token ends at the end that
/// is.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Removes tokens that ended long ago.
#[derive(Clone)]
pub struct Pruner {
    pub(crate) tokens: Arc<dyn Tokens>,
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
        let mut count = 0;
        loop {
            let removed = self.tokens.prune(before, BATCH).await?;
            count += removed;
            if removed < BATCH {
                return Ok(count);
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Removes them every now and then, until the service stops.
    pub async fn keep_pruning(self, every: Duration, shutdown: CancellationToken) {
        let pruning = async {
            loop {
                tokio::time::sleep(every).await;
                match self.prune().await {
                    Ok(0) => {}
                    Ok(count) => tracing::info!(count, "removed app tokens that ended long ago"),
                    Err(error) => tracing::warn!(%error, "app tokens that ended long ago are not removed"),
                }
            }
        };
        shutdown.run_until_cancelled(pruning).await;
    }
}

/// Writes uses down when they are due, and all that are left when the service stops.
pub async fn write_uses(ledger: Arc<Ledger>, clock: Clock, shutdown: CancellationToken) {
    let writing = async {
        loop {
            tokio::time::sleep(WRITE_INTERVAL).await;
            if let Err(error) = ledger.write_uses(clock.now(), false).await {
                tracing::warn!(%error, "the uses of app tokens are not written down for now");
            }
        }
    };
    shutdown.run_until_cancelled(writing).await;
    if let Err(error) = ledger.write_uses(clock.now(), true).await {
        tracing::warn!(%error, "the last uses of app tokens are lost");
    }
}
