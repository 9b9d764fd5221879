//! Whether a service should be sent requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::Check;
use crate::background::LostTasks;

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What decides it. Clones decide together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Empty until the service is built.
    checks: OnceLock<Vec<Check>>,
    is_draining: AtomicBool,
    /// Whether something failed when it was last looked for.
    has_failed: AtomicBool,
    /// Background tasks of the service that should not have ended.
    lost: LostTasks,
    /// The same of the whole process.
    lost_of_process: LostTasks,
}

/// A [`Readiness`] that does not outlive its service.
#[derive(Clone, Debug)]
pub(crate) struct WeakReadiness(Weak<Inner>);

impl WeakReadiness {
    /// The readiness; `None` once the service has ended.
    pub(crate) fn upgrade(&self) -> Option<Readiness> {
        self.0.upgrade().map(Readiness)
    }
}

impl Readiness {
    /// The readiness of a service in a process with these lost tasks.
    pub(crate) fn within(lost_of_process: LostTasks) -> Self {
        Self(Arc::new(Inner { lost_of_process, ..Inner::default() }))
    }

    /// The same without holding on to it.
    pub(crate) fn downgrade(&self) -> WeakReadiness {
        WeakReadiness(Arc::downgrade(&self.0))
    }

    /// The service is built, and this is what must be well.
    pub(crate) fn built(&self, checks: Vec<Check>) {
        // a service is built once
        let _ = self.0.checks.set(checks);
    }

    /// From now on it is not ready any more.
    pub(crate) fn drain(&self) {
        self.0.is_draining.store(true, Ordering::Release);
    }

    /// The background tasks of the service that should not have ended: it is not what it should be without them.
    pub(crate) fn lost(&self) -> &LostTasks {
        &self.0.lost
    }

    /// The names of what is not well; the service is ready when there is none.
    pub(crate) async fn failing(&self) -> Vec<&'static str> {
        if self.0.is_draining.load(Ordering::Acquire) {
            return vec!["shutting down"];
        }
        let Some(checks) = self.0.checks.get() else { return vec!["starting"] };
        let mut failing = self.0.lost_of_process.names();
        failing.extend(self.0.lost.names());
        failing.extend(join_all(checks.iter().map(failure)).await.into_iter().flatten());
        self.0.has_failed.store(!failing.is_empty(), Ordering::Release);
        failing
    }

    /// Whether the service was ready when that was last asked. Runs no check.
    pub(crate) fn was_ready(&self) -> bool {
        let is_built = self.0.checks.get().is_some();
        is_built && !self.0.is_draining.load(Ordering::Acquire) && !self.0.has_failed.load(Ordering::Acquire)
    }
}

/// The check's name if it fails.
async fn failure(check: &Check) -> Option<&'static str> {
    let problem = match timeout(PATIENCE, (check.probe)()).await {
        Ok(Ok(())) => return None,
        Ok(Err(problem)) => problem,
        Err(_) => "no answer in time".into(),
    };
    tracing::warn!(check = check.name, problem, "not ready: {}", check.name);
    Some(check.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tells_what_fails() {
        let process = LostTasks::default();
        let readiness = Readiness::within(process.clone());
        assert_eq!(readiness.failing().await, ["starting"]);
        readiness.built(vec![
            Check::new("fine", async || Ok(())),
            Check::new("database", async || Err("refused".into())),
            Check::new("peer", std::future::pending),
        ]);
        assert!(readiness.was_ready(), "nothing is known yet");
        assert_eq!(readiness.failing().await, ["database", "peer"]);
        assert!(!readiness.was_ready());
        readiness.lost().add("flush");
        assert_eq!(readiness.failing().await, ["flush", "database", "peer"]);
        process.add("watching files");
        assert_eq!(readiness.failing().await, ["watching files", "flush", "database", "peer"]);
        readiness.drain();
        assert_eq!(readiness.failing().await, ["shutting down"]);
    }
}
