//! From the command line to an exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use authn::BoxError;
use authn::audit::Event;
use clap::Parser;
use config::{ConfigError, Environment, Tracing, base_data_path};
use runtime::{Context, ForeignToken, Misconfigured, Random, telemetry};

use crate::cli::{self, Admin, Backup, Cli, Command, Db, Migrate, Restore, Rotate, UserOrToken};
use crate::family::Family;
use crate::running::{RunningFile, RunningService};
use crate::secrets::{self, Secrets};
use crate::service_accounts::ServiceAccounts;
use crate::services::{Defaults, EnabledServices, ServiceId, Settings};
use crate::state::sealed_files;
use crate::{admin, announcement, command, quickstart};

/// Everything that `main` does.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => {
            let environment = Environment::of_process();
            let outcome = run(cli.command, environment.clone());
            runtime::report("doorward", outcome.map_err(|error| with_data_folder(&environment, error)))
        }
        Err(usage) => runtime::usage(&usage),
    }
}

fn run(command: Command, environment: Environment) -> Result<(), BoxError> {
    match command {
        Command::Server => {
            let enabled = EnabledServices::of(&environment).map_err(Misconfigured::new)?;
            serve(&enabled, environment, false)
        }
        Command::Quickstart => serve(&EnabledServices::all(), environment, true),
        Command::Config { command } => command::config::run(&command, &environment, &kept(&environment)?),
        Command::AuthApp { command } => {
            let defaults = Defaults::new(&kept(&environment)?).auth_app();
            runtime::block_on(command.run(&defaults, &Context::new(environment)))
        }
        Command::Client { command } => {
            let defaults = Defaults::new(&kept(&environment)?).idp();
            runtime::block_on(command.run(&defaults, &Context::new(environment)))
        }
        Command::Keys { command } => {
            let defaults = Defaults::new(&kept(&environment)?).idp();
            runtime::block_on(command.run(&defaults, &Context::new(environment)))
        }
        Command::Session { command } => {
            let defaults = Defaults::new(&kept(&environment)?).idp();
            runtime::block_on(command.run(&defaults, &Context::new(environment)))
        }
        Command::Audit { command } => {
            let defaults = Defaults::new(&kept(&environment)?).idp();
            runtime::block_on(command.run(&defaults, &Context::new(environment)))
        }
        Command::Migrate(arguments) => migrate(&arguments, environment),
        Command::Backup(arguments) => backup(&arguments, environment),
        Command::Restore(arguments) => restore(arguments, environment),
        Command::Db { command: Db::Copy(arguments) } => {
            let place = store::redacted(arguments.to.expose());
            audited(environment, ("database_copy", &place), async |settings, context| {
                command::db::copy(&arguments, &settings, &context).await
            })
        }
        Command::Secrets { command: cli::Secrets::Rotate(arguments) } => rotate(&arguments, environment),
        Command::Completions { shell } => command::shell::completions(shell),
        Command::Man { folder } => command::shell::man(folder.as_deref()),
        Command::Health { output } => {
            command::health::run(&base_data_path(&environment), output, || configured(&environment))
        }
        Command::Doctor(arguments) => runtime::block_on(command::doctor::run(&arguments, environment)),
        Command::Authenticate(arguments) => {
            let secrets = any(&environment)?;
            call(environment, &secrets, async |settings, context| {
                command::authenticate::run(arguments, &settings, &context).await
            })
        }
        Command::User { command } | Command::Admin { command: Admin::User { command } } => user(command, environment),
        Command::Group { command } => {
            let secrets = kept(&environment)?;
            call(environment, &secrets, async |settings, context| {
                command::group::run(command, admin::Admin::connect(&settings, &context).await?).await
            })
        }
        Command::ServiceAccount { command } => {
            let secrets = kept(&environment)?;
            call(environment, &secrets, async |settings, context| {
                let accounts = ServiceAccounts::connect(&settings, &context).await?;
                command::service_account::run(command, accounts).await
            })
        }
        Command::Workload { command } => {
            let secrets = any(&environment)?;
            call(environment, &secrets, async |settings, context| {
                command::workload::run(command, &settings, &context).await
            })
        }
    }
}

fn user(command: UserOrToken, environment: Environment) -> Result<(), BoxError> {
    match command {
        UserOrToken::User(command) => {
            let secrets = kept(&environment)?;
            call(environment, &secrets, async |settings, context| {
                let admin = admin::Admin::connect(&settings, &context).await?;
                command::user::run(command, admin, &settings.idp, &context).await
            })
        }
        UserOrToken::Token(token) => {
            let defaults = Defaults::new(&kept(&environment)?).auth_app();
            runtime::block_on(token.run(&defaults, &Context::new(environment)))
        }
    }
}

fn migrate(arguments: &Migrate, environment: Environment) -> Result<(), BoxError> {
    let Migrate { check, all } = *arguments;
    let enabled = EnabledServices::of(&environment).map_err(Misconfigured::new)?;
    let enabled = if all { EnabledServices::all() } else { enabled };
    let secrets = any(&environment)?;
    call(environment, &secrets, async |settings, context| {
        command::migrate::run(settings.states(&context.environment), &enabled, check).await
    })
}

fn backup(arguments: &Backup, environment: Environment) -> Result<(), BoxError> {
    let enabled = EnabledServices::of(&environment).map_err(Misconfigured::new)?;
    let passphrase = command::backup::prepare(arguments)?;
    let file = arguments.file.display().to_string();
    audited(environment, ("backup", &file), async |settings, context| {
        command::backup::run(arguments, passphrase.as_ref(), &settings, &enabled, &context).await
    })
}

fn restore(mut arguments: Restore, environment: Environment) -> Result<(), BoxError> {
    let enabled = EnabledServices::of(&environment).map_err(Misconfigured::new)?;
    let data = base_data_path(&environment);
    let file = arguments.file.display().to_string();
    let received = command::restore::receive(&arguments, &data, &Random::system())?;
    if let Some(received) = &received {
        received.path().clone_into(&mut arguments.file);
    }
    let Some(confirmed) = command::restore::prepare(&arguments, &data)? else { return Ok(()) };
    // the audit log of a new machine is in it
    sealed_files::make_folder(&data)?;
    audited(environment, ("restore", &file), async |settings, context| {
        command::restore::run(&arguments, &confirmed, &settings, &enabled, &context).await
    })
}

fn rotate(arguments: &Rotate, environment: Environment) -> Result<(), BoxError> {
    let Some(secret) = arguments.name else {
        let settings = Settings::load(&environment, &any(&environment)?)?;
        return command::secrets::list(arguments.output, &settings, &environment);
    };
    if !command::secrets::is_confirmed(secret, arguments)? {
        return Ok(());
    }
    if arguments.dry_run {
        let secrets = any(&environment)?;
        return call(environment, &secrets, async |settings, context| {
            command::secrets::rotate(secret, arguments, &settings, &context).map(|_| ())
        });
    }
    audited_change(environment, (command::secrets::event(arguments), secret.name()), async |settings, context| {
        command::secrets::rotate(secret, arguments, &settings, &context)
    })
}

/// The services that run with this configuration, and where they answer for their health.
fn configured(environment: &Environment) -> Result<Vec<RunningService>, BoxError> {
    let enabled = EnabledServices::of(environment).map_err(Misconfigured::new)?;
    let settings = Settings::load(environment, &any(environment)?)?;
    let running = |service: ServiceId| {
        let debug = settings.listeners(service).debug;
        RunningService { name: service.name().to_owned(), debug: debug.addr.clone(), debug_tls: debug.tls.enabled }
    };
    Ok(enabled.iter().map(running).collect())
}

/// Runs the family until it is stopped.
fn serve(enabled: &EnabledServices, environment: Environment, is_quickstart: bool) -> Result<(), BoxError> {
    let data = base_data_path(&environment);
    // before they are read: a change from here on is later than what this process reads
    let changed = secrets::changed(&data);
    let (secrets, corrected) = Secrets::read_or_make(&data, &Random::system()).map_err(Misconfigured::new)?;
    let context = Context::new(environment.with_generated(data.join(secrets::FILE), secrets::REREAD));
    context.reload.watch(data.join(secrets::FILE));
    let load = if is_quickstart { Settings::load_local } else { Settings::load };
    let mut settings = load(&context.environment, &secrets)?;
    settings.check_edge(enabled)?;
    settings.keep_audit_log(&context.environment);
    if enabled.contains(ServiceId::Proxy) {
        settings.keep_certificate(context.clock.now()).map_err(Misconfigured::new)?;
    }
    // Every caller enters by the gateway, so its log settings hold for the process.
    let (log, tracing) = (settings.gateway.log.clone(), settings.gateway.tracing.clone());
    let keeps_spans = enabled.iter().any(|service| settings.listeners(service).debug.zpages);
    let telemetry = telemetry::Settings { log: &log, tracing: &tracing, keeps_spans };
    runtime::host("doorward", telemetry, context, async |context| {
        if let Some(corrected) = corrected {
            // an audit event, which is logged whatever the level
            tracing::warn!(target: "audit", event = "secrets_mode_corrected", outcome = "success", "{corrected}");
        }
        settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        settings.files.iter().for_each(|file| context.reload.watch(file));
        let family = Box::pin(Family::start(&settings, enabled, &context)).await?;
        let file = RunningFile::write(&settings.data, family.running(&settings), changed).inspect_err(|error| {
            tracing::warn!(
                %error,
                "the data folder (OCIS_BASE_DATA_PATH) cannot be written: `doorward health` asks the services that its own environment configures"
            );
        });
        if is_quickstart {
            quickstart::welcome(&settings, &context).await?;
        } else {
            announcement::announce(&settings, enabled)?;
            announcement::warn_without_administrator(&settings, enabled, &context).await;
        }
        Ok(async move {
            family.wait().await;
            drop(file);
        })
    })
}

/// Runs a command that calls the running family, or opens the state of a stopped one.
fn call(
    environment: Environment,
    secrets: &Secrets,
    work: impl AsyncFnOnce(Settings, Context) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let context = Context::new(environment);
    let settings = Settings::load(&context.environment, secrets)?;
    runtime::block_on(work(settings, context))
}

/// Runs a command that works with everything that is stored: the audit log has a line about it, with the name of the event and the file
/// or database. A signal does not end it by itself: the command decides what can be [interrupted](command::interruptible).
fn audited(
    environment: Environment,
    event: (&'static str, &str),
    work: impl AsyncFnOnce(Settings, Context) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    audited_change(environment, event, async move |settings, context| work(settings, context).await.map(|()| true))
}

/// The same for a command that may find nothing to do, which is no event: it returns whether it has changed something.
fn audited_change(
    environment: Environment,
    (event, object): (&'static str, &str),
    work: impl AsyncFnOnce(Settings, Context) -> Result<bool, BoxError>,
) -> Result<(), BoxError> {
    let secrets = any(&environment)?;
    let context = Context::new(environment);
    let mut settings = Settings::load(&context.environment, &secrets)?;
    if settings.data.is_dir() {
        settings.keep_audit_log(&context.environment);
    }
    let log = settings.gateway.log.clone();
    // of what is sent, only the audit log has something of a command
    let (metrics_exporter, tracing) = (String::new(), settings.gateway.tracing.clone());
    let tracing = Tracing { enabled: false, metrics: false, metrics_exporter, ..tracing };
    let telemetry = telemetry::Settings { log: &log, tracing: &tracing, keeps_spans: false };
    runtime::host("doorward", telemetry, context, async |context| {
        let outcome = work(settings, context).await;
        match &outcome {
            Ok(true) => Event { object: &object, ..Event::new(event, "success") }.log(),
            Ok(false) => {}
            Err(error) => {
                Event { object: &object, reason: &error.to_string(), ..Event::new(event, "failure") }.log();
            }
        }
        outcome.map(|_| std::future::ready(()))
    })
}

/// The secrets of the data folder; none if there is no folder, for commands make nothing.
fn kept(environment: &Environment) -> Result<Secrets, BoxError> {
    let found = Secrets::read(&base_data_path(environment)).map_err(Misconfigured::new)?;
    Ok(found.unwrap_or_default())
}

/// The same for commands that ask the running family and need no secret themselves: without a data folder, as on another
/// machine, any will do to read the configuration.
fn any(environment: &Environment) -> Result<Secrets, BoxError> {
    let found = Secrets::read(&base_data_path(environment)).map_err(Misconfigured::new)?;
    Ok(found.unwrap_or_else(|| Secrets::make(&Random::system())))
}

/// An error that secrets of another data folder may have avoided, with the folder where they were looked for.
fn with_data_folder(environment: &Environment, error: BoxError) -> BoxError {
    let folder = base_data_path(environment);
    let has_secrets = matches!(Secrets::read(&folder), Ok(Some(_)));
    let is_missing = matches!(error.downcast_ref::<ConfigError>(), Some(ConfigError::Missing { .. }));
    if is_missing && !has_secrets {
        let error = error.to_string();
        Box::new(Misconfigured::new(NoSecrets { error, folder }))
    } else if error.is::<ForeignToken>() {
        Box::new(ForeignFolder { error, folder })
    } else {
        error
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{error}; the data folder {} holds no generated secrets: if the server uses another one, set OCIS_BASE_DATA_PATH to it",
    folder.display()
)]
struct NoSecrets {
    error: String,
    folder: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("{error}; the data folder is {}: if the server uses another one, set OCIS_BASE_DATA_PATH to it", folder.display())]
struct ForeignFolder {
    error: BoxError,
    folder: PathBuf,
}
