//! Databases that are read.

use authn::BoxError;
use store::transfer::Snapshot;
use store::{Database, SchemaStatus, ServiceState, StoreError};

use super::{LOCK_PATIENCE, Unseen, by_database, check_distinct, names, tables};

/// How the databases may be used at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// By services that run.
    Shared,
    /// By nothing else.
    Exclusive(Unseen),
}

/// A database that is read, in one consistent state.
pub(crate) struct Source {
    pub(crate) snapshot: Snapshot,
    /// The services that store something there.
    pub(crate) states: Vec<ServiceState>,
    _database: Database,
}

/// Opens the databases of these services: first all of them, so that they are read as they are at nearly the same moment. The second
/// value has the names of services that have stored nothing yet.
pub(crate) async fn open(states: Vec<ServiceState>, usage: Use) -> Result<(Vec<Source>, Vec<&'static str>), BoxError> {
    let (mut opened, mut sources, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    let groups = by_database(states);
    if usage != Use::Shared {
        check_distinct(&groups).await?;
    }
    for (url, states) in groups {
        // to open it would make it
        if states.iter().any(|state| state.file().is_some_and(|file| !file.exists())) {
            absent.extend(states.iter().map(|state| state.service));
        } else {
            let failed = |error| format!("{}: {error}", names(&states));
            opened.push((connect(&url, &states, usage).await.map_err(failed)?, states));
        }
    }
    let mut snapshots = Vec::new();
    for (database, states) in opened {
        let snapshot = snapshot(&database, &states, usage).await;
        let snapshot = snapshot.map_err(|error| format!("{}: {error}", names(&states)))?;
        snapshots.push((snapshot, states, database));
    }
    for (snapshot, states, database) in snapshots {
        let mut present = Vec::new();
        for state in states {
            if has_state(&snapshot, &state).await? { present.push(state) } else { absent.push(state.service) }
        }
        if !present.is_empty() {
            sources.push(Source { snapshot, states: present, _database: database });
        }
    }
    Ok((sources, absent))
}

async fn connect(url: &str, states: &[ServiceState], usage: Use) -> Result<Database, BoxError> {
    let options = states.first().map(|state| state.options.clone()).unwrap_or_default().for_transfer();
    Ok(match usage {
        Use::Shared => Database::connect(url, &options).await?,
        Use::Exclusive(unseen) => {
            let (database, users) = Database::connect_alone(url, &options).await?;
            unseen.check(users, &database)?;
            database
        }
    })
}

async fn snapshot(database: &Database, states: &[ServiceState], usage: Use) -> Result<Snapshot, StoreError> {
    if usage == Use::Shared {
        return database.snapshot().await;
    }
    let mut present = Vec::new();
    for state in states {
        let schema = database.schema_status(state.migrations).await?;
        // tables that do not exist cannot be locked; a schema that is not up to date is refused later
        if !schema.is_absent && schema.pending.is_empty() {
            present.push(state.clone());
        }
    }
    database.snapshot_alone(&tables(&present).await?, LOCK_PATIENCE).await
}

/// Whether a service has stored something, with a schema that can be copied.
async fn has_state(snapshot: &Snapshot, state: &ServiceState) -> Result<bool, BoxError> {
    let failed = |error| format!("{}: {error}", state.service);
    let SchemaStatus { is_absent, pending, newer } = snapshot.schema_status(state.migrations).await.map_err(failed)?;
    let place = || format!("{}: the schema in {}", state.service, state.location());
    if is_absent {
        Ok(false)
    } else if !newer.is_empty() {
        let newer = newer.join(", ");
        Err(format!("{} is that of a newer version ({newer}): use the program of that version", place()).into())
    } else if !pending.is_empty() {
        let pending = pending.join(", ");
        Err(format!("{} lacks {pending}: run doorward migrate, or use the program of the earlier version", place())
            .into())
    } else {
        Ok(true)
    }
}
