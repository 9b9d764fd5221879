//! Forgetting what is over.

use std::time::Duration;

use runtime::Clock;
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// How often is looked for what is over.
const EVERY: Duration = Duration::from_mins(10);
/// How much is removed in one go, so that nobody waits long for it.
const AT_ONCE: u64 = 1_000;

/// Removes what is over, until the service stops.
pub(crate) async fn keep_pruning(store: Store, clock: Clock, shutdown: CancellationToken) {
    let pruning = async {
        loop {
            loop {
                match store.prune(clock.now(), AT_ONCE).await {
                    Ok(removed) if removed >= AT_ONCE => tokio::task::yield_now().await,
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(%error, "what is over cannot be removed now");
                        break;
                    }
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    shutdown.run_until_cancelled(pruning).await;
}
