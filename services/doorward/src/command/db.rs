//! `doorward db copy`

use authn::BoxError;
use runtime::{Context, Misconfigured};
use store::transfer::CopiedTable;
use store::{ServiceState, canonical_url};

use super::{interruptible, say, table};
use crate::cli::DbCopy;
use crate::services::Settings;
use crate::state::Unseen;
use crate::state::sources::{self, Use};
use crate::state::targets::{self, Replaced, Target};

/// Copies what is stored to another database, and prints the counts and checksums of both sides.
///
/// # Errors
/// When a database fails, is in use or has data, or both sides are not the same; then nothing is copied.
pub(crate) async fn copy(arguments: &DbCopy, settings: &Settings, context: &Context) -> Result<(), BoxError> {
    let target = interruptible(context, Box::pin(replace(arguments, settings, context))).await?;
    targets::commit(vec![target]).await?;
    let location = store::redacted(arguments.to.expose());
    say(format_args!("both sides are the same; name {location} in the settings of these services and start them"))
}

/// Writes everything to the other database and compares both sides; nothing is durable yet.
async fn replace(arguments: &DbCopy, settings: &Settings, context: &Context) -> Result<Target, BoxError> {
    let DbCopy { to, service, online, stopped } = arguments;
    store::check_url(to.expose()).map_err(|problem| Misconfigured::new(InvalidUrl(problem)))?;
    let states = settings.states(&context.environment).into_iter();
    let states = states.filter(|(id, _)| service.is_none_or(|only| *id == only));
    let states: Vec<ServiceState> = states.map(|(_, state)| state).collect();
    if let Some(same) = states.iter().find(|state| canonical_url(&state.url) == canonical_url(to.expose())) {
        return Err(format!("{}: is in that database already", same.service).into());
    }
    let usage = if *online { Use::Shared } else { Use::Exclusive(Unseen::new(*stopped)) };
    let (sources, absent) = sources::open(states, usage).await?;
    absent.iter().try_for_each(|service| say(format_args!("{service} has stored nothing yet")))?;
    let all: Vec<ServiceState> = sources.iter().flat_map(|source| source.states.clone()).collect();
    if all.is_empty() {
        return Err("there is nothing to copy".into());
    }
    let target = targets::open_at(to.expose(), all).await.map_err(|error| format!("--to: {error}"))?;
    let mut replaced = Vec::new();
    for source in &sources {
        replaced.extend(targets::copy(&target, &source.snapshot, &source.states).await?);
    }
    report(&replaced)?;
    if replaced.iter().flat_map(|one| &one.tables).any(|table| !table.is_equal()) {
        return Err("the two sides are not the same; nothing was copied".into());
    }
    Ok(target)
}

#[derive(Debug, thiserror::Error)]
#[error("--to: {0}")]
struct InvalidUrl(&'static str);

fn report(replaced: &[Replaced]) -> Result<(), BoxError> {
    let rows = replaced.iter().flat_map(|one| one.tables.iter().map(move |copied| row(one.service, copied)));
    table(["SERVICE", "TABLE", "ROWS", "ROWS THERE", "CHECKSUM", "CHECKSUM THERE"], &rows.collect::<Vec<_>>())
}

fn row(service: &str, CopiedTable { source, target }: &CopiedTable) -> [String; 6] {
    let [rows, rows_there] = [source.rows, target.rows].map(|rows| rows.to_string());
    let [checksum, checksum_there] = [source.checksum, target.checksum].map(|checksum| checksum.to_string());
    [service.to_owned(), source.table.clone(), rows, rows_there, checksum, checksum_there]
}
