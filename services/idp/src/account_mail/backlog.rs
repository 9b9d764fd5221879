//! Work that no browser waits for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// How much is worked on at the same time.
const PLACES: usize = 64;
/// How long the work that has begun may take once the service stops.
const LAST_WORK: Duration = Duration::from_secs(2);

/// A bounded number of tasks.
pub(super) struct Backlog {
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), tasks: TaskTracker::new() }
    }
}

impl Backlog {
    /// Begins a task, unless too many are being worked on.
    pub(super) fn add(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!("a mail is not sent: too many are being made");
            return;
        };
        self.tasks.spawn(async move {
            work.await;
            drop(place);
        });
    }

    /// Waits a moment for the tasks that have begun.
    pub(super) async fn drain(&self) {
        self.tasks.close();
        if timeout(LAST_WORK, self.tasks.wait()).await.is_err() {
            tracing::warn!("mails are not made, as the service stops");
        }
    }
}
