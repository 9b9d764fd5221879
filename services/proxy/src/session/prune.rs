//! Removing sessions that have ended.

use std::sync::Arc;
use std::time::Duration;

use ::store::StoreError;
use tokio_util::sync::CancellationToken;

use super::Sessions;

/// How often they are looked for.
const INTERVAL: Duration = Duration::from_mins(10);
/// How many are removed in one transaction: few enough that nobody waits for it.
const BATCH: u64 = 500;
/// The pause between two of them.
const BREATH: Duration = Duration::from_millis(100);

/// Removes them every now and then, until the service stops.
pub(super) async fn keep_pruning(sessions: Arc<Sessions>, shutdown: CancellationToken) {
    let pruning = async {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match sessions.prune().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "removed sessions that have ended"),
                Err(error) => tracing::warn!(%error, "sessions that have ended are not removed"),
            }
        }
    };
    shutdown.run_until_cancelled(pruning).await;
}

impl Sessions {
    async fn prune(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let now = self.clock.now();
            let Some(unused_since) = now.checked_sub(self.idle) else { return Ok(count) };
            let removed = self.rows.prune(now, unused_since, BATCH).await?;
            count += removed;
            if removed < BATCH {
                return Ok(count);
            }
            tokio::time::sleep(BREATH).await;
        }
    }
}
