//! A database per test: a `SQLite` file in a temporary folder, or a fresh database in a `PostgreSQL` cluster of the test's own.
//!
//! A conformance suite is one function over a [`Database`], called by one test for each kind:
//!
//! ```no_run
//! async fn suite(database: store::Database) {}
//!
//! # async fn tests() {
//! let file = store::testing::sqlite();
//! suite(file.open().await).await;
//! if let Some(cluster) = store::testing::Cluster::start().await {
//!     suite(cluster.fresh_database().await.open().await).await;
//! }
//! # }
//! ```

mod balancer;
mod cluster;
mod paused;
mod plan;
mod pooler;
mod server;

use tempfile::TempDir;

pub use balancer::Balancer;
pub use cluster::Cluster;
pub use paused::Paused;
pub use plan::plan_of_poll;
pub use pooler::Pooler;
pub use server::{SERVER, on_server};

use crate::{Database, Options, sqlite_url};

/// A database for one test, deleted when this is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    _folder: Option<TempDir>,
    _removal: Option<server::Removal>,
}

impl TestDatabase {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on the server.
    ///
    /// # Panics
    /// If it is a file.
    pub fn name(&self) -> &str {
        self.url.split(['/', '?']).nth(3).expect("the URL names a database")
    }

    /// Opens it, with the defaults.
    ///
    /// # Panics
    /// If that fails.
    pub async fn open(&self) -> Database {
        Database::connect(&self.url, &Options::default()).await.expect("the test's database opens")
    }
}

/// An empty database for a test that is about something else: a `SQLite` file, or, by `cargo xtask test --postgres`, a database of the
/// server that it has started.
///
/// # Panics
/// If it cannot be made.
pub fn database() -> TestDatabase {
    on_server().unwrap_or_else(sqlite)
}

/// An empty `SQLite` database in a temporary folder.
///
/// # Panics
/// If there can be no temporary folder.
pub fn sqlite() -> TestDatabase {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = sqlite_url(&folder.path().join("test.db"));
    TestDatabase { url, _folder: Some(folder), _removal: None }
}
