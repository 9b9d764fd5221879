//! The steps of `cargo xtask test`.

use std::process::Command;

use clap::ValueEnum;

use crate::cargo_tools::{DENY, NEXTEST, SHEAR};
use crate::tools::{self, Outcome, Workspace};
use crate::{env_docs, logs, metric_docs, packages, postgres};

/// How the steps are done.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// Without what needs programs other than Rust.
    pub(crate) reduced: bool,
    /// With the stores on a `PostgreSQL` server.
    pub(crate) postgres: bool,
}

/// One thing to check. They run in this order: what is quick, or tells most about a small mistake, comes first.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// the code's layout
    Format,
    /// the Debian, npm and Python packages that the tests need
    Packages,
    /// licences, sources, unwanted crates and unnamed second versions among the dependencies
    Dependencies,
    /// the list of metrics in the documentation
    MetricDocs,
    /// dependencies that no code uses
    Unused,
    /// clippy, warnings are errors
    Lint,
    /// the binaries, which some tests start, and the tests
    Build,
    /// the environment tables in the READMEs
    EnvDocs,
    /// all tests, the architecture's among them
    Test,
    /// no secret in what the tests logged
    Logs,
    /// the examples in the documentation
    Examples,
    /// the documentation itself, warnings are errors
    Doc,
}

impl Step {
    /// The name as `--only` takes it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What is checked, in words.
    pub(crate) fn about(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }

    /// Whether it may have another outcome with the stores on another database.
    pub(crate) fn depends_on_database(self) -> bool {
        matches!(self, Self::Packages | Self::Build | Self::Test | Self::Logs)
    }

    pub(crate) fn run(self, workspace: &Workspace, options: Options) -> Outcome {
        let reduced = options.reduced;
        let cargo = |words: &str| workspace.cargo(&words.split(' ').collect::<Vec<_>>());
        match self {
            Self::Format => tools::run(&mut cargo("fmt --all --check")),
            Self::Packages | Self::Dependencies | Self::Unused if reduced => Ok(()),
            Self::Packages => packages::ensure(workspace),
            Self::Dependencies => dependencies(workspace),
            Self::MetricDocs => metric_docs::check(workspace),
            Self::Unused => {
                let shear = SHEAR.find_or_build(workspace)?;
                tools::run(workspace.program(&shear).args(["--locked", "--deny-warnings"]))
            }
            Self::Lint => tools::run(&mut cargo("clippy --workspace --all-targets --locked -- -D warnings")),
            // with the tests, whose features are then those of the binaries too: nothing is built twice
            Self::Build => tools::run(&mut cargo("build --workspace --bins --tests --locked")),
            Self::EnvDocs => env_docs::check(workspace),
            Self::Test => test(workspace, options),
            Self::Logs => logs::check(&logs::folder(workspace)),
            Self::Examples => tools::run(&mut cargo("test --workspace --doc --locked")),
            Self::Doc => tools::run(
                cargo("doc --workspace --no-deps --document-private-items --locked").env("RUSTDOCFLAGS", "-D warnings"),
            ),
        }
    }
}

fn test(workspace: &Workspace, options: Options) -> Outcome {
    logs::clear(workspace)?;
    let mut command = runner(workspace, options.postgres);
    if options.postgres {
        postgres::say_what_is_left_out();
        command = postgres::with_server(workspace, &command);
    }
    if options.reduced {
        command.env("DOORWARD_TEST_REDUCED", "1");
    }
    tools::run(&mut command)
}

/// nextest where it can be had: it keeps the hungry tests apart (`.config/nextest.toml`) and stops those that hang.
fn runner(workspace: &Workspace, postgres: bool) -> Command {
    if let Some(nextest) = NEXTEST.find(workspace) {
        let mut command = workspace.program(&nextest);
        command.args(["nextest", "run", "--workspace", "--locked"]);
        if postgres {
            command.args(["-E", &postgres::filter()]);
        }
        return command;
    }
    tools::say("there is no cargo-nextest: `cargo test` runs the tests");
    let mut command =
        workspace.cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--locked", "--no-fail-fast"]);
    if postgres {
        command.arg("--").args(postgres::skip());
    }
    command
}

/// Advisories are left to releases: their database is fetched from the network, and a new one would break an old commit.
fn dependencies(workspace: &Workspace) -> Outcome {
    let program = DENY.find_or_build(workspace)?;
    let mut command = workspace.program(&program);
    command.args(["--locked", "--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    tools::run(&mut command)
}
