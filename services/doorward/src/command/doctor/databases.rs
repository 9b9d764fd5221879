//! The databases, their roles and limits, and their schemas.

use std::fs::OpenOptions;

use authn::BoxError;
use config::Secret;
use futures_util::future::join_all;
use store::{Database, Options, SchemaStatus, ServerReport, ServiceState, Sessions, sqlite_file};

use super::{Finding, Installation, Subject};
use crate::cli::Check;
use crate::services::ServiceId;
use crate::state::{by_database, names};

/// What to do about a database that cannot be reached.
const REACH_IT: &str = "see whether the server runs, and correct OCIS_DATABASE_URL or <SERVICE>_DATABASE_URL";

/// A database, and the services that share it.
pub(super) struct Server {
    /// Its URL, without user and password.
    pub(super) location: String,
    pub(super) is_postgres: bool,
    url: String,
    states: Vec<ServiceState>,
    listen_url: Secret,
}

impl Server {
    /// Opens it with the settings of its first service.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn connect(&self) -> Result<Database, BoxError> {
        let options = self.states.first().map(|state| state.options.clone()).unwrap_or_default();
        let listen_url = self.listen_url.clone();
        let options = Options { max_connections: 1, patience: std::time::Duration::ZERO, listen_url, ..options };
        Ok(Database::connect(&self.url, &options).await?)
    }

    /// Whether this service stores something in it.
    pub(super) fn is_of(&self, service: ServiceId) -> bool {
        self.states.iter().any(|state| state.service == service.name())
    }

    /// The `SQLite` file, if it is one and was not made yet.
    fn is_missing(&self) -> bool {
        sqlite_file(&self.url).is_some_and(|file| !file.exists())
    }
}

/// The databases of the services that run with this configuration.
pub(super) fn servers(installation: &Installation) -> Vec<Server> {
    let Installation { settings, enabled, context } = installation;
    let states = settings.states(&context.environment).into_iter();
    let states = states.filter(|(service, _)| enabled.contains(*service)).map(|(_, state)| state).collect();
    let listen_url = |service: &str| match service {
        _ if service == ServiceId::Users.name() => settings.users.database_listen_url.clone(),
        _ if service == ServiceId::AuthApp.name() => settings.auth_app.database_listen_url.clone(),
        _ if service == ServiceId::Idp.name() => settings.idp.database_listen_url.clone(),
        _ if service == ServiceId::AuthBearer.name() => settings.auth_bearer.database_listen_url.clone(),
        _ => Secret::default(),
    };
    let server = |(url, states): (String, Vec<ServiceState>)| {
        let mut urls = states.iter().map(|state| listen_url(state.service));
        let listen_url = urls.find(|url| !url.is_empty()).unwrap_or_default();
        let (location, is_postgres) = (store::redacted(&url), sqlite_file(&url).is_none());
        Server { location, is_postgres, url, states, listen_url }
    };
    by_database(states).into_iter().map(server).collect()
}

/// Whether each database can be reached and written, and what its server allows.
pub(super) async fn check(installation: &Installation) -> Vec<Finding> {
    each(installation, Check::Database, async |subject, server| {
        if server.is_missing() {
            return vec![subject.not_checked("there is none yet; the first start makes it")];
        }
        match server.connect().await {
            Ok(database) => of_database(subject, server, &database).await,
            Err(problem) => vec![subject.failed(problem, REACH_IT)],
        }
    })
    .await
}

/// Runs a check for each database, all at the same time.
async fn each(
    installation: &Installation,
    check: Check,
    of_one: impl AsyncFn(&Subject, &Server) -> Vec<Finding>,
) -> Vec<Finding> {
    let servers = servers(installation);
    if servers.is_empty() {
        return vec![Subject::new(check, "databases").not_checked("no enabled service stores anything")];
    }
    let of_one = &of_one;
    let all = join_all(servers.iter().map(|server| async move {
        let subject = Subject::new(check, format_args!("{} ({})", server.location, names(&server.states)));
        subject.within_limit(of_one(&subject, server)).await
    }));
    all.await.into_iter().flatten().collect()
}

async fn of_database(subject: &Subject, server: &Server, database: &Database) -> Vec<Finding> {
    match database.server_report().await {
        Ok(Some(report)) => of_server(subject, server, &report),
        Ok(None) => vec![of_file(subject, &server.url)],
        Err(problem) => {
            vec![subject.failed(problem, "see the log of the database, and OCIS_DATABASE_LISTEN_URL if it is set")]
        }
    }
}

fn of_file(subject: &Subject, url: &str) -> Finding {
    let file = sqlite_file(url).unwrap_or_default();
    match OpenOptions::new().append(true).open(&file).and_then(|file| file.metadata()) {
        Ok(metadata) => subject.ok(format_args!("SQLite, {} KiB", metadata.len() / 1024)),
        Err(error) => {
            let found = format!("it cannot be written: {error}");
            subject.failed(found, format_args!("correct the owner and the mode of {}", file.display()))
        }
    }
}

fn of_server(subject: &Subject, server: &Server, report: &ServerReport) -> Vec<Finding> {
    let ServerReport { version, is_standby, may_create, max_connections, sessions } = report;
    let mut findings = vec![if *is_standby {
        let remedy = "name the primary in the URL (target_session_attrs or a virtual address)";
        subject.failed(format_args!("PostgreSQL {version} is a standby, which is read-only"), remedy)
    } else {
        subject.ok(format_args!("PostgreSQL {version}"))
    }];
    if !may_create {
        findings
            .push(subject.ok("the role may not create tables: upgrades need doorward migrate with a role that may"));
    }
    findings.push(connections(subject, server, *max_connections));
    match sessions {
        Sessions::Own => {}
        Sessions::PooledAndPushed => {
            findings
                .push(subject.ok("a pooler hands out sessions transaction by transaction; changes are pushed past it"));
        }
        Sessions::PooledAndPolled => {
            let found =
                "a pooler hands out sessions transaction by transaction, so that changes are polled and not pushed";
            findings.push(subject.warning(found, "set OCIS_DATABASE_LISTEN_URL to the URL of the server itself"));
        }
    }
    findings
}

/// The connections of one process of each service, and one for listening where changes are pushed.
fn connections(subject: &Subject, server: &Server, max_connections: u64) -> Finding {
    let pools = server.states.iter().map(|state| u64::from(state.options.max_connections)).sum::<u64>();
    let listening = ["users", "auth-app", "idp", "auth-bearer"];
    let listeners = server.states.iter().filter(|state| listening.contains(&state.service)).count();
    let needed = pools + u64::try_from(listeners).unwrap_or_default();
    let found =
        format!("up to {needed} connections for one replica of each service; the server accepts {max_connections}");
    let remedy = "lower OCIS_DATABASE_MAX_CONNECTIONS, raise max_connections of the server, or put a pooler in front";
    if needed > max_connections {
        subject.failed(found, remedy)
    } else if needed.saturating_mul(2) > max_connections {
        subject.warning(format_args!("{found}: not enough for two replicas"), remedy)
    } else {
        subject.ok(found)
    }
}

/// How far the schema of each service is.
pub(super) async fn check_schemas(installation: &Installation) -> Vec<Finding> {
    each(installation, Check::Migrations, async |subject, server| {
        if server.is_missing() {
            return vec![subject.not_checked("there is no database yet; the first start makes it")];
        }
        let database = match server.connect().await {
            Ok(database) => database,
            Err(problem) => return vec![subject.failed(problem, REACH_IT)],
        };
        let mut findings = Vec::new();
        for state in &server.states {
            let subject = Subject::new(Check::Migrations, format_args!("{}, {}", state.service, server.location));
            findings.push(match database.schema_status(state.migrations).await {
                Ok(schema) => of_schema(&subject, &schema),
                Err(problem) => subject.failed(problem, "see the log of the database"),
            });
        }
        findings
    })
    .await
}

fn of_schema(subject: &Subject, schema: &SchemaStatus) -> Finding {
    let SchemaStatus { is_absent, pending, newer } = schema;
    if *is_absent {
        subject.warning("there is no schema yet", "the first start makes it, or doorward migrate")
    } else if !pending.is_empty() {
        let found = format!("steps that are not taken: {}", pending.join(", "));
        subject.warning(found, "the next start takes them, or doorward migrate with a role that may create tables")
    } else if !newer.is_empty() {
        let found = format!("the schema is that of a newer version: {}", newer.join(", "));
        subject.warning(found, "upgrade this program; the versions next to each other work together")
    } else {
        subject.ok("up to date")
    }
}

#[cfg(test)]
mod tests {
    use config::Environment;
    use runtime::{Context, Random};

    use super::super::Outcome;
    use super::*;
    use crate::secrets::Secrets;
    use crate::services::{EnabledServices, Settings};

    fn server(url: &str) -> Server {
        let environment = Environment::from([("OCIS_DATABASE_URL", url), ("OCIS_ADD_RUN_SERVICES", "auth-app")]);
        let settings = Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read");
        let enabled = EnabledServices::of(&environment).expect("is read");
        let installation = Installation { settings, enabled, context: Context::new(environment) };
        servers(&installation).remove(0)
    }

    #[test]
    fn services_that_share_a_server_share_its_connections() {
        let server = server("postgres://doorward:hush@db/doorward");
        assert!(server.is_postgres && !server.location.contains("hush"));
        assert_eq!(names(&server.states), "users, auth-basic, auth-service, auth-app, idp, auth-bearer, proxy");
        let subject = Subject::new(Check::Database, "db");
        // seven pools of four, and four listeners
        for (accepted, expected) in
            [(100, Outcome::Ok), (64, Outcome::Ok), (63, Outcome::Warning), (31, Outcome::Failed)]
        {
            let found = connections(&subject, &server, accepted);
            assert_eq!(found.outcome, expected, "{}", found.found);
        }
    }

    #[test]
    fn what_a_server_does_not_offer_is_named() {
        let server = server("postgres://db/doorward");
        let good = ServerReport {
            version: "18.1".to_owned(),
            is_standby: false,
            may_create: true,
            max_connections: 97,
            sessions: Sessions::Own,
        };
        let outcomes = |report: &ServerReport| {
            let found = of_server(&Subject::new(Check::Database, "db"), &server, report);
            found.into_iter().map(|finding| finding.outcome).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(&good), [Outcome::Ok; 2]);
        let standby = ServerReport { is_standby: true, ..good.clone() };
        assert_eq!(outcomes(&standby), [Outcome::Failed, Outcome::Ok]);
        let pooled = ServerReport { sessions: Sessions::PooledAndPolled, may_create: false, ..good.clone() };
        assert_eq!(outcomes(&pooled), [Outcome::Ok, Outcome::Ok, Outcome::Ok, Outcome::Warning]);
        let listening = ServerReport { sessions: Sessions::PooledAndPushed, ..good };
        assert_eq!(outcomes(&listening), [Outcome::Ok; 3]);
    }

    #[test]
    fn steps_of_a_schema_are_named() {
        let of = |is_absent, pending: &[&str], newer: &[&str]| {
            let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            let schema = SchemaStatus { is_absent, pending: texts(pending), newer: texts(newer) };
            let finding = of_schema(&Subject::new(Check::Migrations, "users"), &schema);
            (finding.outcome, finding.found)
        };
        assert_eq!(of(false, &[], &[]), (Outcome::Ok, "up to date".to_owned()));
        assert_eq!(of(true, &["m1"], &[]).0, Outcome::Warning);
        assert_eq!(of(false, &["m1", "m2"], &[]).1, "steps that are not taken: m1, m2");
        assert!(of(false, &[], &["m9"]).1.ends_with("newer version: m9"));
    }
}
