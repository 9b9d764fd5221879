#![doc = include_str!("../README.md")]

mod announce;
mod claim;
mod connection;
mod database;
mod error;
mod migrate;
mod postgres;
mod recent;
mod retry;
mod settings;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod url;
mod writable;

#[cfg(test)]
mod tests;

pub use announce::Listener;
pub use connection::Connection;
pub use database::{Database, Options};
pub use error::{Cause, StoreError};
pub use recent::{BELIEVED_FOR, Forgetting, Recent, read_or_recent};
pub use settings::{LISTEN_URL, Pool};
pub use url::{check_listen_url, check_url, redacted, sqlite_url};
