//! `doorward workload`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Output, SecretSource};

/// What can be done about the policy for workloads.
#[derive(Debug, Subcommand)]
pub(crate) enum Workload {
    /// Says which entries of the policy a token matches and what they allow, or why it is refused; it asks issuers, and no service
    Check(CheckWorkload),
}

/// `workload check`
#[derive(Debug, Args)]
pub(crate) struct CheckWorkload {
    #[command(flatten)]
    pub(crate) token: TokenSource,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where a token comes from; without any of these it is asked for.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct TokenSource {
    /// Reads the token from a file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Reads the token from standard input
    #[arg(long)]
    token_stdin: bool,
}

impl From<TokenSource> for SecretSource {
    fn from(TokenSource { token_file, token_stdin }: TokenSource) -> Self {
        Self { secret_file: token_file, secret_stdin: token_stdin, no_secret: false }
    }
}
