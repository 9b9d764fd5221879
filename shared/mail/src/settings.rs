//! The settings.

use std::path::PathBuf;

use config::{Invalid, Secret, Section};
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Mechanism;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `mail`: how mail is sent. Without a transport and a host no mail is sent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MailSettings {
    /// How mail is sent: 'smtp', 'file:' and a folder that gets a file for each mail, or 'log'; the last two are for
    /// trying, and whoever reads the folder or the log can use the links. If empty, 'smtp' if a host is set, and
    /// otherwise no mail is sent.
    #[schemars(extend("x-env" = ["<P>_MAIL_TRANSPORT"]))]
    pub transport: String,
    /// The mail server.
    #[schemars(extend("x-env" = ["NOTIFICATIONS_SMTP_HOST", "OCIS_SMTP_HOST", "<P>_SMTP_HOST"]))]
    pub host: String,
    /// Its port. If 0, that of the encryption: 587 for 'starttls', 465 for 'tls', 25 for 'none'.
    #[schemars(extend("x-env" = ["NOTIFICATIONS_SMTP_PORT", "OCIS_SMTP_PORT", "<P>_SMTP_PORT"]))]
    pub port: u32,
    /// The sender, like `Example Cloud <noreply@cloud.example>`.
    #[schemars(extend("x-env" = ["NOTIFICATIONS_SMTP_SENDER", "OCIS_SMTP_SENDER", "<P>_SMTP_SENDER"]))]
    pub sender: String,
    /// The user at the mail server. If empty, mail is sent without authentication.
    #[schemars(extend("x-env" = ["NOTIFICATIONS_SMTP_USERNAME", "OCIS_SMTP_USERNAME", "<P>_SMTP_USERNAME"]))]
    pub username: String,
    /// The password of that user.
    #[schemars(extend("x-env" = ["NOTIFICATIONS_SMTP_PASSWORD", "OCIS_SMTP_PASSWORD", "<P>_SMTP_PASSWORD"]))]
    pub password: Secret,
    /// How the connection is encrypted: 'starttls', 'tls' (also 'ssltls') or 'none'.
    #[schemars(extend("x-env" = ["NOTIFICATIONS_SMTP_ENCRYPTION", "OCIS_SMTP_ENCRYPTION", "<P>_SMTP_ENCRYPTION"]))]
    #[schemars(extend("default" = "starttls"))]
    pub encryption: String,
    /// How the user is authenticated: 'auto', 'plain', 'login' or 'none'.
    #[schemars(extend("x-env" = ["NOTIFICATIONS_SMTP_AUTHENTICATION", "OCIS_SMTP_AUTHENTICATION", "<P>_SMTP_AUTHENTICATION"]))]
    #[schemars(extend("default" = "auto"))]
    pub authentication: String,
    /// Whether the certificate of the mail server is accepted without verification.
    #[schemars(extend("x-env" = ["NOTIFICATIONS_SMTP_INSECURE", "OCIS_SMTP_INSECURE", "<P>_SMTP_INSECURE"]))]
    pub insecure: bool,
}

config::impl_default!(MailSettings);

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// From the first byte (RFC 8314).
    Tls,
    /// After `STARTTLS` (RFC 3207), without which no mail is sent.
    StartTls,
    /// Not at all.
    None,
}

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TransportKind {
    /// By SMTP.
    Smtp,
    /// Into this folder.
    Folder(PathBuf),
    /// To the log.
    Log,
}

impl MailSettings {
    /// Whether mail is sent.
    pub fn is_on(&self) -> bool {
        self.kind().is_some()
    }

    pub(crate) fn kind(&self) -> Option<TransportKind> {
        match self.transport.as_str() {
            "" => (!self.host.is_empty()).then_some(TransportKind::Smtp),
            "smtp" => Some(TransportKind::Smtp),
            "log" => Some(TransportKind::Log),
            other => other
                .strip_prefix("file:")
                .filter(|folder| !folder.is_empty())
                .map(|folder| TransportKind::Folder(folder.into())),
        }
    }

    pub(crate) fn encryption(&self) -> Option<Encryption> {
        match self.encryption.as_str() {
            "tls" | "ssltls" => Some(Encryption::Tls),
            "starttls" => Some(Encryption::StartTls),
            "none" => Some(Encryption::None),
            _ => None,
        }
    }

    /// The mechanisms of authentication; none without authentication.
    pub(crate) fn mechanisms(&self) -> Option<Vec<Mechanism>> {
        Some(match self.authentication.as_str() {
            "auto" => vec![Mechanism::Plain, Mechanism::Login],
            "plain" => vec![Mechanism::Plain],
            "login" => vec![Mechanism::Login],
            "none" => Vec::new(),
            _ => return None,
        })
    }

    /// The port of the mail server.
    pub(crate) fn port(&self) -> u16 {
        match (u16::try_from(self.port), self.encryption()) {
            (Ok(0) | Err(_), Some(Encryption::Tls)) => 465,
            (Ok(0) | Err(_), Some(Encryption::None)) => 25,
            (Ok(0) | Err(_), _) => 587,
            (Ok(port), _) => port,
        }
    }
}

impl Section for MailSettings {
    fn validate(&self) -> Result<(), Invalid> {
        let is_encryption = self.encryption().is_some();
        Invalid::unless(is_encryption, "encryption", "must be 'starttls', 'tls' or 'none'")?;
        let is_authentication = self.mechanisms().is_some();
        Invalid::unless(is_authentication, "authentication", "must be 'auto', 'plain', 'login' or 'none'")?;
        let is_port = u16::try_from(self.port).is_ok();
        Invalid::unless(is_port, "port", "must be at most 65535, or 0 for that of the encryption")?;
        let is_transport = self.transport.is_empty() || self.is_on();
        Invalid::unless(is_transport, "transport", "must be 'smtp', 'file:' and a folder, or 'log'")?;
        if !self.is_on() {
            return Ok(());
        }
        let has_host = self.kind() != Some(TransportKind::Smtp) || !self.host.is_empty();
        Invalid::unless(has_host, "host", "must name the mail server, as 'smtp' is the transport")?;
        let is_sender = self.sender.parse::<Mailbox>().is_ok();
        Invalid::unless(is_sender, "sender", "must be the mail address of the sender, like noreply@cloud.example")
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if matches!(self.kind(), Some(TransportKind::Folder(_) | TransportKind::Log)) {
            warnings.push(
                "IDP_MAIL_TRANSPORT: links that set passwords are written to the log or a folder; use smtp outside of tests".to_owned(),
            );
        }
        let is_plain = self.encryption() == Some(Encryption::None) && !self.username.is_empty();
        let is_local = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.kind() == Some(TransportKind::Smtp) && is_plain && !is_local {
            warnings.push(
                "OCIS_SMTP_ENCRYPTION: the password of the mail server is sent unencrypted; use starttls".to_owned(),
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut MailSettings)) -> MailSettings {
        let mut settings =
            MailSettings { sender: "Cloud <noreply@cloud.example>".to_owned(), ..MailSettings::default() };
        change(&mut settings);
        settings
    }

    #[test]
    fn mail_is_off_until_a_host_or_transport_is_named() {
        assert!(!MailSettings::default().is_on());
        assert!(MailSettings::default().validate().is_ok());
        assert!(settings(|settings| settings.host = "mail.example".to_owned()).is_on());
        let folder = settings(|settings| settings.transport = "file:/var/mail".to_owned());
        assert_eq!(folder.kind(), Some(TransportKind::Folder("/var/mail".into())));
    }

    #[test]
    fn wrong_settings_are_refused() {
        type Change = fn(&mut MailSettings);
        let changes: [Change; 7] = [
            |settings| settings.port = 65_536,
            |settings| settings.encryption = "ssl3".to_owned(),
            |settings| settings.authentication = "crammd5".to_owned(),
            |settings| settings.transport = "file:".to_owned(),
            |settings| settings.transport = "pigeon".to_owned(),
            |settings| settings.transport = "smtp".to_owned(),
            |settings| {
                settings.host = "mail.example".to_owned();
                settings.sender = "nobody".to_owned();
            },
        ];
        for change in changes {
            let settings = settings(change);
            assert!(settings.validate().is_err(), "{settings:?}");
        }
    }

    #[test]
    fn port_follows_the_encryption() {
        let port = |encryption: &str| settings(|settings| settings.encryption = encryption.to_owned()).port();
        assert_eq!([port("starttls"), port("tls"), port("none")], [587, 465, 25]);
        assert_eq!(settings(|settings| settings.port = 2525).port(), 2525);
    }
}
