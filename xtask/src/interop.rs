//! `cargo xtask interop`: other people's programs with the family, and the table of their results.

mod audit_log;
mod certificates;
mod collector;
mod doors;
mod family;
mod go_program;
mod helm;
mod kubernetes;
mod mailpit;
mod oauth2_proxy;
mod openid;
mod patroni;
mod pebble;
mod pprof;
mod processes;
mod promtool;
mod report;
mod rsyslog;
mod spire;
mod workloads;

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::tools::{self, Outcome, Workspace};
use go_program::GoProgram;
use processes::Processes;
use report::{Report, Scenarios, Trouble};

/// Run other people's programs against the family, and write docs/interoperability.md. It needs Go 1.26, curl and openssl, and gcc for SPIRE.
///
/// Each program is built once, into a folder outside the tree. What cannot be had is a line of the table that says so.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where programs are built, and logs kept; by default doorward-interop in the user's cache folder
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Where the binaries of the family are; by default they are built
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Build none of the programs: one that is not there yet is a line that says so
    #[arg(long)]
    no_build: bool,
    /// Run the scenarios of this program alone, and write no page; may be given several times
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Program>,
    /// The user's cache folder
    #[arg(long, env = "XDG_CACHE_HOME", hide = true)]
    cache: Option<PathBuf>,
}

/// A program of others.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Program {
    Promtool,
    Pprof,
    Helm,
    Collector,
    Rsyslog,
    GoOidc,
    Oauth2Proxy,
    Mailpit,
    Pebble,
    Kubernetes,
    Spire,
    Patroni,
}

/// What the scenarios share.
struct Session<'a> {
    workspace: &'a Workspace,
    processes: &'a Processes,
    /// Where the programs are.
    folder: PathBuf,
    /// Where the binaries of the family are.
    binaries: PathBuf,
    /// Whether programs that are not there yet are built.
    builds: bool,
}

impl Session<'_> {
    /// The binary of a program, built if it is not there.
    fn build(&self, program: &GoProgram) -> Result<PathBuf, Trouble> {
        match program.find(&self.folder) {
            Some(binary) => Ok(binary),
            None if self.builds => program.build(self.processes, &self.folder),
            None => Err(Trouble::Missing(format!("{} is not built", program.name))),
        }
    }
}

impl Program {
    /// The name and the version, as the table has them.
    fn title(self) -> (&'static str, String) {
        let version = |program: &GoProgram| program.module.1.trim_start_matches('v').to_owned();
        match self {
            Self::Promtool => ("promtool", version(&promtool::PROGRAM)),
            Self::Pprof => ("pprof", pprof::version()),
            Self::Helm => ("Helm", version(&helm::PROGRAM)),
            Self::Collector => ("OpenTelemetry Collector", version(&collector::PROGRAM)),
            Self::Rsyslog => ("rsyslog", rsyslog::version()),
            Self::GoOidc => ("go-oidc", version(&openid::CLIENT)),
            Self::Oauth2Proxy => ("oauth2-proxy", version(&oauth2_proxy::PROGRAM)),
            Self::Mailpit => ("Mailpit", version(&mailpit::PROGRAM)),
            Self::Pebble => ("Pebble", version(&pebble::PROGRAM)),
            Self::Kubernetes => ("Kubernetes", version(&kubernetes::API_SERVER)),
            Self::Spire => ("SPIRE", version(&spire::PROGRAM)),
            Self::Patroni => ("Patroni", patroni::VERSION.to_owned()),
        }
    }

    fn run(self, session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
        match self {
            Self::Promtool => promtool::run(session, scenarios),
            Self::Pprof => pprof::run(session, scenarios),
            Self::Helm => helm::run(session, scenarios),
            Self::Collector => collector::run(session, scenarios),
            Self::Rsyslog => rsyslog::run(session, scenarios),
            Self::GoOidc => openid::run(session, scenarios),
            Self::Oauth2Proxy => oauth2_proxy::run(session, scenarios),
            Self::Mailpit => mailpit::run(session, scenarios),
            Self::Pebble => pebble::run(session, scenarios),
            Self::Kubernetes => kubernetes::run(session, scenarios),
            Self::Spire => spire::run(session, scenarios),
            Self::Patroni => patroni::run(session, scenarios),
        }
    }
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    let folder = folder(arguments)?;
    let binaries = binaries(workspace, arguments.binaries.as_deref())?;
    let processes = Processes::new()?;
    let session = Session { workspace, processes: &processes, folder, binaries, builds: !arguments.no_build };
    let mut report = Report::default();
    let is_chosen = |program: &Program| arguments.only.is_empty() || arguments.only.contains(program);
    for program in Program::value_variants().iter().copied().filter(is_chosen) {
        let (name, version) = program.title();
        let logs = session.folder.join("logs").join(name.replace(' ', "-").to_lowercase());
        // there may be none of an earlier run
        let _ = fs::remove_dir_all(&logs);
        fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
        let mut scenarios = report.of(name, &version, logs);
        let ended = program.run(&session, &mut scenarios);
        scenarios.close(ended);
    }
    if arguments.only.is_empty() {
        doors::copy(workspace, &mut report)?;
    }
    report.print();
    if arguments.only.is_empty() {
        report.write(workspace)?;
    }
    report.outcome()
}

fn folder(arguments: &Arguments) -> Outcome<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let default = || Some(arguments.cache.clone().or_else(home)?.join("doorward-interop"));
    let folder = arguments.folder.clone().or_else(default).ok_or("there is no home folder; name one with --folder")?;
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))
}

/// The folder of the binaries, which are built unless it is named.
fn binaries(workspace: &Workspace, named: Option<&Path>) -> Outcome<PathBuf> {
    let Some(named) = named else {
        tools::run(&mut workspace.cargo(&["build", "--workspace", "--bins", "--locked"]))?;
        return Ok(workspace.target.join("debug"));
    };
    for service in &workspace.services {
        if !named.join(service).is_file() {
            return Err(format!("{}: there is no {service}", named.display()));
        }
    }
    named.canonicalize().map_err(|error| format!("{}: {error}", named.display()))
}
