//! The limits of a connection to `PostgreSQL`.

use std::time::Duration;

use config::Secret;

/// How a `PostgreSQL` server is treated; the defaults are right for services that answer people.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most connections of this process.
    pub max_connections: u32,
    /// How long a call waits for one of them.
    pub acquire_timeout: Duration,
    /// After which time the server gives up a statement.
    pub statement_timeout: Duration,
    /// After which time the server gives up a transaction in which nothing happens.
    pub idle_in_transaction_timeout: Duration,
    /// After which time [`Database::run`](crate::Database::run) gives up, whatever the server does.
    pub call_timeout: Duration,
    /// How long [`Database::connect`](crate::Database::connect) keeps trying while the server cannot be reached, as it may only just be starting.
    pub patience: Duration,
    /// The URL of the same database by which announcements are listened to; empty for that of [`Database::connect`](crate::Database::connect). A pooler that
    /// hands out sessions transaction by transaction has none for a listener.
    pub listen_url: Secret,
    /// Whether a server on another machine is connected to although its certificate is not verified (`OCIS_INSECURE_DATABASE`).
    pub allows_unverified_server: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 4,
            acquire_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(2),
            idle_in_transaction_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(2),
            patience: Duration::from_secs(10),
            listen_url: Secret::default(),
            allows_unverified_server: false,
        }
    }
}

impl Options {
    /// The same for commands that read or write all rows at once: no limit on the duration of a statement or a transaction.
    #[must_use]
    pub fn for_transfer(self) -> Self {
        Self {
            max_connections: 2,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::ZERO,
            idle_in_transaction_timeout: Duration::ZERO,
            call_timeout: Duration::MAX,
            patience: Duration::ZERO,
            ..self
        }
    }
}
