//! The command line, with which operators call the running service.

mod audit;
mod client;
mod factors;
mod invitation;
mod keys;
mod operator;
mod session;
mod show;

use authn::BoxError;
use clap::Subcommand;
use runtime::Context;

pub use audit::AuditCommand;
pub use client::ClientCommand;
pub use factors::reset_factors;
pub use invitation::invite_user;
pub use keys::KeysCommand;
pub use session::SessionCommand;

use crate::Config;

/// The subcommands of `idp` for operators.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Adds, shows and removes clients; the service must be running
    #[command(subcommand)]
    Client(ClientCommand),
    /// Shows, exchanges and retires signing keys; the service must be running
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Shows and ends the sessions of users; the service must be running
    #[command(subcommand)]
    Session(SessionCommand),
    /// Shows the audit log; the service must be running
    #[command(subcommand)]
    Audit(AuditCommand),
}

impl Command {
    /// Runs the command with the service's configuration over these defaults.
    ///
    /// # Errors
    /// When an argument is wrong, the service does not answer, or refuses.
    pub async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        match self {
            Self::Client(command) => command.run(defaults, context).await,
            Self::Keys(command) => command.run(defaults, context).await,
            Self::Session(command) => command.run(defaults, context).await,
            Self::Audit(command) => command.run(defaults, context).await,
        }
    }
}
