//! `cargo xtask bench`, and the other roles of the load tool: `soak`, `scale`, `copy`, `rolling`, `simulate` and `simulate-check`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::tools::{self, Outcome, Workspace};

/// What the peer of `cargo xtask bench idp` is made of.
const PEER: [&str; 3] = ["package.json", "package-lock.json", "server.mjs"];

/// Build the load tool for release and run it; arguments are passed on to it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The load tool's own arguments, beginning with `idp` to measure the OpenID Provider and another one; `--help`
    /// explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<String>,
}

// No doc comment: clap would print it in place of that of each command.
#[derive(clap::Args)]
pub(crate) struct RoleArguments {
    /// Arguments of this role of the load tool; `--help` explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    let is_idp = arguments.passed_on.first().is_some_and(|first| first == "idp");
    let measured: &[&str] = if is_idp { &["idp", "users", "auth-basic"] } else { &["doorward"] };
    let mut bench = load_tool(workspace, measured)?;
    bench.args(&arguments.passed_on);
    if is_idp {
        bench.arg("--peer").arg(install_peer(workspace)?);
    }
    tools::run(&mut bench)
}

/// Runs the load tool in a role, which measures these packages.
pub(crate) fn run_role(workspace: &Workspace, role: &str, measured: &[&str], arguments: &RoleArguments) -> Outcome {
    let mut bench = load_tool(workspace, measured)?;
    tools::run(bench.arg(role).args(&arguments.passed_on))
}

/// Builds the load tool together with what it measures, since it starts the binaries that are in its own folder.
fn load_tool(workspace: &Workspace, measured: &[&str]) -> Outcome<Command> {
    let mut build = workspace.cargo(&["build", "--release", "--package", "testkit", "--bins"]);
    tools::run(build.args(measured.iter().flat_map(|package| ["--package", package])))?;
    Ok(workspace.program(&workspace.target.join("release/bench")))
}

/// Installs the peer in the target folder, unless it is there already, and returns where.
fn install_peer(workspace: &Workspace) -> Outcome<PathBuf> {
    for program in ["node", "npm"] {
        if !tools::answers(program, &["--version"]) {
            return Err(format!("{program} is missing: the peer needs Node.js with npm"));
        }
    }
    let folder = workspace.target.join("bench-peer");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let source = workspace.root.join("tests/testkit/bench/peer");
    // npm notes here what it has installed when it is done
    let done = folder.join("node_modules/.package-lock.json");
    let mut is_installed = done.exists();
    for name in PEER {
        let wanted = fs::read(source.join(name)).map_err(failed)?;
        if fs::read(folder.join(name)).ok().as_ref() != Some(&wanted) {
            is_installed &= name == "server.mjs";
            fs::write(folder.join(name), wanted).map_err(failed)?;
        }
    }
    if !is_installed {
        tools::run(workspace.program("npm".as_ref()).args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    }
    Ok(folder)
}
