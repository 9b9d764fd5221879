//! `SQLite`: a file that only its owner may read, and nothing acknowledged before it is on disk.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::{
    ConnectOptions, Connection,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    },
};

use crate::measures::acquired;
use crate::{Cause, StoreError};

/// The page cache of each connection, in KiB: what a service asks for is a few rows by their key. The system caches the file as well,
/// once for all connections.
const CACHE_KIB: u32 = 512;
/// Connections that read; each is a thread and a page cache.
const READERS: u32 = 4;
/// The page cache of the one connection of a command that moves all rows, in KiB.
const TRANSFER_CACHE_KIB: u32 = 64 * 1024;
/// `SQLite` has one writer at a time. In this process the next one waits in the pool, in the order of arrival, and not with a
/// connection in its hands.
const WRITERS: u32 = 1;
/// How long a writer waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The pools of one file. A writer that waits for the file's lock occupies no connection that a reader needs.
pub(crate) struct Pools {
    pub(crate) writer: SqlitePool,
    /// Refuses to write.
    pub(crate) readers: SqlitePool,
}

pub(crate) async fn connect(options: SqliteConnectOptions) -> Result<Pools, StoreError> {
    make(options.get_filename())?;
    let options = durable(options, CACHE_KIB).journal_mode(SqliteJournalMode::Wal).busy_timeout(BUSY_TIMEOUT);
    let writer = pool(WRITERS).connect_with(options.clone()).await?;
    let readers = pool(READERS).connect_with(options.pragma("query_only", "on")).await?;
    Ok(Pools { writer, readers })
}

/// One connection to a file that no other one has open, until it is closed: with the locking mode `EXCLUSIVE` a database in WAL mode
/// is opened under its exclusive lock, and each connection in WAL mode holds the shared one.
pub(crate) async fn connect_exclusively(options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    make(options.get_filename())?;
    let options = durable(options, TRANSFER_CACHE_KIB)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::ZERO);
    Ok(pool(1).connect_with(options).await?)
}

/// One connection to a file that is complete in itself once it is closed.
pub(crate) async fn connect_without_log(file: &Path) -> Result<SqlitePool, StoreError> {
    make(file)?;
    let options = SqliteConnectOptions::new().filename(file);
    let options = durable(options, TRANSFER_CACHE_KIB).journal_mode(SqliteJournalMode::Delete);
    Ok(pool(1).connect_with(options.busy_timeout(Duration::ZERO)).await?)
}

/// One connection to a file that nothing writes to.
pub(crate) async fn connect_read_only(file: &Path) -> Result<SqlitePool, StoreError> {
    let options =
        SqliteConnectOptions::new().filename(file).read_only(true).immutable(true).disable_statement_logging();
    Ok(pool(1).connect_with(options).await?)
}

/// One connection to a database in memory.
pub(crate) async fn in_memory() -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new().foreign_keys(true).disable_statement_logging();
    Ok(pool(1).connect_with(options).await?)
}

/// What is the same for every connection to a file.
fn durable(options: SqliteConnectOptions, cache_kib: u32) -> SqliteConnectOptions {
    options
        .create_if_missing(true)
        // what is not synced at each commit loses acknowledged writes when the power fails
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // a negative number is KiB, a positive one is pages
        .pragma("cache_size", format!("-{cache_kib}"))
        .disable_statement_logging()
}

fn make(file: &Path) -> Result<(), StoreError> {
    create(file).map_err(|error| {
        StoreError::Unavailable(Cause::new(format!("cannot open or create {}: {error}", file.display())))
    })
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY_TIMEOUT)
        // there is no network in between: a ping proves nothing
        .test_before_acquire(false)
        .max_lifetime(None)
        // an open file is how `Database::connect_alone` sees that a service runs
        .idle_timeout(None)
        .before_acquire(|_, _| {
            acquired();
            Box::pin(async { Ok(true) })
        })
        .after_connect(|_, _| {
            acquired();
            Box::pin(async { Ok(()) })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // a rollback that was begun is done by then
                connection.ping().await?;
                let is_usable = !connection.is_in_transaction();
                if !is_usable {
                    tracing::warn!(
                        "closed a connection to the database whose transaction could not be ended; \
                         look for a full disk or an I/O error"
                    );
                }
                // where COMMIT fails SQLite may roll back by itself; the driver goes on counting a transaction, and the next
                // one would be a savepoint in none, whose release stores nothing
                Ok(is_usable)
            })
        })
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
