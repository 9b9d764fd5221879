//! The load tool: the family and a bare tonic echo, measured over gRPC in one run on one machine; with `idp`, the `OpenID`
//! Provider and another one, measured over HTTP; with `edge`, the edge, a bare handler and nginx; with `soak`,
//! the memory of the family under a steady load; with `scale`, the cost of calls in growing stores of app tokens; with `pages`, that
//! of the account and administration pages; with `copy`, the time of `doorward db copy`; with `rolling`, requests that fail while replicas
//! change; with `simulate`, a region on paper; with `simulate-check`, the same of a small region, and that region in fact; with
//! `transactions`, transaction tokens and their signatures.
//!
//! Requests per second belong to the machine; what carries over are the ratios to the echo and the server's CPU time.

mod call;
mod copy;
mod echo;
mod edge;
mod family;
mod http;
mod idp;
mod load;
mod pages;
mod report;
mod rolling;
mod scale;
mod scenario;
mod server;
mod simulate;
mod soak;
mod spent;
mod tokens;
mod transactions;
mod users;
mod workloads;

use std::{num::NonZeroUsize, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

/// Measures the family against a bare tonic echo, in one run.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub(crate) struct Arguments {
    /// Callers at the same time.
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// Connections that the callers share.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Rounds: in each, every row is measured once. Many short ones, so that a machine's moods meet all rows alike.
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Milliseconds of measuring, for each row in each round; a fifth of it comes before, to warm up.
    #[arg(long, default_value_t = 250)]
    milliseconds: u64,
    /// Rounds of passwords, of seconds each.
    #[arg(long, default_value_t = 7)]
    password_rounds: usize,
    /// App tokens of one user, a row for each number; 1,000 tokens are used of so many users as it takes.
    #[arg(long, value_delimiter = ',', default_values = ["1", "100", "100000"])]
    tokens: Vec<NonZeroUsize>,
    /// App tokens in the store, those of the rows included; more if those are more.
    #[arg(long, default_value_t = 1_000_000)]
    total_tokens: usize,
    /// Restarts of the family, each followed by first uses.
    #[arg(long, default_value_t = 30)]
    restarts: usize,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serves the echo; started by the load tool itself.
    #[command(hide = true)]
    Echo {
        /// Where.
        address: std::net::SocketAddr,
    },
    /// Serves an answer without any work over HTTP; started by the load tool itself.
    #[command(hide = true)]
    Bare {
        /// Where.
        address: std::net::SocketAddr,
    },
    /// Measures the edge, a bare handler, nginx and the echo, in one run.
    Edge(edge::Arguments),
    /// Measures idp and the npm package oidc-provider, in one run.
    Idp(idp::Arguments),
    /// Watches the memory of the family in one process under a steady load, and fails if it grows.
    Soak(soak::Arguments),
    /// Measures the services in one process with stores of different sizes, and fails if the CPU time for a call grows.
    Scale(scale::Arguments),
    /// Measures the account and administration pages with many users and app tokens, and fails if they cost too much.
    Pages(pages::Arguments),
    /// Fills the databases of a family, copies them by `doorward db copy`, and fails unless both sides are the same.
    Copy(copy::Arguments),
    /// Restarts, upgrades and reconfigures two replicas of every service under load, and fails if a request fails.
    Rolling(rolling::Arguments),
    /// Computes for a region how soon revocations reach every replica, and what the replicas read from the database.
    Simulate(simulate::Arguments),
    /// Measures transaction tokens on one thread, and fails if minting one costs more than 1.2 times its signature.
    Transactions(transactions::Arguments),
    /// Compares the simulation with two replicas of auth-app on PostgreSQL, and fails if they are too far apart.
    SimulateCheck(simulate::check::Arguments),
}

impl Arguments {
    /// Of a row in a round.
    fn duration(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.role {
        Some(Role::Echo { address }) => echo::serve(*address).await,
        Some(Role::Bare { address }) => edge::bare(*address).await,
        Some(Role::Edge(arguments)) => edge::run(arguments).await,
        Some(Role::Idp(arguments)) => idp::run(arguments).await,
        Some(Role::Soak(arguments)) => soak::run(arguments).await,
        Some(Role::Scale(arguments)) => scale::run(arguments).await,
        Some(Role::Pages(arguments)) => pages::run(arguments).await,
        Some(Role::Copy(arguments)) => copy::run(arguments).await,
        Some(Role::Rolling(arguments)) => rolling::run(arguments).await,
        Some(Role::Simulate(arguments)) => simulate::run(arguments),
        Some(Role::Transactions(arguments)) => transactions::run(arguments),
        Some(Role::SimulateCheck(arguments)) => simulate::check::run(arguments).await,
        None => scenario::run(&arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::failure(&*error);
            ExitCode::FAILURE
        }
    }
}
