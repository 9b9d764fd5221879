//! `doorward doctor`

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Output;

/// `doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Runs this check only; may be repeated
    #[arg(long, value_name = "NAME", value_enum)]
    pub(crate) only: Vec<Check>,
    /// Shows which LDAP attributes of this user become which claims
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) user: Option<String>,
    /// Sends one mail to this address, to try the mail server
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) send_mail_to: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Check {
    /// Settings of every service, and the files that they name
    Configuration,
    /// Owner, permissions and free space of the data folder
    DataFolder,
    /// Whether services answer and are ready
    Peers,
    /// Clocks of databases and issuers
    Clocks,
    /// Certificates and keys of the servers
    Certificates,
    /// Databases, their roles and limits
    Database,
    /// Schemas of the databases
    Migrations,
    /// Issuers of tokens: discovery and keys
    Issuer,
    /// The LDAP server, and with --user the mapping of a user
    Ldap,
    /// The mail server
    Mail,
}

impl Check {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::DataFolder => "data-folder",
            Self::Peers => "peers",
            Self::Clocks => "clocks",
            Self::Certificates => "certificates",
            Self::Database => "database",
            Self::Migrations => "migrations",
            Self::Issuer => "issuer",
            Self::Ldap => "ldap",
            Self::Mail => "mail",
        }
    }
}
