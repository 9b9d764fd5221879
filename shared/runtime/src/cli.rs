//! The command line that every service has.

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use crate::Context;
use crate::check_files::check_loaded;
use crate::host::{block_on, health, host, report, usage};
use crate::output::print;
use crate::service::Service;
use crate::start::start;
use authn::BoxError;
use config::{Environment, Loaded, load};

/// Everything a service's `main` does.
pub fn main<S: Service>() -> ExitCode {
    match command::<S>().try_get_matches() {
        Ok(matches) => report(S::IDENTITY.name, run::<S>(&matches, Environment::of_process())),
        Err(problem) => usage(&problem),
    }
}

fn command<S: Service>() -> Command {
    let show = Command::new("show").about("Print the configuration in force, secrets redacted");
    let check = Command::new("check").about("Say whether the configuration is valid");
    let docs = Command::new("docs").about("Print the documentation of every setting");
    let example = Command::new("example").about("Print a configuration file with the defaults");
    let schema = Command::new("schema").about("Print the JSON Schema of the configuration file, for editors");
    let config = Command::new("config")
        .about("Show, check or explain the configuration")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([show, check, docs, example, schema]);
    Command::new(S::IDENTITY.name)
        .about(S::ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("Settings come from the environment and from YAML files; `config docs` lists them.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("server").about("Run the service"))
        .subcommand(Command::new("health").about("Ask a running service whether it is ready; exits 0 if it is"))
        .subcommand(Command::new("version").about("Print the version"))
        .subcommand(config)
        .subcommands(S::commands())
}

fn run<S: Service>(matches: &ArgMatches, environment: Environment) -> Result<(), BoxError> {
    let loaded = || load::<S::Config>(&S::IDENTITY, &environment);
    match matches.subcommand() {
        Some(("server", _)) => serve::<S>(environment),
        Some(("health", _)) => {
            let config = loaded()?.config;
            let debug = S::listeners(&config).debug;
            health(&debug.addr, debug.tls.enabled)
        }
        Some(("version", _)) => print(format_args!("{} {}\n", S::IDENTITY.name, env!("CARGO_PKG_VERSION"))),
        Some(("config", matches)) => match matches.subcommand_name() {
            Some("show") => print(loaded()?.shown),
            Some("check") => print(checked::<S>(&loaded()?)?),
            Some("docs") => print(config::docs::<S::Config>(&S::IDENTITY)),
            Some("schema") => print(config::schema::<S::Config>(&S::IDENTITY)),
            _ => print(config::example::<S::Config>(&S::IDENTITY)),
        },
        Some(_) => block_on(S::command(matches, Context::new(environment))),
        None => Ok(()),
    }
}

/// Runs the service until it receives a signal to stop.
fn serve<S: Service>(environment: Environment) -> Result<(), BoxError> {
    let config = load::<S::Config>(&S::IDENTITY, &environment)?.config;
    host(S::IDENTITY.name, S::listeners(&config).telemetry(), Context::new(environment), async |context| {
        Ok(start::<S>(&context).await?.wait())
    })
}

fn checked<S: Service>(loaded: &Loaded<S::Config>) -> Result<String, BoxError> {
    let of_files = check_loaded::<S>(loaded)?;
    let warnings = loaded.warnings.iter().chain(&of_files).map(|warning| format!("warning: {warning}"));
    let lines: Vec<String> = warnings.chain(["the configuration is valid\n".into()]).collect();
    Ok(lines.join("\n"))
}
