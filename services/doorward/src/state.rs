//! The state of all services, for commands that copy it: their databases, and the secrets of the data folder.

pub(crate) mod sealed_files;
pub(crate) mod sources;
pub(crate) mod targets;

use std::time::Duration;

use authn::BoxError;
use store::transfer::Tables;
use store::{Database, Options, OtherUsers, ServiceState, StoreError, canonical_url, sqlite_file};

use crate::cli::Stopped;

/// Services that share a database, however each spells its URL, with the URL of the first of them, in the order of the first of each.
pub(crate) fn by_database(states: Vec<ServiceState>) -> Vec<(String, Vec<ServiceState>)> {
    let mut groups: Vec<(String, Vec<ServiceState>)> = Vec::new();
    for state in states {
        match groups.iter_mut().find(|(url, _)| canonical_url(url) == canonical_url(&state.url)) {
            Some((_, group)) => group.push(state),
            None => groups.push((state.url.clone(), vec![state])),
        }
    }
    groups
}

/// Fails if two of these are one database by URLs of different users or hosts: a command that uses it alone would find itself there.
async fn check_distinct(groups: &[(String, Vec<ServiceState>)]) -> Result<(), BoxError> {
    let servers: Vec<_> = groups.iter().filter(|(url, _)| sqlite_file(url).is_none()).collect();
    if servers.len() < 2 {
        return Ok(());
    }
    let mut known: Vec<(String, &[ServiceState])> = Vec::new();
    for (url, states) in servers {
        // what cannot be reached is reported where it is opened
        let Some(identity) = identity(url, states).await else { continue };
        if let Some((_, others)) = known.iter().find(|(one, _)| *one == identity) {
            return Err(refusal_of_shared(others, states).into());
        }
        known.push((identity, states.as_slice()));
    }
    Ok(())
}

/// What tells a database of a server from others.
async fn identity(url: &str, states: &[ServiceState]) -> Option<String> {
    let options = states.first().map(|state| state.options.clone()).unwrap_or_default();
    let options = Options { max_connections: 1, patience: Duration::ZERO, ..options };
    let database = Database::connect(url, &options).await.ok()?;
    let identity = database.server_identity().await.ok().flatten();
    let _ = database.close().await;
    identity
}

fn refusal_of_shared(states: &[ServiceState], others: &[ServiceState]) -> String {
    let place = |states: &[ServiceState]| states.first().map(ServiceState::location).unwrap_or_default();
    format!(
        "{} and {} use one database by different URLs ({}, {}); nothing was changed; run the command with the same URL for all of them, of a \
         user that may write the tables of all",
        names(states),
        names(others),
        place(states),
        place(others)
    )
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

#[cfg(test)]
mod tests {
    use config::Environment;
    use runtime::Random;

    use super::*;
    use crate::secrets::Secrets;
    use crate::services::Settings;

    /// `docs/security-requirements.md#k4`
    #[test]
    fn services_share_a_database_however_its_url_is_spelled() {
        let groups = |url: &str| {
            let environment = Environment::from([
                ("OCIS_CONFIG_DIR", "/nonexistent"),
                ("OCIS_DATABASE_URL", "postgres://doorward:hush@db/doorward"),
                ("USERS_DATABASE_URL", url),
            ]);
            let settings = Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read");
            by_database(settings.states(&environment).into_iter().map(|(_, state)| state).collect())
        };
        let one = groups("postgresql://doorward:hush@DB:5432/doorward?sslmode=prefer");
        assert_eq!(one.len(), 1, "{one:?}");
        let another = groups("postgres://users:hush@db/doorward");
        assert_eq!(another.iter().map(|(_, states)| names(states)).collect::<Vec<_>>()[0], "users");
        assert_eq!(another.len(), 2);
        let refusal = refusal_of_shared(&another[0].1, &another[1].1);
        assert!(refusal.starts_with("users and auth-basic, ") && !refusal.contains("hush"), "{refusal}");
    }
}
