//! TLS towards the server.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ldap3::LdapError;
use runtime::Reload;
use runtime::client::https;
use rustls::ClientConfig;
use tokio::task::spawn_blocking;

use crate::failure::Failure;

/// How the server's certificate is judged.
#[derive(Debug)]
pub(crate) struct Tls {
    /// Any certificate is accepted.
    pub(crate) insecure: bool,
    authority: Arc<Authority>,
}

/// The file of the authority, and what was made of it.
#[derive(Debug)]
struct Authority {
    insecure: bool,
    /// The configured file.
    file: Option<PathBuf>,
    /// The file of an oCIS on the same machine, used if it exists and no file is configured.
    neighbour: PathBuf,
    /// Announces that the file may have changed.
    reload: Reload,
    /// Made once it can be: the file may appear only after we started.
    ready: Mutex<Option<Ready>>,
    /// Held by the one that reads the file.
    reading: Mutex<()>,
}

/// The settings for connections, and how many reloads had been announced when the file was read.
#[derive(Debug)]
struct Ready {
    config: Arc<ClientConfig>,
    generation: u64,
}

impl Tls {
    pub(crate) fn new(insecure: bool, file: Option<PathBuf>, base_data_path: &Path, reload: &Reload) -> Self {
        let neighbour = base_data_path.join("idm").join("ldap.crt");
        reload.watch(file.as_ref().unwrap_or(&neighbour));
        let (reload, ready, reading) = (reload.clone(), Mutex::default(), Mutex::default());
        Self { insecure, authority: Arc::new(Authority { insecure, file, neighbour, reload, ready, reading }) }
    }

    /// The settings for a connection, made anew when the file may have changed. An invalid file changes nothing.
    pub(crate) async fn client(&self) -> Result<Arc<ClientConfig>, Failure> {
        if let Some(config) = self.authority.up_to_date() {
            return Ok(config);
        }
        let authority = Arc::clone(&self.authority);
        // reading files blocks
        let made = spawn_blocking(move || authority.read()).await;
        made.unwrap_or_else(|error| Err(Failure::Connection(LdapError::from(io::Error::other(error)))))
    }
}

impl Authority {
    fn up_to_date(&self) -> Option<Arc<ClientConfig>> {
        let generation = self.reload.generation();
        lock(&self.ready).as_ref().filter(|ready| ready.generation == generation).map(|ready| Arc::clone(&ready.config))
    }

    /// Reads the file, unless another connection has done so meanwhile.
    fn read(&self) -> Result<Arc<ClientConfig>, Failure> {
        let _reading = lock(&self.reading);
        if let Some(config) = self.up_to_date() {
            return Ok(config);
        }
        // before the file is read, so that no change in between is missed
        let generation = self.reload.generation();
        let before = lock(&self.ready).as_ref().map(|ready| Arc::clone(&ready.config));
        let config = match (self.build(), before) {
            (Ok(config), _) => Arc::new(config),
            (Err(problem), None) => return Err(problem),
            (Err(problem), Some(before)) => {
                tracing::error!(%problem, "{problem}; what was read before stays in use");
                before
            }
        };
        *lock(&self.ready) = Some(Ready { config: Arc::clone(&config), generation });
        Ok(config)
    }

    fn build(&self) -> Result<ClientConfig, Failure> {
        let neighbour = Some(self.neighbour.as_path()).filter(|file| file.is_file());
        let file = self.file.as_deref().or(neighbour);
        Ok(https("OCIS_LDAP_CACERT", file, self.insecure)?)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changed_authority_is_used_and_an_invalid_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let certificate = || rcgen::generate_simple_self_signed(["ldap.example".to_owned()]).expect("a certificate");
        let reload = Reload::default();
        let tls = Tls::new(false, Some(file.clone()), folder.path(), &reload);
        tls.client().await.expect_err("the file is missing");
        std::fs::write(&file, certificate().cert.pem()).expect("writes");
        let first = tls.client().await.expect("is made");
        assert!(Arc::ptr_eq(&first, &tls.client().await.expect("is there")));
        std::fs::write(&file, "nothing").expect("writes");
        reload.announce();
        assert!(Arc::ptr_eq(&first, &tls.client().await.expect("stays")));
        std::fs::write(&file, certificate().cert.pem()).expect("writes");
        reload.announce();
        assert!(!Arc::ptr_eq(&first, &tls.client().await.expect("is made anew")));
    }

    /// Another task goes on while a file of a slow volume is read.
    #[tokio::test]
    async fn slow_file_does_not_hold_up_the_executor() {
        let folder = tempfile::tempdir().expect("a folder");
        let tls = Tls::new(false, Some(folder.path().join("ca.pem")), folder.path(), &Reload::default());
        // as while another connection reads
        let authority = Arc::clone(&tls.authority);
        let (begun, reads) = tokio::sync::oneshot::channel();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let reading = spawn_blocking(move || {
            let _reading = lock(&authority.reading);
            begun.send(()).expect("is awaited");
            finished.recv().expect("is sent");
        });
        reads.await.expect("it reads");
        // the client waits for the file, and this task for the client: on the one thread of this test both go on
        let (outcome, ()) = tokio::join!(tls.client(), async { finish.send(()).expect("it waits") });
        outcome.expect_err("there is no file");
        reading.await.expect("no panic");
    }
}
