//! `SQLite`: a file that only its owner may read, and nothing acknowledged before it is on disk.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Cause, StoreError};

/// Readers beside the one writer; each connection is a thread and a page cache.
const CONNECTIONS: u32 = 4;
/// How long a writer waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let file = options.get_filename().to_owned();
    create(&file).map_err(|error| {
        StoreError::Unavailable(Cause::new(format!("cannot open or create {}: {error}", file.display())))
    })?;
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // a WAL that is not synced at each commit loses acknowledged writes when the power fails
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT)
        // there is no network in between: a ping tells nothing
        .test_before_acquire(false)
        .max_lifetime(None);
    Ok(pool.connect_with(options).await?)
}

/// Makes the file and its folders, unless they are there. `SQLite` gives its side files the mode of the file.
fn create(file: &Path) -> Result<(), Error> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome.map(drop),
    }
}
