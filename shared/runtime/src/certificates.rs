//! When the certificates that are in use expire: as a metric, and as a line in the log before it happens.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::{Background, CertificateExpiry, Clock, Metrics};

const DAY: Duration = Duration::from_hours(24);
/// How long before its end a certificate should have been renewed.
const WARNING: Duration = Duration::from_hours(7 * 24);

/// The certificates of what uses them; `None` once it has ended.
type Source = Arc<dyn Fn() -> Option<Vec<CertificateExpiry>> + Send + Sync>;

/// The certificates that a process uses from files: those of its servers and clients, and those of authorities. Clones share the list.
#[derive(Clone, Default)]
pub struct CertificatesInUse(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    is_checking: AtomicBool,
}

#[derive(Default)]
struct State {
    sources: Vec<Source>,
    /// The settings and files that were reported since the last daily check: many clients use the same certificate.
    reported: BTreeSet<(&'static str, PathBuf)>,
}

impl CertificatesInUse {
    /// Adds the certificates of what uses them, for as long as it does: `source` answers `None` when it has ended. The metric has those
    /// that there are now, as they are later.
    pub(crate) fn add_source(
        &self,
        source: impl Fn() -> Option<Vec<CertificateExpiry>> + Send + Sync + 'static,
        (metrics, clock): (&Metrics, &Clock),
    ) {
        let known = source().unwrap_or_default();
        if known.is_empty() {
            return;
        }
        self.state().sources.push(Arc::new(source));
        for CertificateExpiry { setting, file, .. } in known {
            let (certificates, now) = (self.clone(), clock.clone());
            let labels = vec![("setting", setting.to_owned()), ("file", file.display().to_string())];
            metrics.gauge_of(
                "doorward_certificate_file_remaining_seconds",
                "How long the certificate in the file of a setting, of a server, a client or an authority, is still valid, in seconds; negative when it has expired",
                labels,
                move || Some(seconds_until(certificates.until(setting, &file)?, now.now())),
            );
        }
        self.report(clock.now());
    }

    /// Reports once a day which certificates have expired or soon will, until `shutdown`; once, however often it is called.
    pub(crate) fn check_until(&self, shutdown: CancellationToken, clock: Clock, background: &Background) {
        if self.0.is_checking.swap(true, Ordering::AcqRel) {
            return;
        }
        let certificates = self.clone();
        background.spawn("certificates in use", async move {
            let checking = async {
                loop {
                    tokio::time::sleep(DAY).await;
                    certificates.check(clock.now());
                }
            };
            let _ = shutdown.run_until_cancelled(checking).await;
            certificates.0.is_checking.store(false, Ordering::Release);
        });
    }

    /// Reports all again.
    fn check(&self, now: SystemTime) {
        self.state().reported.clear();
        self.report(now);
    }

    /// Reports those that were not reported today.
    fn report(&self, now: SystemTime) {
        for expiry in self.all() {
            let left = expiry.until.duration_since(now).ok();
            if left.is_some_and(|left| left >= WARNING) {
                continue;
            }
            let CertificateExpiry { setting, file, .. } = expiry;
            if !self.state().reported.insert((setting, file.clone())) {
                continue;
            }
            let file = file.display().to_string();
            match left {
                None => tracing::error!(
                    setting,
                    file,
                    "{setting} names the file {file}, whose certificate has expired; replace it"
                ),
                Some(left) => tracing::warn!(
                    setting,
                    file,
                    days = left.as_secs() / DAY.as_secs(),
                    "{setting} names the file {file}, whose certificate expires within 7 days; replace it"
                ),
            }
        }
    }

    /// The last moment of the certificate of this setting and file: the earliest, while some users have not read a new one yet.
    fn until(&self, setting: &str, file: &Path) -> Option<SystemTime> {
        let all = self.all().into_iter();
        all.filter(|expiry| expiry.setting == setting && expiry.file == file).map(|expiry| expiry.until).min()
    }

    /// Those that are in use, by setting and file.
    fn all(&self) -> BTreeSet<CertificateExpiry> {
        // what uses them is asked without the lock
        let sources = self.state().sources.clone();
        let (mut all, mut ended) = (BTreeSet::new(), Vec::new());
        for source in sources {
            match source() {
                Some(expiries) => all.extend(expiries),
                None => ended.push(source),
            }
        }
        if !ended.is_empty() {
            self.state().sources.retain(|source| !ended.iter().any(|ended| Arc::ptr_eq(ended, source)));
        }
        all
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CertificatesInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CertificatesInUse").finish_non_exhaustive()
    }
}

/// The seconds from now to this moment.
pub(crate) fn seconds_until(until: SystemTime, now: SystemTime) -> f64 {
    until.duration_since(now).map_or_else(|past| -past.duration().as_secs_f64(), |left| left.as_secs_f64())
}
