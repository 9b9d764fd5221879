//! The certificates and the secrets of the internal token: files in folders that a link names. The link is replaced in one step, as
//! Kubernetes does with a mounted Secret.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use authn::BoxError;
use testkit::{Certificates, Layout, secret, write_secret};

use super::namespace::NAME;

const IDENTITY: &str = "spiffe://doorward.test/service";

/// The files, and how often they were replaced.
pub(super) struct Files {
    folder: PathBuf,
    authority: PathBuf,
    secret: String,
    version: u32,
}

impl Files {
    /// Makes them in the folder of the layout, by its authority, and with its secret.
    pub(super) fn make(layout: &Layout) -> Result<Self, BoxError> {
        let folder = layout.folder().to_owned();
        let authority = folder.join("ca.pem");
        let mut files = Self { folder, authority, secret: layout.jwt_secret.clone(), version: 0 };
        files.replace_certificate()?;
        let secret = files.secret.clone();
        files.write_secrets(&secret, "")?;
        Ok(files)
    }

    /// The settings that name them.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let mut settings = vec![
            ("OCIS_JWT_SECRET_FILE", path("secrets/current")),
            ("OCIS_JWT_SECRET_PREVIOUS_FILE", path("secrets/previous")),
            ("OCIS_GRPC_TLS_CERTIFICATE", path("tls/certificate")),
            ("OCIS_GRPC_TLS_KEY", path("tls/key")),
            ("OCIS_GRPC_CLIENT_TLS_CERTIFICATE", path("tls/certificate")),
            ("OCIS_GRPC_CLIENT_TLS_KEY", path("tls/key")),
            ("OCIS_HTTP_TLS_ENABLED", "true".to_owned()),
            ("OCIS_HTTP_TLS_CERTIFICATE", path("tls/certificate")),
            ("OCIS_HTTP_TLS_KEY", path("tls/key")),
        ];
        let authority = self.authority.display().to_string();
        let trusting = ["PROXY_HTTPS_CACERT", "PROXY_SESSION_CACERT", "AUTH_BEARER_OUTBOUND_CACERT"];
        settings.extend(trusting.map(|name| (name, authority.clone())));
        settings
    }

    /// Replaces the certificate, and its key, by others.
    pub(super) fn replace_certificate(&mut self) -> Result<(), BoxError> {
        let made = Certificates::issue_for(&self.folder, "next", IDENTITY, &[NAME]);
        let folder = self.next_folder("tls")?;
        fs::rename(made.certificate, folder.join("certificate"))?;
        fs::rename(made.key, folder.join("key"))?;
        Ok(link(&folder, &self.folder.join("tls"))?)
    }

    /// Has services accept tokens of the next secret, and sign with the present one; returns the next.
    pub(super) fn announce_secret(&mut self) -> Result<String, BoxError> {
        let next = secret();
        let current = self.secret.clone();
        self.write_secrets(&current, &next)?;
        Ok(next)
    }

    /// Has services sign with this secret, and accept tokens of the former one.
    pub(super) fn use_secret(&mut self, next: String) -> Result<(), BoxError> {
        let previous = std::mem::replace(&mut self.secret, next);
        let current = self.secret.clone();
        self.write_secrets(&current, &previous)
    }

    fn write_secrets(&mut self, current: &str, previous: &str) -> Result<(), BoxError> {
        let folder = self.next_folder("secrets")?;
        write_secret(&folder.join("current"), current);
        write_secret(&folder.join("previous"), previous);
        Ok(link(&folder, &self.folder.join("secrets"))?)
    }

    fn next_folder(&mut self, name: &str) -> io::Result<PathBuf> {
        self.version += 1;
        let folder = self.folder.join(format!("{name}-{}", self.version));
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

/// Makes the link, or replaces it.
fn link(target: &Path, link: &Path) -> io::Result<()> {
    let new = link.with_extension("new");
    symlink(target, &new)?;
    fs::rename(new, link)
}
