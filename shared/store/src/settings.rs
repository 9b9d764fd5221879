//! The settings of a service's database.

use std::time::Duration;

use config::{Environment, Invalid, Secret, Section, base_data_path};
use runtime::is_unverified_database_allowed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::url::{check_listen_url, check_url};
use crate::{Options, sqlite_url};

/// The meaning of the setting of [`Options::listen_url`].
pub const LISTEN_URL: &str = "The same database by an address of the PostgreSQL server itself, for services whose database URL leads to a pooler that hands out sessions transaction by transaction. By it replicas learn of changes at once; without it, within about a second.";

/// Callers wait two seconds for an answer: a longer wait for a connection would be in vain.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Services give up a request after five seconds by default, and replicas rely on it that no transaction is open for longer where
/// transactions have no numbers.
const LONGEST_CALL: Duration = Duration::from_secs(5);

/// The settings of the pool of `PostgreSQL` connections of one service in one process; `SQLite` has no use for them. They are
/// part of the section that has them (`serde(flatten)`).
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Pool {
    /// The most connections that this service keeps to PostgreSQL, in each process. As a rule of thumb, all services of
    /// all replicas together need two to four for each core of the database server.
    #[serde(rename = "database_max_connections")]
    #[schemars(extend("x-env" = ["OCIS_DATABASE_MAX_CONNECTIONS", "<P>_DATABASE_MAX_CONNECTIONS"], "minimum" = 1))]
    pub max_connections: u32,
    /// How long a request waits for one of these connections before it is answered that the service is unavailable. At
    /// most 2s.
    #[serde(rename = "database_acquire_timeout")]
    #[schemars(extend("x-env" = ["OCIS_DATABASE_ACQUIRE_TIMEOUT", "<P>_DATABASE_ACQUIRE_TIMEOUT"]))]
    pub acquire_timeout: Duration,
    /// After which time PostgreSQL ends a statement of this service. At most the value of
    /// `OCIS_DATABASE_CALL_TIMEOUT`.
    #[serde(rename = "database_statement_timeout")]
    #[schemars(extend("x-env" = ["OCIS_DATABASE_STATEMENT_TIMEOUT", "<P>_DATABASE_STATEMENT_TIMEOUT"]))]
    pub statement_timeout: Duration,
    /// After which time PostgreSQL ends a transaction of this service in which nothing happens. At most 5s.
    #[serde(rename = "database_idle_in_transaction_timeout")]
    #[schemars(extend(
        "x-env" = ["OCIS_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", "<P>_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT"],
    ))]
    pub idle_in_transaction_timeout: Duration,
    /// How long a request waits for its reads and writes, with all attempts, before it is answered that the service is
    /// unavailable, even if PostgreSQL hangs. Callers wait 2s for an answer. At most 5s.
    #[serde(rename = "database_call_timeout")]
    #[schemars(extend("x-env" = ["OCIS_DATABASE_CALL_TIMEOUT", "<P>_DATABASE_CALL_TIMEOUT"]))]
    pub call_timeout: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        let Options {
            max_connections,
            acquire_timeout,
            statement_timeout,
            idle_in_transaction_timeout,
            call_timeout,
            ..
        } = Options::default();
        Self { max_connections, acquire_timeout, statement_timeout, idle_in_transaction_timeout, call_timeout }
    }
}

impl Section for Pool {
    fn validate(&self) -> Result<(), Invalid> {
        // PostgreSQL counts milliseconds, and takes 0 for no limit
        let shortest = Duration::from_millis(1);
        for (key, timeout, longest, problem) in [
            ("database_acquire_timeout", self.acquire_timeout, LONGEST_WAIT, "must be at least 1ms and at most 2s"),
            ("database_call_timeout", self.call_timeout, LONGEST_CALL, "must be at least 1ms and at most 5s"),
            (
                "database_statement_timeout",
                self.statement_timeout,
                self.call_timeout,
                "must be at least 1ms, and at most the value of database_call_timeout",
            ),
            (
                "database_idle_in_transaction_timeout",
                self.idle_in_transaction_timeout,
                LONGEST_CALL,
                "must be at least 1ms and at most 5s",
            ),
        ] {
            Invalid::unless((shortest..=longest).contains(&timeout), key, problem)?;
        }
        Ok(())
    }
}

impl Pool {
    /// The options with these settings, and with what the operator permits.
    pub fn options(&self, environment: &Environment) -> Options {
        let Self { max_connections, acquire_timeout, statement_timeout, idle_in_transaction_timeout, call_timeout } =
            *self;
        Options {
            max_connections,
            acquire_timeout,
            statement_timeout,
            idle_in_transaction_timeout,
            call_timeout,
            allows_unverified_server: is_unverified_database_allowed(environment),
            ..Options::default()
        }
    }
}

/// The URL of a service's database: the configured one or, if that is empty, that of a file in the data folder.
pub fn url_or_file(configured: &Secret, file: &str, environment: &Environment) -> String {
    match configured.expose() {
        "" => sqlite_url(&base_data_path(environment).join(file)),
        url => url.to_owned(),
    }
}

/// Checks the setting `database_url`, which may be empty.
///
/// # Errors
/// When [`Database::connect`](crate::Database::connect) does not understand it.
pub fn validate_url(url: &Secret) -> Result<(), Invalid> {
    if url.is_empty() {
        return Ok(());
    }
    check_url(url.expose()).map_err(|problem| Invalid::new("database_url", problem))
}

/// Checks the setting `database_listen_url`, which may be empty.
///
/// # Errors
/// When it names no `PostgreSQL` server.
pub fn validate_listen_url(url: &Secret) -> Result<(), Invalid> {
    check_listen_url(url.expose()).map_err(|problem| Invalid::new("database_listen_url", problem))
}

#[cfg(test)]
mod tests;
