//! Whether the database takes writes: the readiness check of every service with a database.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use runtime::Check;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::sync::Mutex;

use super::Database;
use crate::StoreError;

/// How long a write that succeeded counts, unless another one has failed since: a disk is not written to for each question.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// How long one that failed counts.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// How long is waited for the writes before it; a queue is no failure.
const QUEUE_PATIENCE: Duration = Duration::from_millis(700);

/// What is known of writes to a `SQLite` file.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    last: Mutex<Option<(Instant, Result<(), StoreError>)>>,
    /// A write has failed for the disk's sake since the last trial.
    has_failed: AtomicBool,
    trials: AtomicU32,
}

impl Writes {
    /// Notes that the disk has refused a write, or the server.
    pub(crate) fn failed(&self) {
        self.has_failed.store(true, Ordering::SeqCst);
    }
}

impl Database {
    /// The readiness check of a service that works with this database.
    pub fn check(&self) -> Check {
        let database = self.clone();
        Check::new("database", move || {
            let database = database.clone();
            async move { database.check_writable().await.map_err(|error| error.to_string()) }
        })
    }

    /// Whether the database answers and takes writes. On `SQLite` something is written, at most every few seconds, and at most
    /// every second after a write has failed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it does not: the server cannot be reached, or is read-only; the disk is full, read-only or
    /// fails.
    pub(crate) async fn check_writable(&self) -> Result<(), StoreError> {
        if self.is_postgres() {
            return self.run(|| self.check_server()).await;
        }
        let mut last = self.writes.last.lock().await;
        let has_failed = self.writes.has_failed.load(Ordering::SeqCst);
        match &*last {
            Some((at, outcome)) if outcome.is_err() && at.elapsed() < FAILED_FOR => return outcome.clone(),
            Some((at, Ok(()))) if !has_failed && at.elapsed() < TRUSTED_FOR => return Ok(()),
            _ => {}
        }
        self.writes.has_failed.store(false, Ordering::SeqCst);
        let Ok(outcome) = tokio::time::timeout(QUEUE_PATIENCE, self.run(|| self.try_to_write())).await else {
            self.writes.has_failed.fetch_or(has_failed, Ordering::SeqCst);
            return last.as_ref().map_or(Ok(()), |(_, outcome)| outcome.clone());
        };
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// Writes what means nothing: a number in the file's header, through the write-ahead log as any other write.
    async fn try_to_write(&self) -> Result<(), StoreError> {
        let number = self.writes.trials.fetch_add(1, Ordering::Relaxed) % 1_000_000;
        let sql = format!("PRAGMA user_version = {number}");
        Ok(self.connection().execute_unprepared(&sql).await.map(drop)?)
    }

    /// A standby, and a former primary after a switch-over, answer questions and refuse to write.
    async fn check_server(&self) -> Result<(), StoreError> {
        let question =
            Statement::from_string(DbBackend::Postgres, "SELECT current_setting('transaction_read_only') AS state");
        let row = self.connection().query_one_raw(question).await?;
        let state: String =
            row.ok_or_else(|| StoreError::internal("the server has no settings"))?.try_get("", "state")?;
        if state == "on" { Err(StoreError::read_only()) } else { Ok(()) }
    }
}
