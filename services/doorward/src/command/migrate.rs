//! `doorward migrate`

use authn::BoxError;
use store::{Database, SchemaStatus, ServiceState};

use super::say;
use crate::services::{EnabledServices, ServiceId};

/// Brings the schemas of services up to date and prints a line for each, or only says how far they are. A service that is not enabled
/// has one if it has stored something, as a backup has that too; of another one the line says that nothing was made.
///
/// # Errors
/// When a database fails, or a schema is not up to date and nothing is to be changed.
pub(crate) async fn run(
    states: Vec<(ServiceId, ServiceState)>,
    enabled: &EnabledServices,
    is_check: bool,
) -> Result<(), BoxError> {
    let mut behind = Vec::new();
    for (service, state) in states {
        let name = state.service;
        let failed = |error: BoxError| format!("{name}: {error}");
        let schema = read_status(&state).await.map_err(failed)?;
        if schema.is_absent && !enabled.contains(service) {
            let text = "there is no schema, and the service is not enabled here; --all makes it";
            say(format_args!("{name:13} {}: {text}", state.location()))?;
            continue;
        }
        if !schema.pending.is_empty() {
            if is_check {
                behind.push(name);
            } else {
                apply(&state).await.map_err(failed)?;
            }
        }
        say(format_args!("{name:13} {}: {}", state.location(), describe(&schema, is_check)))?;
    }
    if behind.is_empty() {
        return Ok(());
    }
    Err(format!("the schemas of {} are not up to date; run doorward migrate", behind.join(", ")).into())
}

/// How far a schema is. A file that does not exist is not made.
async fn read_status(state: &ServiceState) -> Result<SchemaStatus, BoxError> {
    if state.file().is_some_and(|file| !file.exists()) {
        return Ok(SchemaStatus::absent(state.migrations));
    }
    let database = Database::connect(&state.url, &state.options).await?;
    let status = database.schema_status(state.migrations).await?;
    database.close().await?;
    Ok(status)
}

async fn apply(state: &ServiceState) -> Result<(), BoxError> {
    let database = Database::connect(&state.url, &state.options).await?;
    database.bring_up_to_date(state.migrations).await?;
    Ok(database.close().await?)
}

fn describe(schema: &SchemaStatus, is_check: bool) -> String {
    let SchemaStatus { pending, newer, .. } = schema;
    match (pending.as_slice(), newer.as_slice()) {
        ([], []) => "up to date".to_owned(),
        ([], newer) => format!("that of a newer version, which this one can work with: {}", newer.join(", ")),
        (pending, _) => {
            let what = if is_check { "steps to be taken" } else { "steps taken" };
            format!("{what}: {}", pending.join(", "))
        }
    }
}
