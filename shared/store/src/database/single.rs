//! Databases of one connection: for commands that move all rows of a service at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, SqlxSqliteConnector, Statement, sqlx::SqlitePool};
use tokio::time::Instant;

use super::{Database, Place};
use crate::connection::{Connection, Session};
use crate::url::{self, Target};
use crate::{Cause, Options, StoreError, redacted, sqlite, sqlite_url};

/// How long a session of this process may take to be gone from the server's list after it was closed.
const SESSION_END: Duration = Duration::from_secs(1);

/// What is known of the other users of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherUsers {
    /// There are none.
    None,
    /// It is not known: a pooler hands out the sessions of the server.
    Unknown,
}

impl Database {
    /// Opens a database that nothing else has open. A `SQLite` file cannot be opened by another process until this is closed, and is
    /// made if there is none; on `PostgreSQL` other sessions, of any role, are looked for. They may begin later: see
    /// [`begin_replacement_alone`](Self::begin_replacement_alone).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] also if another process has it open.
    pub async fn connect_alone(url: &str, options: &Options) -> Result<(Self, OtherUsers), StoreError> {
        let target = url::parse(url).map_err(|problem| StoreError::internal(format!("the database URL {problem}")))?;
        if let Target::Sqlite(file) = target {
            let path = file.get_filename().to_owned();
            let pool = sqlite::connect_exclusively(file).await.map_err(|error| if_busy(error, &path))?;
            return Ok((Self::of_one_connection(pool, path), OtherUsers::None));
        }
        // with one connection, every session that is found is another user's
        let database = Self::connect(url, &Options { max_connections: 1, ..options.clone() }).await?;
        let users = database.look_for_sessions(database.connection()).await?;
        Ok((database, users))
    }

    /// Opens a `SQLite` file that is written or read once, without a log in a file of its own; a new one is for its owner only.
    pub(crate) async fn open_file(path: &Path) -> Result<Self, StoreError> {
        let pool = sqlite::connect_without_log(path).await?;
        Ok(Self::of_one_connection(pool, path.to_owned()))
    }

    /// Opens a `SQLite` file that is not written to, by this or any other process.
    pub(crate) async fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::of_one_connection(sqlite::connect_read_only(path).await?, path.to_owned()))
    }

    /// An empty `SQLite` database in memory, gone when it is closed.
    pub(crate) async fn in_memory() -> Result<Self, StoreError> {
        Ok(Self::of_one_connection(sqlite::in_memory().await?, PathBuf::new()))
    }

    fn of_one_connection(pool: SqlitePool, path: PathBuf) -> Self {
        let connection = Connection::new(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool), Session::Own);
        Self {
            writer: connection.clone(),
            reader: connection,
            shown: redacted(&sqlite_url(&path)),
            place: Place::File(path),
            call_timeout: Options::default().call_timeout,
            writes: Arc::default(),
            claim: None,
        }
    }

    /// Where it is, without user and password.
    pub fn location(&self) -> &str {
        &self.shown
    }

    /// Fails if other sessions use the database: services may have another role than the operator.
    pub(crate) async fn look_for_sessions(&self, connection: &impl ConnectionTrait) -> Result<OtherUsers, StoreError> {
        let begin = Instant::now();
        match self.server() {
            None => return Ok(OtherUsers::None),
            Some(server) if !server.has_sessions_of_its_own() => return Ok(OtherUsers::Unknown),
            Some(_) => {}
        }
        loop {
            match other_sessions(connection).await? {
                (0, _) => return Ok(OtherUsers::None),
                _ if begin.elapsed() < SESSION_END => tokio::time::sleep(Duration::from_millis(100)).await,
                (count, roles) => {
                    let text = format!("{count} other sessions are connected ({roles}): stop the services that use it");
                    return Err(StoreError::Unavailable(Cause::new(text)));
                }
            }
        }
    }
}

/// How many other sessions there are, and the names of their roles.
async fn other_sessions(connection: &impl ConnectionTrait) -> Result<(i64, String), StoreError> {
    // a transaction sees the list as it was when it first looked
    connection.execute_unprepared("SELECT pg_stat_clear_snapshot()").await?;
    let sql = "SELECT count(*) AS sessions, coalesce(string_agg(DISTINCT usename::text, ', '), '') AS roles \
               FROM pg_stat_activity WHERE datname = current_database() AND usename IS NOT NULL \
               AND pid <> pg_backend_pid()";
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let row = row.ok_or_else(|| StoreError::internal("the server does not list its sessions"))?;
    Ok((row.try_get("", "sessions")?, row.try_get("", "roles")?))
}

fn if_busy(error: StoreError, path: &Path) -> StoreError {
    if error.is_transient() {
        let text = format!("another process has {} open: stop the services that use it", path.display());
        return StoreError::Unavailable(Cause::new(text));
    }
    error
}
