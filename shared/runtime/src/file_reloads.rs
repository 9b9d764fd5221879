//! Files that settings name, and that are read again while a service runs.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::reload::{self, Content};
use crate::reload_metrics::ReloadMetrics;
use crate::tls::KEPT;
use crate::{Clock, Context, Reload};

/// A setting that names a file, as logs and metrics name it.
#[derive(Clone, Debug)]
pub struct FileSetting {
    /// The service that reads the file.
    pub service: &'static str,
    /// The environment name of the setting.
    pub name: &'static str,
    /// The file; several where the setting depends on more than one.
    pub files: Vec<PathBuf>,
}

/// Tells when the files of a setting are to be read again, and records the outcomes.
#[derive(Debug)]
pub struct FileReloads {
    setting: FileSetting,
    reload: Reload,
    announced: watch::Receiver<u64>,
    requested: u64,
    contents: Vec<Content>,
    metrics: ReloadMetrics,
    clock: Clock,
}

impl FileReloads {
    /// Begins to watch the files. To be called before they are read for the first time, so that no change in between is missed.
    pub fn new(setting: FileSetting, context: &Context) -> Self {
        let reload = context.reload.clone();
        let (announced, requested) = (reload.subscribe(), reload.requested());
        let metrics = ReloadMetrics::of(&context.metrics, setting.service, setting.name);
        let contents = contents(&setting.files);
        for file in &setting.files {
            reload.watch(file);
        }
        metrics.succeeded(context.clock.now());
        Self { setting, reload, announced, requested, contents, metrics, clock: context.clock.clone() }
    }

    /// Watches other files from now on: those that the files of the setting name may have changed with them.
    pub fn watch(&mut self, files: Vec<PathBuf>) {
        if files != self.setting.files {
            for file in &files {
                self.reload.watch(file);
            }
            self.contents = contents(&files);
            self.setting.files = files;
        }
    }

    /// Waits until the files are to be read again: because one of them has changed, or because a reload was requested (SIGHUP). `false`
    /// once the service stops. Not cancel-safe: an announcement may be missed.
    pub async fn next(&mut self, shutdown: &CancellationToken) -> bool {
        while let Some(Ok(())) = shutdown.run_until_cancelled(self.announced.changed()).await {
            let (requested, files) = (self.reload.requested(), self.setting.files.clone());
            let contents = tokio::task::spawn_blocking(move || contents(&files)).await.unwrap_or_default();
            let is_due = requested != self.requested || contents != self.contents;
            (self.requested, self.contents) = (requested, contents);
            if is_due {
                return true;
            }
        }
        false
    }

    /// Logs and counts the outcome of a reading: what has changed, or why what was read before stays in use.
    pub fn record<E: Display>(&self, outcome: Result<String, E>) {
        let FileSetting { service, name, files } = &self.setting;
        let files = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        match outcome {
            Ok(changes) => {
                self.metrics.succeeded(self.clock.now());
                tracing::info!(service, setting = name, files, "{name} was read again: {changes}");
            }
            Err(problem) => {
                self.metrics.failed();
                let problem = problem.to_string();
                // most errors begin with the name of the setting
                let place = if problem.starts_with(*name) { String::new() } else { format!("{name}: ") };
                tracing::error!(service, setting = name, files, problem, "{place}{problem}{KEPT}");
            }
        }
    }
}

fn contents(files: &[PathBuf]) -> Vec<Content> {
    files.iter().map(|file| reload::read(file)).collect()
}

/// A file that says nothing any more.
#[derive(Debug, thiserror::Error)]
#[error("{} is empty; write an empty list into it to remove what it had", .0.display())]
pub(crate) struct EmptyFile(PathBuf);

impl EmptyFile {
    /// Refuses a file that has nothing but blank lines and comments: while a service runs, that is a file of which an editor or a copy has
    /// not written more yet. Without its rules and clients the service would refuse too little, and revoke too much
    /// (`docs/security-requirements.md#e30`). A file that cannot be read passes, as reading it fails too.
    ///
    /// # Errors
    /// [`EmptyFile`].
    pub(crate) fn refuse(file: &Path) -> Result<(), Self> {
        let Ok(text) = std::fs::read_to_string(file) else { return Ok(()) };
        let says_nothing = |line: &str| line.is_empty() || line == "---" || line.starts_with('#');
        let text = text.trim_start_matches('\u{feff}');
        if text.lines().all(|line| says_nothing(line.trim())) { Err(Self(file.to_owned())) } else { Ok(()) }
    }
}

/// What was read of the files of a setting.
#[derive(Debug)]
pub struct Reading<T> {
    /// What they say.
    pub value: T,
    /// All files that it depends on.
    pub files: Vec<PathBuf>,
}

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
        let named = setting.files.clone();
        let mut reloads = FileReloads::new(setting, context);
        let Reading { value, files } = read(None)?;
        reloads.watch(files);
        let value = Self::fixed(value);
        let read = move |before: &T| {
            named.iter().try_for_each(|file| EmptyFile::refuse(file)).map_err(|error| error.to_string())?;
            read(Some(before)).map_err(|error| error.to_string())
        };
        tokio::spawn(follow(Arc::downgrade(&value), Arc::new(read), changes, reloads, context.shutdown.clone()));
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
async fn follow<T, R>(
    value: Weak<FileValue<T>>,
    read: Arc<R>,
    changes: impl Fn(&T, &T) -> String + Send,
    mut reloads: FileReloads,
    shutdown: CancellationToken,
) where
    T: Send + Sync + 'static,
    R: Fn(&T) -> Result<Reading<T>, String> + Send + Sync + 'static,
{
    while reloads.next(&shutdown).await {
        let Some(value) = value.upgrade() else { return };
        let (read, before) = (Arc::clone(&read), value.current());
        let blocking = tokio::task::spawn_blocking(move || (read(before.as_ref()), before));
        let outcome = match blocking.await {
            Ok((Ok(Reading { value: after, files }), before)) => {
                let changes = changes(&before, &after);
                value.current.store(Arc::new(after));
                reloads.watch(files);
                Ok(changes)
            }
            Ok((Err(problem), _)) => Err(problem),
            Err(error) => Err(error.to_string()),
        };
        reloads.record(outcome);
        value.readings.send_modify(|count| *count += 1);
    }
}
