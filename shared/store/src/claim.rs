//! One process at a time works with a `SQLite` file.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::sqlite::what_to_check;
use crate::{Cause, Database, StoreError};

impl Database {
    /// Makes this process the only one in which `service` works with the database, until the last clone of this handle is
    /// dropped: what it read may then be kept in memory, as no other process writes. A claim of another process is waited for
    /// for `patience`. Nothing happens on `PostgreSQL`, where several replicas are meant to work at the same time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if another process keeps its claim.
    pub async fn claim(mut self, service: &str, patience: Duration) -> Result<Self, StoreError> {
        let Some(file) = self.file() else { return Ok(self) };
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{service}.lock"));
        let lock = acquire(Path::new(&name), patience).await?;
        self.claim = Some(Arc::new(lock));
        Ok(self)
    }
}

async fn acquire(path: &Path, patience: Duration) -> Result<File, StoreError> {
    let failed = |problem: String| StoreError::Unavailable(Cause::new(problem));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| failed(format!("cannot open {}: {error}; {}", path.display(), what_to_check(path))))?;
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begin.elapsed() < patience => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(failed(format!("another process works with it and holds {}", path.display())));
            }
            Err(TryLockError::Error(error)) => return Err(failed(format!("cannot lock {}: {error}", path.display()))),
        }
    }
}
