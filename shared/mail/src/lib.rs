//! Sends e-mail: settings, a bounded queue, retries, and the transports.

mod mailer;
mod message;
mod probe;
mod settings;
mod transport;

pub use mailer::Mailer;
pub use message::Mail;
pub use probe::{MailServerReport, SendOnceError, probe, send_once};
pub use settings::MailSettings;

/// Why mail cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// An address cannot be used.
    #[error("the mail address is invalid")]
    Address(#[from] lettre::address::AddressError),
    /// A message cannot be formed.
    #[error("the mail cannot be formed")]
    Message(#[from] lettre::error::Error),
    /// Too many messages wait.
    #[error("too many mails wait to be sent")]
    Full,
    /// The mail server cannot be used as configured.
    #[error("the mail server cannot be used")]
    Transport(#[from] lettre::transport::smtp::Error),
}
