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
    // In one go: the load tool starts the family from the binary beside its own.
    let packages = ["build", "--release", "--package", "doorward", "--package", "testkit", "--bins"];
    tools::run(&mut workspace.cargo(&packages))?;
    tools::run(workspace.program(&workspace.target.join("release/bench")).args(&arguments.passed_on))
}
