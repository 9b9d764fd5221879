//! Values that files say, and that are replaced when the files change.

use std::fmt::Display;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{FileReloads, FileSetting, Reading};
use crate::Context;

/// What the files of a setting say. They are read again when one changes and at SIGHUP; if they are invalid then, what was read before
/// stays in use.
#[derive(Debug)]
pub struct FileValue<T> {
    current: ArcSwap<T>,
    readings: watch::Sender<u64>,
}

impl<T: Send + Sync + 'static> FileValue<T> {
    /// A value that does not change, for a setting that names no file.
    pub fn fixed(value: T) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::from_pointee(value), readings: watch::Sender::new(0) })
    }

    /// Reads the files now, and again whenever they may have changed, until the service stops. `read` is called with the value in use, if
    /// there is one already, and outside the threads that serve requests; `changes` says in a few words how a new value differs from the
    /// one before. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the files cannot be read now.
    pub fn open<E>(
        setting: FileSetting,
        read: impl Fn(Option<&T>) -> Result<Reading<T>, E> + Send + Sync + 'static,
        changes: impl Fn(&T, &T) -> String + Send + 'static,
        context: &Context,
    ) -> Result<Arc<Self>, E>
    where
        E: Display + 'static,
    {
        let mut reloads = FileReloads::new(setting, context);
        let value = Self::fixed(reloads.read_first(&read)?);
        let following = follow(Arc::downgrade(&value), Arc::new(read), changes, reloads, context.shutdown.clone());
        context.background.spawn("files of settings", following);
        Ok(value)
    }

    /// The value in use.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Changes after each further reading, whether or not it succeeded; the number counts them.
    pub fn readings(&self) -> watch::Receiver<u64> {
        self.readings.subscribe()
    }
}

/// Reads a value again whenever its files may have changed, as long as it is in use.
async fn follow<T, E, R>(
    value: Weak<FileValue<T>>,
    read: Arc<R>,
    changes: impl Fn(&T, &T) -> String + Send,
    mut reloads: FileReloads,
    shutdown: CancellationToken,
) where
    T: Send + Sync + 'static,
    E: Display + 'static,
    R: Fn(Option<&T>) -> Result<Reading<T>, E> + Send + Sync + 'static,
{
    while reloads.next(&shutdown).await {
        let Some(value) = value.upgrade() else { return };
        let (read, before) = (Arc::clone(&read), value.current());
        let in_use = Arc::clone(&before);
        let outcome = reloads.read_again(move || read(Some(&*in_use))).await;
        let outcome = outcome.map(|after| {
            let changes = changes(&before, &after);
            value.current.store(Arc::new(after));
            changes
        });
        reloads.record(outcome);
        value.readings.send_modify(|count| *count += 1);
    }
}
