//! Repeating what only failed because of another transaction.

use std::future::Future;
use std::time::Duration;

use crate::{Database, StoreError};

/// How often a call is tried before it fails because the database is too busy. With five tries one of fifty writers that
/// count and add for one owner at the same time on `PostgreSQL` failed.
const ATTEMPTS: u32 = 7;

impl Database {
    /// Does `work`, which must be repeatable as a whole: begin, write, commit. It is repeated after a serialisation failure, a
    /// deadlock (`PostgreSQL` 40001, 40P01) and a lock held elsewhere (`SQLITE_BUSY`), with a little more patience each time.
    /// A server that refuses to write (25006) is asked once more by a new connection, as another one may be the primary by now.
    ///
    /// # Errors
    /// Those of the work; [`StoreError::Unavailable`] if `PostgreSQL` does not answer within
    /// [`Options::call_timeout`](crate::Options::call_timeout), so that a server that hangs is no longer waited for.
    pub async fn run<T, F>(&self, mut work: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let tries = async {
            let mut attempt = 1;
            loop {
                match work().await {
                    Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                        tracing::debug!(attempt, %error, "a transaction is tried again");
                        tokio::time::sleep(pause(attempt)).await;
                    }
                    // by a connection to the server that is the primary now
                    Err(error) if error.is_read_only() && attempt == 1 => self.discard_connections(),
                    outcome => return outcome,
                }
                attempt += 1;
            }
        };
        let outcome = match self.call_timeout() {
            Some(limit) => tokio::time::timeout(limit, tries).await.unwrap_or_else(|_| Err(StoreError::timed_out())),
            None => tries.await,
        };
        match outcome {
            Err(error) if error.is_without_connection() => Err(self.explained(error).await),
            Err(error) => {
                if error.is_of_disk() {
                    self.writes.failed();
                }
                Err(error)
            }
            done => done,
        }
    }

    fn discard_connections(&self) {
        if let Some(server) = self.server() {
            server.discard_connections();
        }
    }

    /// Says why there was no connection, which a pool does not.
    async fn explained(&self, error: StoreError) -> StoreError {
        match self.server() {
            Some(server) => StoreError::without_connection(&server.why_no_connection().await),
            None => error,
        }
    }
}

/// 10 ms at first, doubled each time.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(5) * 2_u32.pow(attempt)
}
