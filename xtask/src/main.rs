#![doc = include_str!("../README.md")]

mod bench;
mod cargo_tools;
mod env_docs;
mod interop;
mod logs;
mod marks;
mod metric_docs;
mod node;
mod openapi;
mod packages;
mod postgres;
mod python;
mod release;
mod steps;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use tools::{Outcome, Workspace};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Test(test::Arguments),
    EnvDocs(env_docs::Arguments),
    MetricDocs(metric_docs::Arguments),
    /// Write the OpenAPI documents of the account API and of auth-app into the documentation.
    Openapi,
    Bench(bench::Arguments),
    Interop(interop::Arguments),
    Package(release::Arguments),
    /// Watch the memory of the family in one process under load for an hour, and fail if it grows.
    Soak(bench::RoleArguments),
    /// Measure calls in stores of 1,000 to 1,000,000 app tokens, and fail if their CPU time grows with the store.
    Scale(bench::RoleArguments),
    /// Copy the databases of a family with 1,000,000 app tokens by `doorward db copy`, and fail unless both sides are the same; needs
    /// PostgreSQL.
    Copy(bench::RoleArguments),
    /// Restart, upgrade and reconfigure two replicas of every service under load, and fail if a request fails; needs PostgreSQL.
    Rolling(bench::RoleArguments),
    /// Compute how soon revocations reach every replica of a region, and what its replicas read from the database.
    Simulate(bench::RoleArguments),
    /// Compare what is simulated with two replicas of auth-app on PostgreSQL, for a minute, and fail if they are too far apart.
    SimulateCheck(bench::RoleArguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tools::say(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Outcome {
    let workspace = Workspace::find()?;
    match command {
        Command::Test(arguments) => test::run(&workspace, &arguments),
        Command::EnvDocs(arguments) => env_docs::run(&workspace, &arguments),
        Command::MetricDocs(arguments) => metric_docs::run(&workspace, &arguments),
        Command::Openapi => openapi::run(&workspace),
        Command::Package(arguments) => release::run(&workspace, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Interop(arguments) => interop::run(&workspace, &arguments),
        Command::Soak(arguments) => bench::run_role(&workspace, "soak", &["doorward"], &arguments),
        Command::Scale(arguments) => bench::run_role(&workspace, "scale", &["doorward"], &arguments),
        Command::Copy(arguments) => bench::run_role(&workspace, "copy", &["doorward"], &arguments),
        Command::Rolling(arguments) => {
            let services: Vec<_> = workspace.services.iter().map(String::as_str).collect();
            bench::run_role(&workspace, "rolling", &services, &arguments)
        }
        Command::Simulate(arguments) => bench::run_role(&workspace, "simulate", &[], &arguments),
        Command::SimulateCheck(arguments) => {
            bench::run_role(&workspace, "simulate-check", &["users", "auth-app"], &arguments)
        }
    }
}
