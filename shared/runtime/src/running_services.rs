//! The services that run in this process, and how they are: for pages that show operators what runs.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use futures_util::future::join_all;

use crate::background::LostTasks;
use crate::readiness::{Readiness, WeakReadiness};
use crate::tls::ServerTls;

/// The services of this process. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct RunningServices {
    entries: Arc<Mutex<Vec<Entry>>>,
    /// Background tasks of the process, which are of no single service.
    lost: LostTasks,
}

/// A service, for as long as it runs: the list does not hold on to one that has ended.
#[derive(Clone, Debug)]
struct Entry {
    name: &'static str,
    started: SystemTime,
    readiness: WeakReadiness,
    certificates: Vec<(ListenerKind, Weak<ServerTls>)>,
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// gRPC.
    Grpc,
    /// HTTP.
    Http,
    /// HTTP for clients with certificates.
    Mtls,
    /// Health, metrics and the configuration.
    Debug,
}

/// A service of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHealth {
    /// Its name.
    pub name: &'static str,
    /// When it began to start.
    pub started: SystemTime,
    /// The names of what is not well, as `/readyz` has them; the service is ready when there is none.
    pub failing: Vec<&'static str>,
    /// The certificates that its listeners show, of those that are in files.
    pub certificates: Vec<CertificateValidity>,
}

/// For how long a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateValidity {
    /// The listener that shows it.
    pub listener: ListenerKind,
    /// The first moment.
    pub from: SystemTime,
    /// The last moment.
    pub until: SystemTime,
}

impl RunningServices {
    /// Adds a service that starts, with the TLS of its listeners.
    pub(crate) fn add(
        &self,
        name: &'static str,
        started: SystemTime,
        readiness: &Readiness,
        listeners: impl IntoIterator<Item = (ListenerKind, Weak<ServerTls>)>,
    ) {
        let entry =
            Entry { name, started, readiness: readiness.downgrade(), certificates: listeners.into_iter().collect() };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.readiness.upgrade().is_some());
        entries.push(entry);
    }

    /// The background tasks of the process that should not have ended, but for those of its services.
    pub(crate) fn lost_of_process(&self) -> &LostTasks {
        &self.lost
    }

    /// The background tasks of the process and its services that should not have ended.
    pub(crate) fn lost_tasks(&self) -> Vec<&'static str> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let services = entries.iter().filter_map(|entry| entry.readiness.upgrade());
        self.lost.names().into_iter().chain(services.flat_map(|readiness| readiness.lost().names())).collect()
    }

    /// How the services are, in the order in which they started. It takes at most the second that each check of readiness may take.
    pub async fn health(&self) -> Vec<ServiceHealth> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        join_all(entries.into_iter().map(Entry::health)).await.into_iter().flatten().collect()
    }
}

impl ListenerKind {
    /// What metrics call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::Mtls => "mtls",
            Self::Debug => "debug",
        }
    }
}

impl Entry {
    /// `None` if the service has ended.
    async fn health(self) -> Option<ServiceHealth> {
        let failing = self.readiness.upgrade()?.failing().await;
        let validity = |(listener, tls): &(ListenerKind, Weak<ServerTls>)| {
            let (from, until) = tls.upgrade()?.validity()?;
            Some(CertificateValidity { listener: *listener, from, until })
        };
        let certificates = self.certificates.iter().filter_map(validity).collect();
        Some(ServiceHealth { name: self.name, started: self.started, failing, certificates })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::Check;

    #[tokio::test]
    async fn services_are_listed_with_what_fails_until_they_end() {
        let (running, started) = (RunningServices::default(), UNIX_EPOCH + Duration::from_secs(7));
        let (users, idp) = (Readiness::default(), Readiness::default());
        running.add("users", started, &users, []);
        running.clone().add("idp", started, &idp, []);
        idp.built(vec![Check::new("database", async || Err("refused".into()))]);
        let health = |name, failing| ServiceHealth { name, started, failing, certificates: Vec::new() };
        assert_eq!(running.health().await, [health("users", vec!["starting"]), health("idp", vec!["database"])]);
        drop(users);
        assert_eq!(running.health().await, [health("idp", vec!["database"])]);
    }
}
