//! Whether the mail server can be used as configured, for operators.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::{ClientId, Extension};
use runtime::Random;

use crate::settings::{Encryption, TransportKind};
use crate::transport::{SendError, Transport, tls_parameters};
use crate::{Mail, MailError, MailSettings};

/// How long a command of SMTP may take here.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(4);

/// What a mail server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServerReport {
    /// Its address.
    pub address: String,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Whether it offers STARTTLS on a connection that is not encrypted.
    pub offers_starttls: bool,
    /// Whether it offers to authenticate users, by a mechanism that is known here.
    pub offers_auth: bool,
    /// Whether it has accepted the configured user; `None` without one.
    pub accepts_user: Option<bool>,
}

/// Connects to the mail server of these settings as for a mail, and sends none; `None` if the settings name no mail server.
///
/// # Errors
/// When it does not answer, or TLS cannot be spoken with it.
pub async fn probe(settings: &MailSettings) -> Result<Option<MailServerReport>, MailError> {
    if settings.kind() != Some(TransportKind::Smtp) {
        return Ok(None);
    }
    let (host, port, client) = (settings.host.as_str(), settings.port(), ClientId::default());
    let encryption = settings.encryption().unwrap_or(Encryption::StartTls);
    let wrapper = (encryption == Encryption::Tls).then(|| tls_parameters(settings)).transpose()?;
    let address = (host, port);
    let connected = AsyncSmtpConnection::connect_tokio1(address, Some(COMMAND_TIMEOUT), &client, wrapper, None);
    let mut connection = connected.await?;
    let offers_starttls = connection.server_info().supports_feature(Extension::StartTls);
    if encryption == Encryption::StartTls && offers_starttls {
        connection.starttls(tls_parameters(settings)?, &client).await?;
    }
    let known = [Mechanism::Plain, Mechanism::Login];
    let offers_auth = connection.server_info().get_auth_mechanism(&known).is_some();
    let mechanisms = settings.mechanisms().unwrap_or_default();
    let is_safe = connection.is_encrypted() || encryption == Encryption::None;
    let accepts_user = if settings.username.is_empty() || mechanisms.is_empty() || !is_safe {
        None
    } else {
        let credentials = Credentials::new(settings.username.clone(), settings.password.expose().to_owned());
        Some(connection.auth(&mechanisms, &credentials).await.is_ok())
    };
    let is_encrypted = connection.is_encrypted();
    connection.abort().await;
    let address = format!("{host}:{port}");
    Ok(Some(MailServerReport { address, is_encrypted, offers_starttls, offers_auth, accepts_user }))
}

/// Sends one mail by these settings, without a queue and without further attempts.
///
/// # Errors
/// When no mail is sent by these settings, the address is invalid, or the server does not take the mail.
pub async fn send_once(settings: &MailSettings, mail: &Mail, random: Random) -> Result<(), SendOnceError> {
    let transport = Transport::open(settings, random)?.ok_or(SendOnceError::Off)?;
    let sender: Mailbox = settings.sender.parse().map_err(MailError::Address)?;
    let message = mail.message(&sender)?;
    transport.send(&message, &mail.text).await.map_err(|error| match error {
        SendError::Permanent(problem) | SendError::Transient(problem) => SendOnceError::Refused(problem),
    })
}

/// Why a mail is not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendOnceError {
    /// The settings name no way to send mail.
    #[error("no mail is sent: set OCIS_SMTP_HOST")]
    Off,
    /// The mail or the server cannot be used.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The server does not take it.
    #[error("the mail server does not take the mail: {0}")]
    Refused(String),
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// A mail server that offers this and answers OK to everything, for one connection; its port.
    async fn server(offers: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("accepts");
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 mail.example\r\n").await.expect("writes");
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                let answer = match line.split_whitespace().next() {
                    Some("EHLO") => offers,
                    Some("AUTH") => "535 no\r\n",
                    _ => "250 OK\r\n",
                };
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
                line.clear();
            }
        });
        port
    }

    fn settings(port: u16) -> MailSettings {
        let (host, sender) = ("127.0.0.1".to_owned(), "noreply@cloud.example".to_owned());
        MailSettings { host, port: port.into(), sender, ..MailSettings::default() }
    }

    /// Row D14.
    #[tokio::test]
    async fn offers_of_a_mail_server_are_read() {
        assert_eq!(probe(&MailSettings::default()).await.expect("nothing is connected"), None);
        let report = async |offers, encryption: &str, username: &str| {
            let port = server(offers).await;
            let (encryption, username) = (encryption.to_owned(), username.to_owned());
            let report = probe(&MailSettings { encryption, username, password: "x".into(), ..settings(port) }).await;
            let MailServerReport { address, is_encrypted, offers_starttls, offers_auth, accepts_user } =
                report.expect("answers").expect("is a mail server");
            assert_eq!((address, is_encrypted), (format!("127.0.0.1:{port}"), false));
            (offers_starttls, offers_auth, accepts_user)
        };
        let bare = "250 mail.example\r\n";
        assert_eq!(report(bare, "none", "").await, (false, false, None));
        // the password is not sent before the connection is encrypted
        assert_eq!(report("250-mail.example\r\n250 AUTH PLAIN\r\n", "starttls", "robot").await, (false, true, None));
        let refused = report("250-mail.example\r\n250 AUTH PLAIN\r\n", "none", "robot").await;
        assert_eq!(refused, (false, true, Some(false)));
        assert!(probe(&settings(1)).await.is_err(), "nothing listens there");
    }

    #[tokio::test]
    async fn mail_is_sent_once_into_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let transport = format!("file:{}", folder.path().display());
        let settings = MailSettings { transport, ..settings(0) };
        let (to, subject) = ("einstein@cloud.example".to_owned(), "A test".to_owned());
        let mail = Mail { to, subject, text: "Hello".to_owned(), html: "<p>Hello</p>".to_owned() };
        send_once(&settings, &mail, Random::seeded(1)).await.expect("is sent");
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 1);
        let refused = send_once(&MailSettings::default(), &mail, Random::seeded(1)).await;
        assert!(matches!(refused, Err(SendOnceError::Off)));
        let invalid = Mail { to: "nobody".to_owned(), ..mail };
        send_once(&settings, &invalid, Random::seeded(1)).await.expect_err("is no address");
    }
}
