//! A mail server of others: the `PyPI` package `aiosmtpd`, with STARTTLS and AUTH.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;
use testkit::{Certificates, free_address, note_secret};

use crate::relying::world::{PYTHON, SCRIPTS};

const LOGIN: &str = "doorward";
const PASSWORD: &str = "c05f2b7d9ae14c68";

/// A running mail server; it ends with this.
pub(crate) struct MailServer {
    process: Child,
    _output: BufReader<ChildStdout>,
    folder: TempDir,
    certificates: Certificates,
    port: String,
}

impl MailServer {
    /// Starts it, and waits until it accepts mail.
    pub(crate) fn start() -> Self {
        note_secret(PASSWORD);
        let folder = tempfile::tempdir().expect("a folder can be made");
        let certificates = Certificates::make(folder.path(), "spiffe://doorward.test/mail");
        let port = free_address().port().to_string();
        let mut process = Command::new(PYTHON)
            .arg("mail_server.py")
            .current_dir(SCRIPTS)
            .env("FOLDER", folder.path())
            .env("CERTIFICATE", &certificates.certificate)
            .env("KEY", &certificates.key)
            .env("PORT", &port)
            .envs([("LOGIN", LOGIN), ("PASSWORD", PASSWORD)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it prints a line");
        assert_eq!(line, "ready\n", "the mail server has ended");
        Self { process, _output: output, folder, certificates, port }
    }

    /// Where the mails are.
    pub(crate) fn mails(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The settings of a family that sends its mail here.
    pub(crate) fn settings(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("OCIS_SMTP_HOST", "localhost".to_owned()),
            ("OCIS_SMTP_PORT", self.port.clone()),
            ("OCIS_SMTP_USERNAME", LOGIN.to_owned()),
            ("OCIS_SMTP_PASSWORD", PASSWORD.to_owned()),
            ("OCIS_SMTP_SENDER", "Cloud <noreply@example.org>".to_owned()),
            // which certificates are trusted, as an operator of OpenSSL says it
            ("SSL_CERT_FILE", self.certificates.ca.display().to_string()),
        ])
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
