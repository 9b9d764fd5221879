//! Databases of the server that `cargo xtask test --postgres` has started for all tests.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use sea_orm::ConnectionTrait;

use super::TestDatabase;
use super::cluster::of_environment;
use crate::{Database, Options, StoreError};

/// The variable with the URL of the database `postgres` of that server.
pub const SERVER: &str = "DOORWARD_TEST_POSTGRES";

/// An empty database of the server; `None` if there is none, and tests that are about something else use `SQLite`.
///
/// # Panics
/// If the server does not make one.
pub fn on_server() -> Option<TestDatabase> {
    let server = of_environment(SERVER).into_string().ok().filter(|url| !url.is_empty())?;
    // tests run in many processes
    let name = format!("test_{:016x}", RandomState::new().build_hasher().finish());
    execute(&server, format!("CREATE DATABASE {name}")).expect("the server makes a database");
    let url = server.replacen("/postgres?", &format!("/{name}?"), 1);
    Some(TestDatabase { url, _folder: None, _removal: Some(Removal { server, name }) })
}

/// Removes a database when it is dropped, although processes may still be connected.
#[derive(Debug)]
pub(super) struct Removal {
    server: String,
    name: String,
}

impl Drop for Removal {
    fn drop(&mut self) {
        // nothing to be done about a failure: the server does not outlive the tests
        let _ = execute(&self.server, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// In a thread of its own, since a caller may or may not be in an asynchronous runtime.
fn execute(server: &str, statement: String) -> Result<(), StoreError> {
    let server = server.to_owned();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| StoreError::internal(error.to_string()))?.block_on(async {
            let options = Options { statement_timeout: Duration::from_mins(1), ..Options::default() };
            let database = Database::connect(&server, &options).await?;
            database.connection().execute_unprepared(&statement).await?;
            database.close().await
        })
    };
    std::thread::spawn(run).join().unwrap_or_else(|_| Err(StoreError::internal("the server was not asked")))
}
