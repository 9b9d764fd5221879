//! Repeating what only failed because of another transaction.

use std::future::Future;
use std::time::Duration;

use crate::{Database, StoreError};

/// How often a call is tried before the caller is told that the database is too busy. With five tries one of fifty writers who
/// count and add for one owner at the same time on `PostgreSQL` was told so.
const ATTEMPTS: u32 = 7;

impl Database {
    /// Does `work`, which must be repeatable as a whole: begin, write, commit. It is repeated after a serialisation failure, a
    /// deadlock (`PostgreSQL` 40001, 40P01) and a lock held elsewhere (`SQLITE_BUSY`), with a little more patience each time.
    ///
    /// # Errors
    /// Those of the work; [`StoreError::Unavailable`] if `PostgreSQL` does not answer within
    /// [`Options::call_timeout`](crate::Options::call_timeout), so that a server that hangs is no longer waited for.
    pub async fn run<T, F>(&self, mut work: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let tries = async {
            for attempt in 1..ATTEMPTS {
                match work().await {
                    Err(error) if error.is_transient() => {
                        tracing::debug!(attempt, %error, "a transaction is tried again");
                        tokio::time::sleep(pause(attempt)).await;
                    }
                    outcome => return outcome,
                }
            }
            work().await
        };
        match self.call_timeout() {
            Some(limit) => tokio::time::timeout(limit, tries).await.unwrap_or_else(|_| Err(StoreError::timed_out())),
            None => tries.await,
        }
    }
}

/// 10 ms at first, doubled each time.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(5) * 2_u32.pow(attempt)
}
