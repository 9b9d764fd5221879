//! `doorward backup`

mod destination;

use authn::BoxError;
use config::Secret;
use runtime::Context;
use store::ServiceState;
use store::backup::{BackupError, BackupWriter, Existing, unfinished};
use store::transfer::Tables;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::destination::{Destination, check_redirected, is_stdout, write_out};
use super::{interruptible, passphrase};
use crate::cli::Backup;
use crate::services::{EnabledServices, Settings};
use crate::state::needed_secrets;
use crate::state::sealed_files::{self, SealedFiles};
use crate::state::sources::{self, Source, Use};

/// The property of a backup with the time at which it was made.
pub(super) const CREATED: &str = "created";
/// The property with the salt of the passphrase.
pub(super) const SALT: &str = "salt";

/// Asks for what is needed before anything is opened: the passphrase, if secrets are to be in the backup.
///
/// # Errors
/// When there is such a file, or the passphrase cannot be used.
pub(crate) fn prepare(arguments: &Backup) -> Result<Option<Secret>, BoxError> {
    let Backup { file, with_secrets, passphrase, force, partial: _ } = arguments;
    // before anything is read; the file cannot be replaced later either
    if is_stdout(file) {
        check_redirected()?;
    } else if file.exists() && !force {
        return Err(with_remedy(BackupError::Exists(file.clone())));
    }
    with_secrets.then(|| passphrase::new(passphrase)).transpose()
}

/// The secrets of the data folder, sealed.
fn seal(passphrase: &Secret, settings: &Settings, context: &Context) -> Result<SealedFiles, BoxError> {
    let files = sealed_files::read(&settings.data)?;
    if files.is_empty() {
        return Err(format!("{}: has no secrets; configured ones are in no backup", settings.data.display()).into());
    }
    Ok(sealed_files::seal(&files, passphrase, &context.random))
}

/// Writes a backup of everything that is stored, while the services run or not.
///
/// # Errors
/// When a database or the file fails, or an enabled service has stored nothing; then there is no new file.
pub(crate) async fn run(
    arguments: &Backup,
    passphrase: Option<&Secret>,
    settings: &Settings,
    enabled: &EnabledServices,
    context: &Context,
) -> Result<(), BoxError> {
    let destination = Destination::new(&arguments.file, &settings.data, &context.environment);
    if destination.is_stdout && settings.gateway.log.audit.stdout {
        return Err("-: the audit log is written to standard output too; set OCIS_AUDIT_LOG_STDOUT=false".into());
    }
    let work = Box::pin(write(arguments, &destination, passphrase, settings, enabled, context));
    let Written { writer, services } = interruptible(context, work).await?;
    if destination.is_stdout {
        let backup = writer.finish_unnamed(env!("CARGO_PKG_VERSION")).await?;
        interruptible(context, write_out(backup)).await?;
        destination.say("the backup is complete")?;
    } else {
        writer.finish(env!("CARGO_PKG_VERSION")).await.map_err(with_remedy)?;
        destination.say(format_args!("{} is complete", arguments.file.display()))?;
    }
    say_what_others_have_left(&destination)?;
    say_what_else_is_needed(&destination, &services, passphrase.is_some())
}

/// A backup that only has to be completed.
struct Written {
    writer: BackupWriter,
    services: Vec<&'static str>,
}

async fn write(
    arguments: &Backup,
    destination: &Destination,
    passphrase: Option<&Secret>,
    settings: &Settings,
    enabled: &EnabledServices,
    context: &Context,
) -> Result<Written, BoxError> {
    let sealed = passphrase.map(|passphrase| seal(passphrase, settings, context)).transpose()?;
    let states = settings.states(&context.environment);
    let is_expected = |service| enabled.contains(service) && settings.always_stores(service, &context.environment);
    let expected = states.iter().filter(|(service, _)| is_expected(*service));
    let expected: Vec<ServiceState> = expected.map(|(_, state)| state.clone()).collect();
    let states = states.into_iter().map(|(_, state)| state).collect();
    let (sources, absent) = sources::open(states, Use::Shared).await?;
    let created = OffsetDateTime::from(context.clock.now());
    let all = || sources.iter().flat_map(|source| source.states.iter().map(move |state| (source, state)));
    if all().next().is_none() {
        return Err(format!("nothing is stored in {} yet", settings.data.display()).into());
    }
    if !arguments.partial {
        check_complete(&expected, &absent)?;
    }
    let migrations: Vec<_> = all().map(|(_, state)| state.migrations).collect();
    let existing = if arguments.force { Existing::Replaced } else { Existing::Kept };
    let writer =
        BackupWriter::create(&destination.path, &suffix(context), &migrations, existing).await.map_err(with_remedy)?;
    let mut services = Vec::new();
    for (source, state) in all() {
        let summary = add(&writer, source, state).await.map_err(|error| format!("{}: {error}", state.service))?;
        destination.say(summary)?;
        services.push(state.service);
    }
    absent.iter().try_for_each(|service| destination.say(format_args!("{service:13} has stored nothing yet")))?;
    if let Some(SealedFiles { salt, files }) = sealed {
        writer.add_property(SALT, &salt).await?;
        for (name, sealed) in files {
            destination.say(format_args!("{name:13} sealed under the passphrase"))?;
            writer.add_secret(&name, sealed).await?;
        }
    }
    writer.add_property(CREATED, &created.format(&Rfc3339)?).await?;
    Ok(Written { writer, services })
}

/// Fails if enabled services have stored nothing where their settings say: the settings of the command may be others than those of the
/// services.
fn check_complete(enabled: &[ServiceState], absent: &[&str]) -> Result<(), BoxError> {
    let missing = enabled.iter().filter(|state| absent.contains(&state.service));
    let missing: Vec<_> = missing.map(|state| format!("{} in {}", state.service, state.location())).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let remedy = "if the services have the same settings, --partial makes a backup without them";
    Err(format!("enabled services have stored nothing: {}; {remedy}", missing.join(", ")).into())
}

/// An error, with the option by which it does not occur.
fn with_remedy(error: BackupError) -> BoxError {
    match error {
        BackupError::Exists(_) => format!("{error}; --force replaces it").into(),
        BackupError::Unfinished(_) => format!("{error}; if none is being written, --force removes it").into(),
        error => error.into(),
    }
}

/// Adds what a service has stored, and returns a line about it.
async fn add(writer: &BackupWriter, source: &Source, state: &ServiceState) -> Result<String, BoxError> {
    let tables = Tables::of(state.migrations).await?;
    let summaries = writer.add(state.service, &source.snapshot, &tables).await?;
    let rows: u64 = summaries.iter().map(|table| table.rows).sum();
    Ok(format!("{:13} {}: {rows} rows in {} tables", state.service, state.location(), summaries.len()))
}

/// What a temporary file is called after.
pub(super) fn suffix(context: &Context) -> String {
    context.random.uuid().simple().to_string()
}

/// Warns of files that other backups have not completed.
fn say_what_others_have_left(destination: &Destination) -> Result<(), BoxError> {
    for (left, _) in unfinished(&destination.path)? {
        let text = "is left of a backup that was interrupted, unless it is still being written: delete it";
        destination.say(format_args!("warning: {} {text}", left.display()))?;
    }
    Ok(())
}

/// Says which secrets a backup is of no use without.
fn say_what_else_is_needed(destination: &Destination, services: &[&str], with_secrets: bool) -> Result<(), BoxError> {
    let needed = needed_secrets(services).join(", ");
    if needed.is_empty() {
        return Ok(());
    }
    let remedy = if with_secrets {
        "those that are configured are not in the backup"
    } else {
        "they are not in the backup; --with-secrets adds those of the data folder, not those that are configured"
    };
    destination.say(format_args!("to use what is restored, have these secrets at hand: {needed}; {remedy}"))
}
