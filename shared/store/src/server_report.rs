//! What a `PostgreSQL` server says of itself and of the role that connects, for operators.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{Database, StoreError};

/// The channel on which it is tried whether the server can be listened to.
const CHANNEL: &str = "doorward_doctor";
const REPORT: &str = "SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS is_standby, \
    has_schema_privilege(current_schema(), 'CREATE') AS may_create, \
    current_setting('max_connections')::bigint AS most, \
    current_setting('superuser_reserved_connections')::bigint AS reserved";

/// A server, as the role of a database URL sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReport {
    /// Its version.
    pub version: String,
    /// Whether it follows another server, and so is read-only.
    pub is_standby: bool,
    /// Whether the role may create tables, which migrations need.
    pub may_create: bool,
    /// How many connections it accepts from ordinary roles.
    pub max_connections: u64,
    /// Whose the sessions are.
    pub sessions: Sessions,
}

/// Whose the sessions of a server are, and what that means for changes that other replicas make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Each connection has one. Changes are pushed.
    Own,
    /// A pooler hands them out transaction by transaction. Changes are pushed past it, by the URL for listening.
    PooledAndPushed,
    /// A pooler hands them out transaction by transaction. Changes are polled.
    PooledAndPolled,
}

impl Database {
    /// The same by whatever URL a database is reached, and another for each other database; `None` for `SQLite`.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not say when it was started.
    pub async fn server_identity(&self) -> Result<Option<String>, StoreError> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let sql = "SELECT current_database()::text || ' since ' || \
                   extract(epoch FROM pg_postmaster_start_time())::text AS identity";
        let read = || async {
            let row = self.reader().query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
            Ok(row.map(|row| row.try_get("", "identity")).transpose()?)
        };
        self.run(read).await
    }

    /// Asks the server; `None` for `SQLite`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached, also at the address for listening.
    pub async fn server_report(&self) -> Result<Option<ServerReport>, StoreError> {
        let Some(server) = self.server() else { return Ok(None) };
        let read = || async {
            let row = self.reader().query_one_raw(Statement::from_string(DbBackend::Postgres, REPORT)).await?;
            let row = row.ok_or_else(|| StoreError::internal("the server says nothing of itself"))?;
            let (most, reserved): (i64, i64) = (row.try_get("", "most")?, row.try_get("", "reserved")?);
            Ok(ServerReport {
                version: row.try_get("", "version")?,
                is_standby: row.try_get("", "is_standby")?,
                may_create: row.try_get::<Option<bool>>("", "may_create")?.unwrap_or_default(),
                max_connections: u64::try_from(most - reserved).unwrap_or_default(),
                sessions: Sessions::PooledAndPolled,
            })
        };
        let report = self.run(read).await?;
        let sessions = match (server.has_sessions_of_its_own(), self.listen(CHANNEL).await?) {
            (true, _) => Sessions::Own,
            (false, Some(_)) => Sessions::PooledAndPushed,
            (false, None) => Sessions::PooledAndPolled,
        };
        Ok(Some(ServerReport { sessions, ..report }))
    }
}
