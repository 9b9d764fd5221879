#![doc = include_str!("../README.md")]

mod announce;
mod claim;
mod database;
mod error;
mod migrate;
mod postgres;
mod retry;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod url;

#[cfg(test)]
mod tests;

pub use announce::Listener;
pub use database::{Database, Options};
pub use error::{Cause, StoreError};
pub use url::{check_url, redacted, sqlite_url};
