//! `doorward migrate`, `backup`, `restore` and `db`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use config::Secret;
use runtime::Confirmation;

use crate::services::ServiceId;

/// `migrate`
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Changes nothing; exits 1 if a schema is not up to date
    #[arg(long)]
    pub(crate) check: bool,
    /// For every service that stores something, also those that are not enabled here
    #[arg(long)]
    pub(crate) all: bool,
}

/// Where a passphrase comes from; without any of these it is asked for.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PassphraseSource {
    /// Reads the passphrase from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Reads the passphrase from standard input
    #[arg(long)]
    pub(crate) passphrase_stdin: bool,
}

/// What the operator says of services that the command cannot see.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Stopped {
    /// Goes on where a pooler hides whether services use the database: they are stopped
    #[arg(long)]
    pub(crate) services_stopped: bool,
}

/// `backup`
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write; `-` for standard output
    pub(crate) file: PathBuf,
    /// Makes a backup although an enabled service has stored nothing where its settings say
    #[arg(long)]
    pub(crate) partial: bool,
    /// Adds the secrets of the data folder, sealed under a passphrase
    #[arg(long)]
    pub(crate) with_secrets: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseSource,
    /// Replaces a file that is there, and what an interrupted backup of this name has left
    #[arg(long)]
    pub(crate) force: bool,
}

/// `restore`
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup; `-` for standard input
    pub(crate) file: PathBuf,
    /// Ends no session and no token: what was revoked after the backup was made is valid again
    #[arg(long)]
    pub(crate) keep_credentials: bool,
    /// Replaces data that is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) stopped: Stopped,
    /// Leaves out the secrets of the backup
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_stdin"])]
    pub(crate) without_secrets: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseSource,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}

/// `db`
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Copies everything that is stored to another database, as from SQLite to PostgreSQL, and compares both
    Copy(DbCopy),
}

/// `db copy`
#[derive(Debug, Args)]
pub(crate) struct DbCopy {
    /// The other database: `postgres://user@host/database` (the password from PGPASSWORD or the file ~/.pgpass) or `sqlite:///path/to/file.db`
    #[arg(long, value_name = "URL", value_parser = secret)]
    pub(crate) to: Secret,
    /// Copies what this service stores only
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<ServiceId>,
    /// Copies while the services run: what they store from then on is not in the copy
    #[arg(long, conflicts_with = "services_stopped")]
    pub(crate) online: bool,
    #[command(flatten)]
    pub(crate) stopped: Stopped,
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
fn secret(text: &str) -> Result<Secret, &'static str> {
    Ok(Secret::from(text))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        restore: Restore,
    }

    #[test]
    fn one_passphrase_is_named_and_none_without_secrets() {
        let parse = |line: &[&str]| Line::try_parse_from([&["restore", "backup.db"], line].concat());
        let restore = parse(&["--passphrase-stdin", "--yes", "--force"]).expect("is understood").restore;
        assert!(restore.passphrase.passphrase_stdin && restore.force && !restore.keep_credentials);
        for refused in [
            &["--passphrase-stdin", "--passphrase-file", "a"][..],
            &["--passphrase-stdin", "--without-secrets"],
            &["--passphrase-file", "a", "--without-secrets"],
        ] {
            parse(refused).map(drop).expect_err("is a contradiction");
        }
    }
}
