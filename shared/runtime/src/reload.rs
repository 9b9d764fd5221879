//! Telling services that certificates, secrets or the configuration may have changed.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Background;

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long files must stay as they are before a change is announced: a certificate and its key are two writes.
const QUIET: Duration = Duration::from_millis(250);

/// Announces that what was read from files should be read again. Clones announce together.
#[derive(Clone, Debug)]
pub struct Reload(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    generation: watch::Sender<u64>,
    /// How many of the announcements were requested, whether or not a file had changed.
    requested: AtomicU64,
    files: Mutex<BTreeMap<PathBuf, Content>>,
    is_polling: AtomicBool,
    interval: Duration,
}

/// A file's content, hashed; `None` when it cannot be read.
pub(crate) type Content = Option<u64>;

impl Default for Reload {
    fn default() -> Self {
        Self::every(INTERVAL)
    }
}

impl Reload {
    /// One that looks at its files so often.
    pub fn every(interval: Duration) -> Self {
        let (generation, _) = watch::channel(0);
        let (requested, is_polling) = (AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner { generation, requested, files: Mutex::default(), is_polling, interval }))
    }

    /// Changes at each announcement; the number counts them.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// The same for what was read when the process started: the first change is there already if something was announced since then.
    pub fn subscribe_from_start(&self) -> watch::Receiver<u64> {
        let mut announced = self.subscribe();
        if self.generation() > 0 {
            announced.mark_changed();
        }
        announced
    }

    /// How many announcements there were.
    pub fn generation(&self) -> u64 {
        *self.0.generation.borrow()
    }

    /// How many announcements were requested with [`announce`](Self::announce).
    pub(crate) fn requested(&self) -> u64 {
        self.0.requested.load(Ordering::Acquire)
    }

    /// Announces, whether or not a file changed: what SIGHUP does.
    pub fn announce(&self) {
        self.0.requested.fetch_add(1, Ordering::AcqRel);
        self.announce_change();
    }

    fn announce_change(&self) {
        self.0.generation.send_modify(|generation| *generation += 1);
    }

    /// Announces from now on when this file's content changes, also when it appears or vanishes. To be called before the file is read for
    /// use, and after [`subscribe`](Self::subscribe) or [`generation`](Self::generation): then no change is missed. Reads the file, which blocks.
    pub fn watch(&self, file: impl Into<PathBuf>) {
        let file = file.into();
        let content = read(&file);
        self.watch_since(file, content);
    }

    /// The same for a file that had this content when it was read for use. A file that is watched already stays as it is.
    pub(crate) fn watch_since(&self, file: PathBuf, content: Content) {
        self.0.files.lock().unwrap_or_else(PoisonError::into_inner).entry(file).or_insert(content);
    }

    /// Starts looking at the files until `shutdown`; once, however often it is called.
    pub(crate) fn poll_until(&self, shutdown: CancellationToken, background: &Background) {
        if self.0.is_polling.swap(true, Ordering::AcqRel) {
            return;
        }
        let reload = self.clone();
        background.spawn("watching files", async move {
            let _ = shutdown.run_until_cancelled(reload.poll()).await;
            reload.0.is_polling.store(false, Ordering::Release);
        });
    }

    async fn poll(&self) {
        loop {
            tokio::time::sleep(self.0.interval).await;
            if !self.look().await {
                continue;
            }
            loop {
                tokio::time::sleep(QUIET.min(self.0.interval)).await;
                if !self.look().await {
                    break;
                }
            }
            tracing::info!("files changed, reloading");
            self.announce_change();
        }
    }

    /// Whether a file differs from what it was when it was last looked at.
    async fn look(&self) -> bool {
        let reload = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let mut files = reload.0.files.lock().unwrap_or_else(PoisonError::into_inner);
            let mut changed = false;
            for (file, known) in files.iter_mut() {
                let now = read(file);
                changed |= std::mem::replace(known, now) != now;
            }
            changed
        });
        looked.await.unwrap_or(false)
    }
}

/// Such files are small and few: hashing them costs less than guessing from times, which a mounted secret does not keep.
fn read(file: &Path) -> Content {
    std::fs::read(file).ok().map(|content| hash(&content))
}

pub(crate) fn hash(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_announced_once_it_is_complete() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "1").expect("writes");
        let reload = Reload::every(Duration::from_millis(20));
        reload.watch(&one);
        reload.watch(&two);
        let shutdown = CancellationToken::new();
        let mut announced = reload.subscribe();
        let background = Background::default();
        reload.poll_until(shutdown.clone(), &background);
        reload.poll_until(shutdown.clone(), &background);

        std::fs::write(&one, "1").expect("writes");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(reload.generation(), 0, "the same content is no change");

        std::fs::write(&one, "2").expect("writes");
        std::fs::write(&two, "2").expect("writes");
        let changed = tokio::time::timeout(Duration::from_secs(5), announced.changed());
        changed.await.expect("in time").expect("announced");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(reload.generation(), 1, "both at once");
        shutdown.cancel();
    }
}
