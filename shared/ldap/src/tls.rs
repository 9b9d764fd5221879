//! TLS towards the server.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use runtime::client::https;
use rustls::ClientConfig;

use crate::failure::Failure;

/// How the server's certificate is judged.
#[derive(Debug)]
pub(crate) struct Tls {
    /// Any certificate is accepted.
    pub(crate) insecure: bool,
    /// The configured file of the authority.
    authority: Option<PathBuf>,
    /// The file of an oCIS on the same machine, used if it exists and no file is configured.
    neighbour: PathBuf,
    /// Made once it can be: the file may appear only after we started.
    ready: Mutex<Option<Arc<ClientConfig>>>,
}

impl Tls {
    pub(crate) fn new(insecure: bool, authority: Option<PathBuf>, base_data_path: &Path) -> Self {
        let neighbour = base_data_path.join("idm").join("ldap.crt");
        Self { insecure, authority, neighbour, ready: Mutex::default() }
    }

    /// The settings for a connection.
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = ready.as_ref() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.build()?);
        *ready = Some(Arc::clone(&config));
        Ok(config)
    }

    fn build(&self) -> Result<ClientConfig, Failure> {
        let neighbour = Some(self.neighbour.as_path()).filter(|file| file.is_file());
        let file = self.authority.as_deref().or(neighbour);
        Ok(https("OCIS_LDAP_CACERT", file, self.insecure)?)
    }
}
