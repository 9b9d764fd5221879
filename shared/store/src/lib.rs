#![doc = include_str!("../README.md")]

mod announce;
pub mod backup;
mod claim;
pub mod columns;
mod connection;
mod database;
mod error;
mod measures;
mod migrate;
mod options;
mod outbox;
pub mod page;
mod postgres;
mod protection;
mod prune;
mod recent;
mod replica_sync;
mod retry;
pub mod schema;
mod server_report;
mod service_database;
mod settings;
mod sqlite;
mod state;
mod statement;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
pub mod transfer;
mod url;

#[cfg(test)]
mod tests;

pub use connection::Connection;
pub use database::{Database, OtherUsers};
pub use error::{Cause, StoreError};
pub use migrate::{Migrations, SchemaStatus};
pub use options::Options;
pub use outbox::{Unread, number_transactions, postgres_version};
pub use prune::{keep_pruning, prune};
pub use recent::{Forgetting, MAX_STALENESS, Recent, read_or_recent};
pub use replica_sync::ReplicaSync;
pub use server_report::{ServerReport, Sessions};
pub use settings::{LISTEN_URL, Pool, url_or_file, validate_listen_url, validate_url};
pub use state::{ServiceState, sqlite_file};
pub use transaction::Transaction;
pub use url::{canonical_url, check_url, redacted, sqlite_url};
