//! Runs a command with a `PostgreSQL` server that is there as long as the command runs: `cargo xtask test --postgres` runs all tests by it.

use std::process::{Command, ExitCode};

use clap::Parser;
use store::testing::{Cluster, SERVER};

#[derive(Parser)]
struct Arguments {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(cluster) = Cluster::start().await else { return ExitCode::FAILURE };
    let Some((program, rest)) = arguments.command.split_first() else { return ExitCode::FAILURE };
    let status = Command::new(program).args(rest).env(SERVER, cluster.server_url()).status();
    let is_good = status.is_ok_and(|status| status.success());
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
