//! Removing rows that have ended.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;

use crate::{Database, StoreError};

/// How many rows one transaction removes at most: few enough that no caller waits for it.
const BATCH: u64 = 500;
/// The pause between two batches.
const PAUSE: Duration = Duration::from_millis(100);

/// Removes rows batch by batch, until one is not full; how many in all. `remove` takes the most rows of a batch and returns how
/// many it has removed.
///
/// # Errors
/// When a batch fails; those before it stay removed.
pub async fn prune<F>(remove: impl Fn(u64) -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut count = 0;
    loop {
        let removed = remove(BATCH).await?;
        count += removed;
        if removed < BATCH {
            return Ok(count);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Prunes now, since a service may restart more often than the interval, and after each interval, until the service stops. `rows`
/// is what the log calls them, in the plural.
pub async fn keep_pruning<F>(rows: &'static str, interval: Duration, prune: impl Fn() -> F, shutdown: CancellationToken)
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let pruning = async {
        loop {
            match prune().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "removed {rows} that have ended"),
                Err(error) => tracing::warn!(%error, "{rows} that have ended are not removed"),
            }
            tokio::time::sleep(interval).await;
        }
    };
    shutdown.run_until_cancelled(pruning).await;
}

impl Database {
    /// Removes at most `limit` rows of a table that meet an SQL condition; how many. `key` is the primary key. Rows that another
    /// replica has locked, to remove or to change them, are left to it, and not waited for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, table: &str, key: &str, condition: &str, limit: u64) -> Result<u64, StoreError> {
        let sql = remove(self.is_postgres(), table, key, condition, limit);
        self.run(|| async { Ok(self.connection().execute_unprepared(&sql).await?.rows_affected()) }).await
    }
}

/// As an array, the rows of `PostgreSQL` are chosen once: a subquery may be run again, and choose others.
fn remove(is_postgres: bool, table: &str, key: &str, condition: &str, limit: u64) -> String {
    let some = format!("SELECT {key} FROM {table} WHERE {condition} LIMIT {limit}");
    if is_postgres {
        // locked rows meet the condition still: those that were changed meanwhile are compared once more
        format!("DELETE FROM {table} WHERE {key} = ANY (ARRAY({some} FOR UPDATE SKIP LOCKED))")
    } else {
        format!("DELETE FROM {table} WHERE {key} IN ({some})")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn remove_from(rows: &AtomicU64, limit: u64) -> u64 {
        let before = rows.load(Ordering::Relaxed);
        rows.store(before.saturating_sub(limit), Ordering::Relaxed);
        before.min(limit)
    }

    #[tokio::test(start_paused = true)]
    async fn batches_follow_until_one_is_not_full() {
        for total in [0, BATCH - 1, BATCH, 3 * BATCH + 7] {
            let rows = AtomicU64::new(total);
            let removed = prune(|limit| std::future::ready(Ok(remove_from(&rows, limit)))).await.expect("removes");
            assert_eq!((removed, rows.into_inner()), (total, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failed_pruning_is_tried_again_after_the_interval() {
        let tries = AtomicU64::new(0);
        let shutdown = CancellationToken::new();
        let pruning = keep_pruning(
            "rows",
            Duration::from_mins(1),
            || async {
                if tries.fetch_add(1, Ordering::Relaxed) == 2 {
                    shutdown.cancel();
                }
                Err(StoreError::internal("the disk is gone"))
            },
            shutdown.clone(),
        );
        pruning.await;
        assert_eq!(tries.load(Ordering::Relaxed), 3);
    }
}
