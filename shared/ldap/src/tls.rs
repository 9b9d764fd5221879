//! TLS towards the server.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use runtime::Reload;
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
    /// Announces that the file may have changed.
    reload: Reload,
    /// Made once it can be: the file may appear only after we started.
    ready: Mutex<Option<Ready>>,
}

/// The settings for connections, and how many reloads had been announced when the file was read.
#[derive(Debug)]
struct Ready {
    config: Arc<ClientConfig>,
    generation: u64,
}

impl Tls {
    pub(crate) fn new(insecure: bool, authority: Option<PathBuf>, base_data_path: &Path, reload: &Reload) -> Self {
        let neighbour = base_data_path.join("idm").join("ldap.crt");
        reload.watch(authority.as_ref().unwrap_or(&neighbour));
        Self { insecure, authority, neighbour, reload: reload.clone(), ready: Mutex::default() }
    }

    /// The settings for a connection, made anew when the file may have changed. An invalid file changes nothing.
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>, Failure> {
        let generation = self.reload.generation();
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match ready.as_ref() {
            Some(ready) if ready.generation == generation => return Ok(Arc::clone(&ready.config)),
            before => before.map(|ready| Arc::clone(&ready.config)),
        };
        let config = match (self.build(), before) {
            (Ok(config), _) => Arc::new(config),
            (Err(problem), None) => return Err(problem),
            (Err(problem), Some(before)) => {
                tracing::error!(%problem, "{problem}; what was read before stays in use");
                before
            }
        };
        *ready = Some(Ready { config: Arc::clone(&config), generation });
        Ok(config)
    }

    fn build(&self) -> Result<ClientConfig, Failure> {
        let neighbour = Some(self.neighbour.as_path()).filter(|file| file.is_file());
        let file = self.authority.as_deref().or(neighbour);
        Ok(https("OCIS_LDAP_CACERT", file, self.insecure)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_authority_is_used_and_an_invalid_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let certificate = || rcgen::generate_simple_self_signed(["ldap.example".to_owned()]).expect("a certificate");
        let reload = Reload::default();
        let tls = Tls::new(false, Some(file.clone()), folder.path(), &reload);
        tls.client().expect_err("the file is missing");
        std::fs::write(&file, certificate().cert.pem()).expect("writes");
        let first = tls.client().expect("is made");
        assert!(Arc::ptr_eq(&first, &tls.client().expect("is there")));
        std::fs::write(&file, "nothing").expect("writes");
        reload.announce();
        assert!(Arc::ptr_eq(&first, &tls.client().expect("stays")));
        std::fs::write(&file, certificate().cert.pem()).expect("writes");
        reload.announce();
        assert!(!Arc::ptr_eq(&first, &tls.client().expect("is made anew")));
    }
}
