//! An authority of a run, and its certificates.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::processes::write;
use crate::tools::{self, Outcome};

/// Certificates and keys in a folder.
pub(super) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes an authority, and by it a certificate of servers on this machine.
    pub(super) fn make(folder: &Path) -> Outcome<Self> {
        let made = Self { folder: folder.to_owned() };
        let mut authority = made.openssl();
        authority.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ]);
        authority.args(["-subj", "/CN=interoperability", "-addext", "basicConstraints=critical,CA:TRUE"]);
        authority.args(["-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem"]);
        tools::output(&mut authority)?;
        made.sign("server", "/CN=localhost", Some("subjectAltName=DNS:localhost,IP:127.0.0.1"))?;
        Ok(made)
    }

    /// Makes a key and a certificate with this subject.
    pub(super) fn sign(&self, name: &str, subject: &str, extension: Option<&str>) -> Outcome {
        let [key, request, certificate] = ["key", "csr", "pem"].map(|ending| format!("{name}.{ending}"));
        let mut asked = self.openssl();
        asked.args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject]);
        if let Some(extension) = extension {
            asked.args(["-addext", extension]);
        }
        tools::output(asked.args(["-keyout", &key, "-out", &request]))?;
        let mut signed = self.openssl();
        signed.args(["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]);
        signed.args(["-days", "30", "-copy_extensions", "copy", "-out", &certificate]);
        tools::output(&mut signed).map(drop)
    }

    /// The path of a file.
    pub(super) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn openssl(&self) -> Command {
        let mut command = Command::new("openssl");
        command.current_dir(&self.folder);
        command
    }
}

/// Writes a new secret into a file.
pub(super) fn secret(file: &Path) -> Outcome<String> {
    let secret = tools::output(Command::new("openssl").args(["rand", "-hex", "32"]))?.trim().to_owned();
    write(file, &secret)?;
    Ok(secret)
}
