//! `doorward restore`

use std::io::{self, IsTerminal};
use std::path::Path;

use authn::BoxError;
use runtime::{Context, Random};
use store::ServiceState;
use store::backup::{BackupContents, BackupReader, ReceivedBackup};

use super::backup::{CREATED, SALT, suffix};
use super::{interruptible, passphrase, say};
use crate::cli::Restore;
use crate::services::{EnabledServices, ServiceId, Settings};
use crate::state::sealed_files::{self, SealedFiles, SecretFile, StagedSecrets};
use crate::state::targets::{self, Replaced, Target};
use crate::state::{Unseen, needed_secrets};

/// What the operator has confirmed: the backup of which the question was, and its secrets, opened.
pub(crate) struct Confirmed {
    contents: BackupContents,
    secrets: Vec<SecretFile>,
}

/// Reads a backup from standard input into the data folder, which it makes, where the argument is `-`. The confirmation and the passphrase
/// cannot be read from there then.
///
/// # Errors
/// When they would be, or the backup cannot be read.
pub(crate) fn receive(arguments: &Restore, data: &Path, random: &Random) -> Result<Option<ReceivedBackup>, BoxError> {
    if arguments.file.as_os_str() != "-" {
        return Ok(None);
    }
    if !arguments.confirmation.yes {
        return Err("-: the confirmation cannot be read from standard input too; give it by --yes".into());
    }
    if arguments.passphrase.passphrase_stdin {
        return Err("-: the passphrase cannot be read from standard input too; name --passphrase-file".into());
    }
    if io::stdin().is_terminal() {
        return Err("-: standard input is a terminal; redirect it from the backup, or name the file".into());
    }
    sealed_files::make_folder(data)?;
    let suffix = random.uuid().simple().to_string();
    Ok(Some(ReceivedBackup::read(&mut io::stdin().lock(), data, &suffix)?))
}

/// Asks for what is needed before anything is opened: the passphrase, if there are secrets, and the confirmation. `None` if that is not
/// given.
///
/// # Errors
/// When the backup cannot be used, the passphrase is another one, or the data folder has other secrets.
pub(crate) fn prepare(arguments: &Restore, data: &Path) -> Result<Option<Confirmed>, BoxError> {
    let mut contents = None;
    runtime::block_on(async {
        contents = Some(BackupContents::of(&arguments.file).await?);
        Ok(())
    })?;
    let contents = contents.ok_or("the backup was not read")?;
    let mut question = question(&contents, arguments);
    let secrets = secrets(&contents, arguments)?;
    if sealed_files::check(data, &secrets).is_err() {
        question.push_str(" The secrets of the data folder are replaced, and kept as secrets.replaced.");
    }
    if !arguments.force {
        let other = |error| format!("{error}; --force replaces it, --without-secrets leaves it as it is");
        sealed_files::check(data, &secrets).map_err(other)?;
    }
    Ok(arguments.confirmation.is_given(&question)?.then_some(Confirmed { contents, secrets }))
}

/// The secrets of a backup, opened.
fn secrets(contents: &BackupContents, arguments: &Restore) -> Result<Vec<SecretFile>, BoxError> {
    if arguments.without_secrets || contents.secrets.is_empty() {
        return Ok(Vec::new());
    }
    let sealed = SealedFiles { salt: contents.property(SALT).to_owned(), files: contents.secrets.clone() };
    sealed_files::open(&sealed, &passphrase::of_backup(&arguments.passphrase)?)
}

fn question(contents: &BackupContents, arguments: &Restore) -> String {
    let consequence = if arguments.keep_credentials {
        "What was revoked since then is valid again."
    } else {
        "All users are signed out, and all app tokens are revoked."
    };
    let services = contents.services().join(", ");
    format!("Restore {} of {} ({services})? {consequence}", arguments.file.display(), contents.property(CREATED))
}

/// Replaces what is stored by what a backup has, and writes the secrets into the data folder, which exists.
///
/// # Errors
/// When the backup cannot be used or is another one than the operator has confirmed, or a database fails, is in use or has data.
pub(crate) async fn run(
    arguments: &Restore,
    confirmed: &Confirmed,
    settings: &Settings,
    enabled: &EnabledServices,
    context: &Context,
) -> Result<(), BoxError> {
    let states = settings.states(&context.environment);
    let work = Box::pin(replace(arguments, confirmed, &states, settings, context));
    let Pending { targets, replaced, secrets } = interruptible(context, work).await?;
    // from here on to the end, whatever signals arrive: a part of it would be of no use
    targets::commit(targets).await?;
    secrets.replace().map_err(|error| {
        format!("the databases are restored, the secrets are not: {error}; repeat the command with --force")
    })?;
    report(&confirmed.contents.services(), &replaced, &confirmed.secrets)?;
    say_what_is_left(&confirmed.contents.services(), &states, enabled)?;
    say(format_args!("the backup of {} is restored", confirmed.contents.property(CREATED)))
}

/// Rows that are written and secrets that are on disk, none of which counts yet.
struct Pending<'a> {
    targets: Vec<Target>,
    replaced: Vec<Replaced>,
    secrets: StagedSecrets<'a>,
}

async fn replace<'a>(
    arguments: &Restore,
    confirmed: &'a Confirmed,
    states: &[(ServiceId, ServiceState)],
    settings: &Settings,
    context: &Context,
) -> Result<Pending<'a>, BoxError> {
    let backup = BackupReader::open(&arguments.file, &settings.data, &suffix(context)).await?;
    if backup.contents != confirmed.contents {
        let file = arguments.file.display();
        return Err(
            format!("{file}: has become another backup than the one that was confirmed; nothing was changed").into()
        );
    }
    let services = backup.contents.services();
    let states = states.iter().map(|(_, state)| state).filter(|state| services.contains(&state.service));
    let states: Vec<ServiceState> = states.cloned().collect();
    for state in &states {
        backup.migrate(state.migrations).await?;
    }
    let targets = targets::open(states, Unseen::new(arguments.stopped)).await?;
    let snapshot = backup.snapshot().await?;
    let ended_at = (!arguments.keep_credentials).then(|| context.clock.now());
    let replaced = targets::restore(&targets, &snapshot, arguments.force, ended_at).await?;
    let secrets = sealed_files::stage(&settings.data, &confirmed.secrets)?;
    Ok(Pending { targets, replaced, secrets })
}

fn report(services: &[&str], replaced: &[Replaced], secrets: &[SecretFile]) -> Result<(), BoxError> {
    for Replaced { service, location, tables, ended } in replaced {
        let rows: u64 = tables.iter().map(|table| table.target.rows).sum();
        say(format_args!("{service:13} {location}: {rows} rows in {} tables", tables.len()))?;
        let ended = ended.iter().filter(|(what, count)| !what.is_empty() && *count > 0);
        for (what, count) in ended {
            say(format_args!("{service:13} ended {count} {what}"))?;
        }
    }
    let restored: Vec<_> = replaced.iter().map(|one| one.service).collect();
    for left in services.iter().filter(|service| !restored.contains(service)) {
        say(format_args!("{left:13} is in the backup and stores nothing here: left out"))?;
    }
    secrets.iter().try_for_each(|file| say(format_args!("{:13} restored", file.name())))?;
    let needed = needed_secrets(&restored).join(", ");
    if secrets.is_empty() && !needed.is_empty() {
        say(format_args!("the services need the secrets of the time of the backup: {needed}"))?;
    }
    Ok(())
}

/// Names the services that the backup does not have, and that store something or are about to.
fn say_what_is_left(
    services: &[&str],
    states: &[(ServiceId, ServiceState)],
    enabled: &EnabledServices,
) -> Result<(), BoxError> {
    let has_file = |state: &ServiceState| state.file().is_some_and(|file| file.exists());
    let absent = states.iter().filter(|(_, state)| !services.contains(&state.service));
    let mut left = absent.filter(|(service, state)| enabled.contains(*service) || has_file(state));
    left.try_for_each(|(service, state)| {
        let place = state.location();
        // a backup of a version without this store cannot bring the end of what others have issued
        let more =
            if *service == ServiceId::AuthBearer { "; access tokens of other issuers are not ended" } else { "" };
        say(format_args!("{:13} {place}: is not in the backup; what it stores is left as it is{more}", state.service))
    })
}

#[cfg(test)]
mod tests;
