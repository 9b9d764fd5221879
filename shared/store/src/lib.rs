#![doc = include_str!("../README.md")]

mod announce;
mod claim;
pub mod columns;
mod connection;
mod database;
mod error;
mod measures;
mod migrate;
mod options;
mod postgres;
mod prune;
mod recent;
mod replica_sync;
mod retry;
pub mod schema;
mod settings;
mod sqlite;
mod statement;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
mod url;

#[cfg(test)]
mod tests;

pub use connection::Connection;
pub use database::Database;
pub use error::{Cause, StoreError};
pub use options::Options;
pub use prune::{keep_pruning, prune};
pub use recent::{Forgetting, MAX_STALENESS, Recent, read_or_recent};
pub use replica_sync::{OUTBOX_WINDOW, ReplicaSync};
pub use settings::{LISTEN_URL, Pool, url_or_file, validate_listen_url, validate_url};
pub use transaction::Transaction;
pub use url::{redacted, sqlite_url};
