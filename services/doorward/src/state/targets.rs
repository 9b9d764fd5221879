//! Databases whose rows are replaced.

use std::time::SystemTime;

use authn::BoxError;
use store::transfer::{CopiedTable, Replacement, Snapshot, Tables};
use store::{Database, OtherUsers, ServiceState};

use super::{by_database, names};

/// A database whose rows are replaced. Dropped without a commit, it is as before.
pub(crate) struct Target {
    database: Database,
    replacement: Replacement,
    states: Vec<ServiceState>,
}

/// What became of a service.
pub(crate) struct Replaced {
    pub(crate) service: &'static str,
    pub(crate) location: String,
    pub(crate) tables: Vec<CopiedTable>,
    /// The credentials that were ended, and how many of each.
    pub(crate) ended: Vec<(&'static str, u64)>,
}

impl Target {
    /// Begins to replace rows in a database where the schema of these services is up to date.
    async fn begin(database: Database, states: Vec<ServiceState>) -> Result<Self, BoxError> {
        let replacement = database.begin_replacement().await?;
        Ok(Self { database, replacement, states })
    }

    /// Replaces the rows of each service by those of a snapshot, and ends the credentials at a time if there is one. `is_forced` allows
    /// for rows that are there.
    async fn restore(
        &self,
        from: &Snapshot,
        is_forced: bool,
        ended_at: Option<SystemTime>,
    ) -> Result<Vec<Replaced>, BoxError> {
        let mut replaced = Vec::new();
        for state in &self.states {
            let one = self.restore_service(state, from, is_forced, ended_at).await;
            replaced.push(one.map_err(|error| format!("{}: {error}; nothing was changed", state.service))?);
        }
        Ok(replaced)
    }

    async fn restore_service(
        &self,
        state: &ServiceState,
        from: &Snapshot,
        is_forced: bool,
        ended_at: Option<SystemTime>,
    ) -> Result<Replaced, BoxError> {
        let mut replaced = self.replace(state, from, is_forced).await?;
        if let Some(other) = replaced.tables.iter().find(|table| !table.is_equal()) {
            return Err(format!("the table {} is not as it was read", other.source.table).into());
        }
        if let Some(now) = ended_at {
            replaced.ended = self.replacement.end(state.end_credentials, now).await?;
        }
        Ok(replaced)
    }

    async fn replace(&self, state: &ServiceState, from: &Snapshot, is_forced: bool) -> Result<Replaced, BoxError> {
        let location = self.database.location().to_owned();
        let tables = Tables::of(state.migrations).await?;
        if !is_forced && !self.replacement.is_empty(&tables).await? {
            return Err(NotEmpty(location).into());
        }
        let tables = self.replacement.copy(from, &tables).await?;
        Ok(Replaced { service: state.service, location, tables, ended: Vec::new() })
    }
}

/// There are rows where none were expected.
#[derive(Debug, thiserror::Error)]
#[error("there is data in {0} already; only `doorward restore --force` replaces data")]
struct NotEmpty(String);

/// Opens the databases of these services, which nothing else may have open, and brings their schemas up to date. The second value warns
/// of databases whose other users cannot be seen.
pub(crate) async fn open(states: Vec<ServiceState>) -> Result<(Vec<Target>, Vec<String>), BoxError> {
    let (mut targets, mut warnings) = (Vec::new(), Vec::new());
    for (url, states) in by_database(states) {
        let services = names(&states);
        let failed = |error: BoxError| format!("{services}: {error}; nothing was changed");
        let options = states.first().map(|state| state.options.clone()).unwrap_or_default().for_transfer();
        let (database, users) = Database::connect_alone(&url, &options).await.map_err(|error| failed(error.into()))?;
        if users == OtherUsers::Unknown {
            warnings
                .push(format!("{services}: a pooler hides who else uses {}: stop all services", database.location()));
        }
        migrate(&database, &states).await.map_err(failed)?;
        targets.push(Target::begin(database, states).await.map_err(failed)?);
    }
    Ok((targets, warnings))
}

/// Opens one database for all of these services, which may not exist yet.
pub(crate) async fn open_at(url: &str, states: Vec<ServiceState>) -> Result<Target, BoxError> {
    let options = states.first().map(|state| state.options.clone()).unwrap_or_default().for_transfer();
    let database = Database::connect(url, &options).await?;
    migrate(&database, &states).await?;
    Target::begin(database, states).await
}

async fn migrate(database: &Database, states: &[ServiceState]) -> Result<(), BoxError> {
    for state in states {
        let schema = database.schema_status(state.migrations).await?;
        if !schema.newer.is_empty() {
            let newer = schema.newer.join(", ");
            let text = format!("the schema in {} is that of a newer version ({newer})", database.location());
            return Err(text.into());
        }
        if !schema.pending.is_empty() {
            database.bring_up_to_date(state.migrations).await?;
        }
    }
    Ok(())
}

/// Replaces the rows in all targets by those of one snapshot; nothing is durable before [`commit`].
pub(crate) async fn restore(
    targets: &[Target],
    from: &Snapshot,
    is_forced: bool,
    ended_at: Option<SystemTime>,
) -> Result<Vec<Replaced>, BoxError> {
    let mut replaced = Vec::new();
    for target in targets {
        replaced.extend(target.restore(from, is_forced, ended_at).await?);
    }
    Ok(replaced)
}

/// Writes to one target the rows of those services that another database has; the caller compares both sides.
pub(crate) async fn copy(target: &Target, from: &Snapshot, states: &[ServiceState]) -> Result<Vec<Replaced>, BoxError> {
    let mut replaced = Vec::new();
    for state in states {
        let one = target.replace(state, from, false).await;
        replaced.push(one.map_err(|error| format!("{}: {error}; nothing was changed", state.service))?);
    }
    Ok(replaced)
}

/// Makes all of it durable, one database after the other.
pub(crate) async fn commit(targets: Vec<Target>) -> Result<(), BoxError> {
    let mut done: Vec<&str> = Vec::new();
    for Target { database, replacement, states } in targets {
        let committed = async {
            replacement.commit().await?;
            database.close().await
        };
        if let Err(error) = committed.await {
            let done = if done.is_empty() { "nothing".to_owned() } else { format!("only {}", done.join(", ")) };
            let text = format!("{}: {error}; {done} was replaced: repeat the command", names(&states));
            return Err(text.into());
        }
        done.extend(states.iter().map(|state| state.service));
    }
    Ok(())
}
