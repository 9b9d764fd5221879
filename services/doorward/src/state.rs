//! The state of all services, for commands that copy it: their databases, and the secrets of the data folder.

pub(crate) mod sealed_files;
pub(crate) mod sources;
pub(crate) mod targets;

use std::time::Duration;

use authn::BoxError;
use store::transfer::Tables;
use store::{Database, OtherUsers, ServiceState, StoreError};

use crate::cli::Stopped;

/// Services that share a database, with its URL, in the order of the first of each.
pub(crate) fn by_database(states: Vec<ServiceState>) -> Vec<(String, Vec<ServiceState>)> {
    let mut groups: Vec<(String, Vec<ServiceState>)> = Vec::new();
    for state in states {
        match groups.iter_mut().find(|(url, _)| *url == state.url) {
            Some((_, group)) => group.push(state),
            None => groups.push((state.url.clone(), vec![state])),
        }
    }
    groups
}

/// How long commands that move all rows wait for the locks of tables on `PostgreSQL`: longer than a statement of a service may take.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of a command that cannot see whether services use a database, as behind a pooler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// It is refused.
    Refused,
    /// It goes on: the operator says that they are stopped.
    Stopped,
}

impl Unseen {
    /// That of the option `--services-stopped`.
    pub(crate) fn new(stopped: Stopped) -> Self {
        if stopped.services_stopped { Self::Stopped } else { Self::Refused }
    }

    /// Fails where the users of a database are not known and nothing is known from the operator.
    fn check(self, users: OtherUsers, database: &Database) -> Result<(), BoxError> {
        if users == OtherUsers::Unknown && self == Self::Refused {
            let place = database.location();
            let text =
                "a pooler hides who else uses it: stop all services and repeat the command with --services-stopped";
            return Err(format!("{place}: {text}, or name the server itself").into());
        }
        Ok(())
    }
}

/// The tables of services.
async fn tables(states: &[ServiceState]) -> Result<Vec<Tables>, StoreError> {
    let mut tables = Vec::with_capacity(states.len());
    for state in states {
        tables.push(Tables::of(state.migrations).await?);
    }
    Ok(tables)
}

/// The names of services, for messages.
pub(crate) fn names(states: &[ServiceState]) -> String {
    states.iter().map(|state| state.service).collect::<Vec<_>>().join(", ")
}

/// What the rows of these services are worth nothing without: the variable of each secret, and what it opens.
pub(crate) fn needed_secrets(services: &[&str]) -> Vec<&'static str> {
    let needed = [
        ("auth-app", "AUTH_APP_TOKEN_KEY (app tokens)"),
        ("idp", "IDP_ENCRYPTION_SECRET (signing keys, secrets of clients, second factors)"),
        ("proxy", "PROXY_SESSION_SECRET (sessions at the edge)"),
    ];
    needed.into_iter().filter(|(service, _)| services.contains(service)).map(|(_, secret)| secret).collect()
}
