//! The ways by which a message leaves.

use std::path::PathBuf;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use runtime::Random;
use tokio::fs;

use crate::MailError;
use crate::settings::{Encryption, MailSettings, TransportKind};

/// How long a command of SMTP may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

/// How a message leaves.
pub(crate) enum Transport {
    /// To a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// Into a folder.
    Folder(PathBuf, Random),
    /// To the log.
    Log,
}

/// Why a message has not left.
#[derive(Debug)]
pub(crate) enum SendError {
    /// It will not be accepted later either.
    Permanent(String),
    /// It may be accepted later.
    Transient(String),
}

impl Transport {
    /// The transport of these settings; `None` if no mail is sent.
    pub(crate) fn open(settings: &MailSettings, random: Random) -> Result<Option<Self>, MailError> {
        Ok(match settings.kind() {
            None => None,
            Some(TransportKind::Log) => Some(Self::Log),
            Some(TransportKind::Folder(folder)) => Some(Self::Folder(folder, random)),
            Some(TransportKind::Smtp) => Some(Self::Smtp(smtp(settings)?)),
        })
    }

    /// Sends a message. `text` is its text, for the log.
    pub(crate) async fn send(&self, message: &Message, text: &str) -> Result<(), SendError> {
        match self {
            Self::Smtp(transport) => match transport.send(message.clone()).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => Err(SendError::Permanent(error.to_string())),
                Err(error) => Err(SendError::Transient(error.to_string())),
            },
            Self::Folder(folder, random) => {
                let write = async {
                    fs::create_dir_all(folder).await?;
                    // a reader of the folder never sees half a mail
                    let name = random.uuid();
                    let part = folder.join(format!("{name}.part"));
                    fs::write(&part, message.formatted()).await?;
                    fs::rename(&part, folder.join(format!("{name}.eml"))).await
                };
                write.await.map_err(|error: std::io::Error| SendError::Transient(error.to_string()))
            }
            Self::Log => {
                tracing::info!(to = ?message.envelope().to(), text, "mail");
                Ok(())
            }
        }
    }
}

/// How TLS is spoken with the mail server.
pub(crate) fn tls_parameters(settings: &MailSettings) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let parameters = TlsParameters::builder(settings.host.clone());
    parameters.dangerous_accept_invalid_certs(settings.insecure).build()
}

fn smtp(settings: &MailSettings) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let tls = || tls_parameters(settings);
    let tls = match settings.encryption() {
        Some(Encryption::Tls) => Tls::Wrapper(tls()?),
        Some(Encryption::None) => Tls::None,
        // also for a text that is none, which a valid configuration does not have
        Some(Encryption::StartTls) | None => Tls::Required(tls()?),
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str());
    let builder = builder.port(settings.port()).tls(tls).timeout(Some(COMMAND_TIMEOUT));
    let mechanisms = settings.mechanisms().unwrap_or_default();
    let builder = if settings.username.is_empty() || mechanisms.is_empty() {
        builder
    } else {
        let credentials = Credentials::new(settings.username.clone(), settings.password.expose().to_owned());
        builder.credentials(credentials).authentication(mechanisms)
    };
    Ok(builder.build())
}
