//! From the command line to an exit code.

use std::process::ExitCode;

use authn::BoxError;
use clap::Parser;
use runtime::{
    Context, Misconfigured, Random, Service,
    config::{Environment, base_data_path},
};

use crate::{
    admin::Admin,
    cli::{Cli, Command},
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
        Command::AuthApp { arguments } => auth_app(arguments, &environment),
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
        Command::User { command } => {
            let secrets = kept(&environment)?;
            call(environment, &secrets, async |settings, context| {
                command::user::run(command, Admin::connect(&settings, &context).await?, &context).await
            })
        }
        Command::Group { command } => {
            let secrets = kept(&environment)?;
            call(environment, &secrets, async |settings, context| {
                command::group::run(command, Admin::connect(&settings, &context).await?).await
            })
        }
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

/// `doorward auth-app ...` is `auth-app ...` with the secrets of the data folder, which that binary knows nothing of.
fn auth_app(arguments: Vec<String>, environment: &Environment) -> Result<(), BoxError> {
    let secrets = kept(environment)?;
    let command = clap::Command::new("doorward auth-app")
        .about("Creates app tokens")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(auth_app::AuthApp::commands());
    let words = std::iter::once("doorward auth-app".to_owned()).chain(arguments);
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(usage) => usage.exit(),
    };
    let gateway = Settings::load(environment, &secrets)?.gateway_endpoint();
    let generated = Environment::from([
        ("OCIS_JWT_SECRET", secrets.jwt.expose()),
        ("OCIS_MACHINE_AUTH_API_KEY", secrets.machine_key.expose()),
        ("AUTH_APP_TOKEN_KEY", secrets.app_token_key.expose()),
        ("OCIS_REVA_GATEWAY", &gateway),
    ]);
    let context = Context::new(environment.layered_over(&generated));
    let (name, matches) = matches.subcommand().ok_or("no subcommand")?;
    runtime::block_on(auth_app::AuthApp::command(name, matches, context))
}
