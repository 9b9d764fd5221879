//! `cargo xtask bench`.

use crate::tools::{self, Outcome, Workspace};

/// Build the load tool for release and run it; arguments are passed on to it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The load tool's own arguments; `--help` explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    // The load tool starts the family from the binary beside its own.
    tools::run(&mut workspace.cargo(&["build", "--release", "--package", "doorward", "--bin", "doorward"]))?;
    let mut command = workspace.cargo(&["run", "--release", "--package", "testkit", "--bin", "bench", "--"]);
    tools::run(command.args(&arguments.passed_on))
}
