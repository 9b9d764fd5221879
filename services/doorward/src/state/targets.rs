//! Databases whose rows are replaced.

use std::error::Error;
use std::fmt::{self, Display};
use std::time::SystemTime;

use authn::BoxError;
use store::transfer::{CopiedTable, Replacement, Snapshot, Tables};
use store::{Database, ServiceState, StoreError};

use super::{LOCK_PATIENCE, Unseen, by_database, check_distinct, names, tables};

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

/// Opens the databases of these services, which nothing else may have open, and brings their schemas up to date.
pub(crate) async fn open(states: Vec<ServiceState>, unseen: Unseen) -> Result<Vec<Target>, BoxError> {
    let groups = by_database(states);
    check_distinct(&groups).await?;
    let mut targets = Vec::new();
    for (url, states) in groups {
        let services = names(&states);
        let target = open_alone(&url, states, unseen).await;
        targets.push(target.map_err(|error| format!("{services}: {error}; nothing was changed"))?);
    }
    Ok(targets)
}

async fn open_alone(url: &str, states: Vec<ServiceState>, unseen: Unseen) -> Result<Target, BoxError> {
    let options = states.first().map(|state| state.options.clone()).unwrap_or_default().for_transfer();
    let (database, users) = Database::connect_alone(url, &options).await?;
    unseen.check(users, &database)?;
    migrate(&database, &states).await?;
    let replacement = database.begin_replacement_alone(&tables(&states).await?, LOCK_PATIENCE).await?;
    Ok(Target { database, replacement, states })
}

/// Opens one database for all of these services, which may not exist yet. Others may use other tables of it.
pub(crate) async fn open_at(url: &str, states: Vec<ServiceState>) -> Result<Target, BoxError> {
    let options = states.first().map(|state| state.options.clone()).unwrap_or_default().for_transfer();
    let database = Database::connect(url, &options).await?;
    migrate(&database, &states).await?;
    let replacement = database.begin_locked_replacement(&tables(&states).await?, LOCK_PATIENCE).await?;
    Ok(Target { database, replacement, states })
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

/// Makes all of it durable, one database after the other. What calls this must not be cancelled before it is done.
///
/// # Errors
/// When a database fails. The text says what became of each service.
pub(crate) async fn commit(targets: Vec<Target>) -> Result<(), BoxError> {
    let mut done: Vec<&str> = Vec::new();
    let mut remaining = targets.into_iter();
    while let Some(Target { database, replacement, states }) = remaining.next() {
        if let Err(error) = replacement.commit().await {
            let left: Vec<&str> = remaining.flat_map(|target| target.states).map(|state| state.service).collect();
            return Err(
                Incomplete { error, failed: names(&states), done: done.join(", "), left: left.join(", ") }.into()
            );
        }
        done.extend(states.iter().map(|state| state.service));
        if let Err(error) = database.close().await {
            tracing::warn!(%error, database = database.location(), "the database is not closed as it should be");
        }
    }
    Ok(())
}

/// A database has failed at the end. Lists of services are empty where there are none.
#[derive(Debug)]
struct Incomplete {
    error: StoreError,
    failed: String,
    done: String,
    left: String,
}

impl Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, failed, done, left } = self;
        write!(f, "{failed}: {error}; ")?;
        if !done.is_empty() {
            write!(f, "replaced: {done}; ")?;
        }
        // a connection that ends during a commit does not tell how it ended
        write!(f, "not known to be replaced: {failed}; ")?;
        if !left.is_empty() {
            write!(f, "as before: {left}; ")?;
        }
        f.write_str("repeat the command with --force")
    }
}

impl Error for Incomplete {}
