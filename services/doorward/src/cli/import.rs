//! The arguments of `user import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `user import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// CSV with a header, or a JSON object a line, with `user_name` and any of `display_name`, mail, roles, groups and
    /// password; - is standard input
    pub(crate) file: PathBuf,
    /// The format; what the file's name ends with (.csv, .jsonl, .ndjson) if left out
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Makes a password for each user without one, and prints it
    #[arg(long)]
    pub(crate) generate: bool,
    /// Prints what would happen, and changes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Prints a JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// The format of a file of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values (RFC 4180) with a header
    Csv,
    /// JSON Lines: one object a line
    Jsonl,
}
