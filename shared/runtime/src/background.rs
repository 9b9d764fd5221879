//! Tasks that run in the background in addition to those of an [`App`](crate::App): whoever starts one need not wait for it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use tokio::task::JoinHandle;

/// Starts background tasks and notes those that panic: from then on the service is not ready, and the watchdog is no longer pinged.
/// Clones share the notes.
#[derive(Clone, Debug, Default)]
pub struct Background(LostTasks);

impl Background {
    /// The tasks of a service, or of the whole process, whose losses are noted here.
    pub(crate) fn noting(lost: &LostTasks) -> Self {
        Self(lost.clone())
    }

    /// Runs this in the background. It may end of itself only when what it serves is no longer in use. Needs a tokio runtime.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        tokio::spawn(self.noted(name, work))
    }

    /// The same work, for a set of tasks that are waited for.
    pub(crate) fn noted<F>(&self, name: &'static str, work: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let lost = self.0.clone();
        async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!(task = name, "the background task {name} has panicked");
                lost.add(name);
            }
        }
    }
}

/// The names of background tasks that have ended although they should not have. Clones share the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct LostTasks(Arc<Mutex<Vec<&'static str>>>);

impl LostTasks {
    pub(crate) fn add(&self, task: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn task_that_panics_is_noted_and_one_that_ends_is_not() {
        let lost = LostTasks::default();
        let background = Background::noting(&lost);
        background.spawn("done", async {}).await.expect("ends");
        assert!(lost.names().is_empty());
        background.clone().spawn("broken", async { panic!("asked to") }).await.expect("the panic is caught");
        assert_eq!(lost.names(), ["broken"]);
    }
}
