//! The command line that every service has.

pub(crate) mod health;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use crate::config::{self, Environment, Loaded, load};
use crate::service::Service;
use crate::start::{StartError, USAGE, is_configuration, start};
use crate::{BoxError, Context, process, signals, telemetry, tls};

/// Everything a service's `main` does.
pub fn main<S: Service>() -> ExitCode {
    let matches = match command::<S>().try_get_matches() {
        Ok(matches) => matches,
        Err(usage) => {
            // nothing can be done when even this cannot be printed
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { USAGE } else { 0 });
        }
    };
    match run::<S>(&matches, Environment::of_process()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text {
                let _ = writeln!(io::stderr(), "{}: {}", S::IDENTITY.name, in_one_line(&text));
            }
            ExitCode::from(failure.code)
        }
    }
}

/// What the process ends with.
struct Failure {
    /// One line for the operator.
    text: Option<String>,
    code: u8,
}

impl Failure {
    fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let code = if is_configuration(error) { USAGE } else { 1 };
        Self { text: Some(error.to_string()), code }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = error.exit_code();
        Self { text: (code != 0).then(|| error.to_string()), code }
    }
}

impl From<BoxError> for Failure {
    fn from(error: BoxError) -> Self {
        Self::of(error.as_ref())
    }
}

impl From<config::ConfigError> for Failure {
    fn from(error: config::ConfigError) -> Self {
        StartError::Config(error).into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::of(&error)
    }
}

fn command<S: Service>() -> Command {
    let show = Command::new("show").about("Print the configuration in force, secrets redacted");
    let check = Command::new("check").about("Say whether the configuration is valid");
    let docs = Command::new("docs").about("Print the documentation of every setting");
    let example = Command::new("example").about("Print a configuration file with the defaults");
    let config = Command::new("config")
        .about("Show, check or explain the configuration")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([show, check, docs, example]);
    Command::new(S::IDENTITY.name)
        .about(S::ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("Settings come from the environment and from YAML files; `config docs` lists them.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("server").about("Run the service"))
        .subcommand(Command::new("health").about("Ask a running service whether it lives; exits 0 if it does"))
        .subcommand(Command::new("version").about("Print the version"))
        .subcommand(config)
        .subcommands(S::commands())
}

fn run<S: Service>(matches: &ArgMatches, environment: Environment) -> Result<(), Failure> {
    let loaded = || load::<S::Config>(&S::IDENTITY, &environment);
    match matches.subcommand() {
        Some(("server", _)) => serve::<S>(environment),
        Some(("health", _)) => Ok(health::check(&S::listeners(&loaded()?.config).debug.addr)?),
        Some(("version", _)) => print(format_args!("{} {}\n", S::IDENTITY.name, env!("CARGO_PKG_VERSION"))),
        Some(("config", matches)) => match matches.subcommand_name() {
            Some("show") => print(loaded()?.shown()),
            Some("check") => print(checked(&loaded()?)),
            Some("docs") => print(config::docs::<S::Config>(&S::IDENTITY)),
            _ => print(config::example::<S::Config>(&S::IDENTITY)),
        },
        Some((name, matches)) => {
            let context = Context::new(environment);
            Ok(runtime()?.block_on(S::command(name, matches, context))?)
        }
        None => Ok(()),
    }
}

/// Runs the service until it is told to stop.
fn serve<S: Service>(environment: Environment) -> Result<(), Failure> {
    process::prepare()?;
    // before anything can ask for another one
    tls::provider();
    let config = load::<S::Config>(&S::IDENTITY, &environment)?.config;
    runtime()?.block_on(async {
        let listeners = S::listeners(&config);
        telemetry::init(S::IDENTITY.name, listeners.log, listeners.tracing).map_err(StartError::from)?;
        let context = Context::new(environment);
        signals::obey(&context)?;
        let started = start::<S>(&context).await;
        let ended = match started {
            Ok(running) => {
                running.wait().await;
                Ok(())
            }
            Err(problem) => Err(problem.into()),
        };
        telemetry::flush().await;
        ended
    })
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn checked<C>(loaded: &Loaded<C>) -> String {
    let warnings = loaded.warnings.iter().map(|warning| format!("warning: {warning}"));
    let lines: Vec<String> = warnings.chain(["the configuration is valid\n".into()]).collect();
    lines.join("\n")
}

fn print(text: impl Display) -> Result<(), Failure> {
    Ok(write!(io::stdout().lock(), "{text}")?)
}

/// So that a log collector sees one message.
fn in_one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
