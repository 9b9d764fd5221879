//! The load tool: the family and a bare tonic echo, measured over gRPC in one run on one machine.
//!
//! Requests per second belong to the machine; what carries over are the ratios to the echo and the server's CPU time.

mod echo;
mod load;
mod report;
mod scenario;
mod server;

use std::{process::ExitCode, time::Duration};

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
    /// Rounds: in each, every row is measured once, so that a machine's moods meet all of them.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of measuring, for each row in each round; a fifth of it comes before, to warm up.
    #[arg(long, default_value_t = 1)]
    seconds: u64,
    /// App tokens of one user, a row for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    tokens: Vec<usize>,
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
}

impl Arguments {
    fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Some(Role::Echo { address }) => echo::serve(address).await,
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
