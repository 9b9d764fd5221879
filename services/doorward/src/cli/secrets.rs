//! `doorward secrets`

use clap::{Args, Subcommand};
use runtime::Confirmation;

use super::Output;
use crate::secrets::GeneratedSecret;

/// `secrets`
#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Replaces a secret of the data folder by a new one; without a name, lists the secrets and how each is rotated
    Rotate(Rotate),
}

/// `secrets rotate`
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The secret
    #[arg(value_enum)]
    pub(crate) name: Option<GeneratedSecret>,
    /// Drops the value that was in use before, which is accepted until then
    #[arg(long, requires = "name")]
    pub(crate) end_previous: bool,
    /// Changes nothing, and says what would be done
    #[arg(long, requires = "name")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
    #[command(flatten)]
    pub(crate) output: Output,
}
