//! What a service stores, for commands that work with the state of all services.

use std::fmt;
use std::path::PathBuf;

use crate::transfer::EndCredentials;
use crate::url::{self, Target};
use crate::{Migrations, Options, redacted};

/// The state of a service.
#[derive(Clone)]
pub struct ServiceState {
    /// The name of the service.
    pub service: &'static str,
    /// The URL of its database.
    pub url: String,
    /// How the database is connected to.
    pub options: Options,
    /// Its schema.
    pub migrations: Migrations,
    /// Ends what it has handed out: tokens, sessions and codes.
    pub end_credentials: EndCredentials,
}

impl ServiceState {
    /// The URL of the database, without user and password.
    pub fn location(&self) -> String {
        redacted(&self.url)
    }

    /// The `SQLite` file; `None` for `PostgreSQL`.
    pub fn file(&self) -> Option<PathBuf> {
        sqlite_file(&self.url)
    }
}

impl fmt::Debug for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceState({} in {})", self.service, self.location())
    }
}

/// The file that a database URL names; `None` for a server, and for a URL that is not understood.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    match url::parse(url) {
        Ok(Target::Sqlite(options)) => Some(options.get_filename().to_owned()),
        Ok(Target::Postgres(_)) | Err(_) => None,
    }
}
