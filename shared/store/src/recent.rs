//! What was read a moment ago, for while the database is away.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bounded_cache::HeapSize;
use moka::sync::Cache;

use crate::StoreError;

/// How long results that the database returned or confirmed are used while it does not answer. By then a replica
/// that it does answer may have changed it.
pub const MAX_STALENESS: Duration = Duration::from_secs(5);
/// How long the database is waited for if there is a recent result: callers give up after two seconds.
const PATIENCE: Duration = Duration::from_millis(500);

/// Waits for an answer of the database, or not for as long where a recent one is known. `is_away` tells whether an error is that
/// the database does not answer.
///
/// # Errors
/// Those of the read.
pub async fn read_or_recent<T, E>(
    recent: impl Fn() -> Option<T>,
    read: impl Future<Output = Result<T, E>>,
    is_away: impl Fn(&E) -> bool,
) -> Result<T, E> {
    if recent().is_none() {
        return read.await;
    }
    let mut read = pin!(read);
    // what is recent is asked for once more: it may be too old by now, or written to
    match tokio::time::timeout(PATIENCE, &mut read).await {
        Ok(Err(error)) if is_away(&error) => recent().ok_or(error),
        Ok(outcome) => outcome,
        Err(_) => match recent() {
            Some(value) => Ok(value),
            None => read.await,
        },
    }
}

/// Rows that were read in the last [`MAX_STALENESS`], by key. What this process writes is never read from here: a writer
/// holds a [`Forgetting`] until the write has ended.
pub struct Recent<T> {
    rows: Cache<String, (Instant, T)>,
    /// How many writes there were; changed while `keeping` is held.
    writes: AtomicU64,
    /// Held by what keeps a row, and by what forgets one.
    keeping: Mutex<()>,
}

impl<T: Clone + HeapSize + Send + Sync + 'static> Recent<T> {
    /// Rows of this many bytes in all.
    pub fn new(bytes: u64) -> Self {
        let rows = bounded_cache::sync(bytes).time_to_live(MAX_STALENESS).build();
        Self { rows, writes: AtomicU64::default(), keeping: Mutex::default() }
    }

    /// A row as it is read, or as it was read a moment ago if the database does not answer.
    ///
    /// # Errors
    /// Those of the read.
    pub fn read<'a>(
        &'a self,
        key: &'a str,
        read: impl Future<Output = Result<Option<T>, StoreError>> + Send + 'a,
    ) -> impl Future<Output = Result<Option<T>, StoreError>> + Send + 'a {
        // a database's future is large, and those who wait for it would each hold a copy
        let read = Box::pin(read);
        async move {
            let before = self.writes.load(Ordering::SeqCst);
            let read = async {
                let row = read.await?;
                self.keep(key, row.as_ref(), before);
                Ok(row)
            };
            read_or_recent(|| self.get(key).map(Some), read, |error| matches!(error, StoreError::Unavailable(_))).await
        }
    }

    fn get(&self, key: &str) -> Option<T> {
        self.rows.get(key).filter(|(at, _)| at.elapsed() < MAX_STALENESS).map(|(_, row)| row)
    }

    /// Keeps what was read, unless something was written since: then it may be outdated already.
    fn keep(&self, key: &str, row: Option<&T>, before: u64) {
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        match row {
            Some(row) if self.writes.load(Ordering::SeqCst) == before => {
                self.rows.insert(key.to_owned(), (Instant::now(), row.clone()));
            }
            _ => self.rows.invalidate(key),
        }
    }

    /// Forgets a row that is written to, or all, once the answer is dropped, however the write has ended.
    pub fn forgetting(&self, key: Option<String>) -> Forgetting<'_, T> {
        Forgetting { recent: self, key }
    }

    fn forget(&self, key: Option<&str>) {
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.writes.fetch_add(1, Ordering::SeqCst);
        match key {
            Some(key) => self.rows.invalidate(key),
            None => self.rows.invalidate_all(),
        }
    }
}

/// A write that is under way.
pub struct Forgetting<'a, T: Clone + HeapSize + Send + Sync + 'static> {
    recent: &'a Recent<T>,
    key: Option<String>,
}

impl<T: Clone + HeapSize + Send + Sync + 'static> Drop for Forgetting<'_, T> {
    fn drop(&mut self) {
        self.recent.forget(self.key.as_deref());
    }
}
