//! `SQLite`: a file that only its owner may read, and nothing acknowledged before it is on disk.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::process::geteuid;
use sea_orm::sqlx::{
    ConnectOptions, Connection,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    },
};

use crate::StoreError;
use crate::measures::acquired;

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
    let file = options.get_filename().to_owned();
    open_pools(options).await.map_err(|error| explained(error, &file))
}

async fn open_pools(options: SqliteConnectOptions) -> Result<Pools, StoreError> {
    make(options.get_filename())?;
    let options = durable(options, CACHE_KIB).journal_mode(SqliteJournalMode::Wal).busy_timeout(BUSY_TIMEOUT);
    let writer = pool(WRITERS).connect_with(options.clone()).await?;
    let readers = pool(READERS).connect_with(options.pragma("query_only", "on")).await?;
    Ok(Pools { writer, readers })
}

/// One connection to a file that no other one has open, until it is closed: with the locking mode `EXCLUSIVE` a database in WAL mode
/// is opened under its exclusive lock, and each connection in WAL mode holds the shared one.
pub(crate) async fn connect_exclusively(options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let file = options.get_filename().to_owned();
    open_exclusively(options).await.map_err(|error| explained(error, &file))
}

async fn open_exclusively(options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    make(options.get_filename())?;
    let options = durable(options, TRANSFER_CACHE_KIB)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::ZERO);
    Ok(pool(1).connect_with(options).await?)
}

/// One connection to a file that is complete in itself once it is closed.
pub(crate) async fn connect_without_log(file: &Path) -> Result<SqlitePool, StoreError> {
    make(file).map_err(|error| named(error, file))?;
    let options = SqliteConnectOptions::new().filename(file);
    let options = durable(options, TRANSFER_CACHE_KIB).journal_mode(SqliteJournalMode::Delete);
    let opened = pool(1).connect_with(options.busy_timeout(Duration::ZERO)).await;
    opened.map_err(|error| named(error.into(), file))
}

/// One connection to a file that nothing writes to.
pub(crate) async fn connect_read_only(file: &Path) -> Result<SqlitePool, StoreError> {
    let options =
        SqliteConnectOptions::new().filename(file).read_only(true).immutable(true).disable_statement_logging();
    pool(1).connect_with(options).await.map_err(|error| named(error.into(), file))
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
    create(file).map_err(|error| StoreError::of_disk(format!("cannot be opened or created: {error}")))
}

/// The same error, with the file that it is about.
fn named(error: StoreError, file: &Path) -> StoreError {
    error.about(&file.display().to_string())
}

/// The same error, with the file of a service that it is about and, if that cannot be opened or written, what to check.
pub(crate) fn explained(error: StoreError, file: &Path) -> StoreError {
    let error = named(error, file);
    if error.is_of_disk() { error.with_remedy(&what_to_check(file)) } else { error }
}

/// What an operator checks where a file of a service cannot be opened or written.
pub(crate) fn what_to_check(file: &Path) -> String {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    format!(
        "see whether the folder {} exists on a disk with free space, and whether the folder, the file, and the files with -wal and -shm at the end can be written by the user that this program runs as (uid {}); the place is in the data folder (OCIS_BASE_DATA_PATH) unless OCIS_DATABASE_URL or <SERVICE>_DATABASE_URL names it",
        folder.display(),
        geteuid().as_raw()
    )
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
