//! `doorward restore`

use std::path::Path;

use authn::BoxError;
use runtime::Context;
use store::ServiceState;
use store::backup::{BackupContents, BackupReader};

use super::backup::{CREATED, SALT, suffix};
use super::{passphrase, say};
use crate::cli::Restore;
use crate::services::Settings;
use crate::state::needed_secrets;
use crate::state::sealed_files::{self, SealedFiles, SecretFile};
use crate::state::targets::{self, Replaced};

/// Asks for what is needed before anything is opened: the passphrase, if there are secrets, and the confirmation. `None` if that is not
/// given.
///
/// # Errors
/// When the backup cannot be used, the passphrase is another one, or the data folder has other secrets.
pub(crate) fn prepare(arguments: &Restore, data: &Path) -> Result<Option<Vec<SecretFile>>, BoxError> {
    let mut contents = None;
    runtime::block_on(async {
        contents = Some(BackupContents::of(&arguments.file).await?);
        Ok(())
    })?;
    let contents = contents.ok_or("the backup was not read")?;
    let mut question = question(&contents, arguments);
    let secrets = secrets(contents, arguments)?;
    if sealed_files::check(data, &secrets).is_err() {
        question.push_str(" The secrets of the data folder are replaced, and kept as secrets.replaced.");
    }
    if !arguments.force {
        let other = |error| format!("{error}; --force replaces it, --without-secrets leaves it as it is");
        sealed_files::check(data, &secrets).map_err(other)?;
    }
    Ok(arguments.confirmation.is_given(&question)?.then_some(secrets))
}

/// The secrets of a backup, opened.
fn secrets(contents: BackupContents, arguments: &Restore) -> Result<Vec<SecretFile>, BoxError> {
    if arguments.without_secrets || contents.secrets.is_empty() {
        return Ok(Vec::new());
    }
    let sealed = SealedFiles { salt: contents.property(SALT).to_owned(), files: contents.secrets };
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

/// Replaces what is stored by what a backup has, and writes the secrets into the data folder.
///
/// # Errors
/// When the backup cannot be used, or a database fails, is in use or has data.
pub(crate) async fn run(
    arguments: &Restore,
    secrets: &[SecretFile],
    settings: &Settings,
    context: &Context,
) -> Result<(), BoxError> {
    sealed_files::make_folder(&settings.data)?;
    let backup = BackupReader::open(&arguments.file, &settings.data, &suffix(context)).await?;
    let services = backup.contents.services();
    let states = settings.states(&context.environment).into_iter().map(|(_, state)| state);
    let states: Vec<ServiceState> = states.filter(|state| services.contains(&state.service)).collect();
    for state in &states {
        backup.migrate(state.migrations).await?;
    }
    let (targets, warnings) = targets::open(states).await?;
    warnings.iter().try_for_each(|warning| say(format_args!("warning: {warning}")))?;
    let snapshot = backup.snapshot().await?;
    let ended_at = (!arguments.keep_credentials).then(|| context.clock.now());
    let replaced = targets::restore(&targets, &snapshot, arguments.force, ended_at).await?;
    targets::commit(targets).await?;
    sealed_files::write(&settings.data, secrets)
        .map_err(|error| format!("the databases are restored, the secrets are not: {error}"))?;
    report(&services, &replaced, secrets)?;
    say(format_args!("{} is restored", arguments.file.display()))
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
