//! Files that settings name, and that are read again while a service runs.

mod contents;
mod value;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::PathBuf;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::reload_metrics::ReloadMetrics;
use crate::tls::KEPT;
use crate::{Clock, Context, Reload};
use contents::{Contents, IncompleteFile};
pub use value::FileValue;

/// How often files are read anew at most that change while they are read.
const ATTEMPTS: usize = 5;

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

/// What was read of the files of a setting.
#[derive(Debug)]
pub struct Reading<T> {
    /// What they say.
    pub value: T,
    /// All files that it depends on.
    pub files: Vec<PathBuf>,
}

/// Why what files say is not used. What was read before stays in use.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RereadError(String);

/// Tells when the files of a setting are to be read again, reads them, and records the outcomes.
#[derive(Debug)]
pub struct FileReloads {
    setting: FileSetting,
    reload: Reload,
    announced: watch::Receiver<u64>,
    requested: u64,
    /// What the files held when they were last looked at.
    seen: Contents,
    /// What they held when the value in use was read.
    in_force: Contents,
    metrics: ReloadMetrics,
    clock: Clock,
}

impl FileReloads {
    /// Begins to watch the files. To be called before they are read for the first time: what they hold now counts as what is in use. Reads
    /// them, which blocks.
    pub fn new(setting: FileSetting, context: &Context) -> Self {
        let reload = context.reload.clone();
        let (announced, requested) = (reload.subscribe(), reload.requested());
        let metrics = ReloadMetrics::of(&context.metrics, setting.service, setting.name);
        let seen = Contents::read(&setting.files);
        seen.watch(&reload);
        metrics.succeeded(context.clock.now());
        let in_force = seen.clone();
        Self { setting, reload, announced, requested, seen, in_force, metrics, clock: context.clock.clone() }
    }

    /// Waits until the files are to be read again: because one of them has changed, or because a reload was requested (SIGHUP). `false`
    /// once the service stops. Not cancel-safe: an announcement may be missed.
    pub async fn next(&mut self, shutdown: &CancellationToken) -> bool {
        while let Some(Ok(())) = shutdown.run_until_cancelled(self.announced.changed()).await {
            let (requested, files) = (self.reload.requested(), self.seen.files());
            let Ok(seen) = tokio::task::spawn_blocking(move || Contents::read(&files)).await else { return true };
            let is_due = requested != self.requested || seen != self.seen;
            (self.requested, self.seen) = (requested, seen);
            if is_due {
                return true;
            }
        }
        false
    }

    /// Reads the files with `read`, in a thread where that may block, and watches those that the value depends on from then on. `read` may be
    /// called several times, as a value counts only if no file has changed while it was read.
    ///
    /// # Errors
    /// When the files cannot be read, or one that the setting names holds only a part of what is in use
    /// (`docs/security-requirements.md#e30`).
    pub async fn read_again<T: Send + 'static, E: Display>(
        &mut self,
        read: impl Fn() -> Result<Reading<T>, E> + Send + 'static,
    ) -> Result<T, RereadError> {
        let (files, named, in_force) = (self.seen.files(), self.setting.files.clone(), self.in_force.clone());
        let blocking = tokio::task::spawn_blocking(move || {
            let complete = |error: IncompleteFile| RereadError(error.to_string());
            let before = Contents::read(&files);
            before.check_complete(&in_force, &named).map_err(complete)?;
            let read = |_: Option<&T>| read().map_err(|error| RereadError(error.to_string()));
            let Consistent { value, contents, is_stable } = read_consistently(before, read)?;
            contents.check_complete(&in_force, &named).map_err(complete)?;
            if is_stable {
                Ok((value, contents))
            } else {
                Err(RereadError("a file changes while it is read".to_owned()))
            }
        });
        let (value, contents) = blocking.await.map_err(|error| RereadError(error.to_string()))??;
        self.use_contents(contents);
        Ok(value)
    }

    /// Reads the files for the first time.
    fn read_first<T, E>(&mut self, read: impl Fn(Option<&T>) -> Result<Reading<T>, E>) -> Result<T, E> {
        // what changes all the time is read again at the next change
        let Consistent { value, contents, .. } = read_consistently(self.seen.clone(), read)?;
        self.use_contents(contents);
        Ok(value)
    }

    fn use_contents(&mut self, contents: Contents) {
        contents.watch(&self.reload);
        self.seen = contents.clone();
        self.in_force = contents;
    }

    /// Logs and counts the outcome of a reading: what has changed, or why what was read before stays in use.
    pub fn record<E: Display>(&self, outcome: Result<String, E>) {
        let FileSetting { service, name, .. } = &self.setting;
        let files = self.seen.files();
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

/// A value, and what its files held when it was read.
struct Consistent<T> {
    value: T,
    contents: Contents,
    /// Whether they held the same afterwards.
    is_stable: bool,
}

/// Reads a value until none of its files changes meanwhile: what is read of a file, and what is remembered of it to notice changes, must be
/// the same. `read` is called with what was read last; `contents` is what the files hold that are known already.
fn read_consistently<T, E>(
    mut contents: Contents,
    read: impl Fn(Option<&T>) -> Result<Reading<T>, E>,
) -> Result<Consistent<T>, E> {
    let (mut last, mut attempt) = (None, 1);
    loop {
        let Reading { value, files } = read(last.as_ref())?;
        let after = Contents::read(&files);
        let is_stable = after == contents;
        if is_stable || attempt == ATTEMPTS {
            return Ok(Consistent { value, contents, is_stable });
        }
        (last, contents) = (Some(value), after);
        attempt += 1;
    }
}
