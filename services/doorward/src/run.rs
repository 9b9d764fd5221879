//! From the command line to an exit code.

use std::process::ExitCode;

use authn::BoxError;
use clap::Parser;
use runtime::{
    Context, Misconfigured, Random,
    config::{Environment, base_data_path},
};

use crate::{
    admin,
    cli::{Admin, Cli, Command, UserOrToken},
    command,
    family::Family,
    quickstart,
    secrets::Secrets,
    selection::Selection,
    settings::Settings,
};

/// Everything that `main` does.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => runtime::report("doorward", run(cli.command, Environment::of_process())),
        Err(usage) => runtime::usage(&usage),
    }
}

fn run(command: Command, environment: Environment) -> Result<(), BoxError> {
    match command {
        Command::Server => {
            let selection = Selection::of(&environment).map_err(Misconfigured::new)?;
            serve(&selection, environment, false)
        }
        Command::Quickstart => serve(&Selection::everything(), environment, true),
        Command::Config { command } => command::config::run(&command, &environment, &kept(&environment)?),
        Command::AuthApp { command } => runtime::block_on(async { command.run(&of_auth_app(&environment)?).await }),
        Command::Client { command } => runtime::block_on(async { command.run(&of_idp(&environment)?).await }),
        Command::Keys { command } => runtime::block_on(async { command.run(&of_idp(&environment)?).await }),
        Command::Health => {
            let selection = Selection::of(&environment).map_err(Misconfigured::new)?;
            command::health::run(&Settings::load(&environment, &any(&environment)?)?, &selection)
        }
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
    }
}

fn user(command: UserOrToken, environment: Environment) -> Result<(), BoxError> {
    match command {
        UserOrToken::User(command) => {
            let secrets = kept(&environment)?;
            call(environment, &secrets, async |settings, context| {
                command::user::run(command, admin::Admin::connect(&settings, &context).await?, &context).await
            })
        }
        UserOrToken::Token(token) => runtime::block_on(async { token.run(&of_auth_app(&environment)?).await }),
    }
}

/// Runs the family until it is told to stop.
fn serve(selection: &Selection, environment: Environment, welcome: bool) -> Result<(), BoxError> {
    let context = Context::new(environment);
    let data = base_data_path(&context.environment);
    let secrets = Secrets::read_or_make(&data, &context.random).map_err(Misconfigured::new)?;
    let settings = Settings::load(&context.environment, &secrets)?;
    // The gateway is what everybody calls: how it logs is how the process does.
    let (log, tracing) = (settings.gateway.log.clone(), settings.gateway.tracing.clone());
    runtime::host("doorward", &log, &tracing, context, async |context| {
        settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        settings.files.iter().for_each(|file| context.reload.watch(file));
        let family = Family::start(&settings, selection, &context).await?;
        if welcome {
            quickstart::welcome(&settings, &context).await?;
        }
        Ok(async { family.wait().await })
    })
}

/// Runs a command that speaks with the family, or opens what a stopped one left.
fn call(
    environment: Environment,
    secrets: &Secrets,
    work: impl AsyncFnOnce(Settings, Context) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let context = Context::new(environment);
    let settings = Settings::load(&context.environment, secrets)?;
    runtime::block_on(work(settings, context))
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

/// What auth-app's own commands are told: the secrets of the data folder, which that service knows nothing of.
fn of_auth_app(environment: &Environment) -> Result<Context, BoxError> {
    let secrets = kept(environment)?;
    let generated = Environment::from([
        ("OCIS_JWT_SECRET", secrets.jwt.expose()),
        ("AUTH_APP_TOKEN_KEY", secrets.app_token_key.expose()),
    ]);
    Ok(Context::new(environment.layered_over(&generated)))
}

/// What idp's own commands are told, likewise.
fn of_idp(environment: &Environment) -> Result<Context, BoxError> {
    let secrets = kept(environment)?;
    let generated = Environment::from([
        ("OCIS_JWT_SECRET", secrets.jwt.expose()),
        ("IDP_ENCRYPTION_SECRET", secrets.idp_encryption.expose()),
    ]);
    Ok(Context::new(environment.layered_over(&generated)))
}
