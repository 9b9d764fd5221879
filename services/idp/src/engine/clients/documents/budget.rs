//! How many documents are fetched, whoever names them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::engine::clients::fetch_rate::{FetchRate, WINDOW, age};

/// How many documents are fetched within [`WINDOW`].
pub(super) const MOST_FETCHES: usize = 60;
/// How many are fetched at the same time.
const AT_ONCE: usize = 8;

/// The fetches for one purpose.
pub(super) struct Budget {
    /// When documents were fetched.
    fetches: Mutex<VecDeque<SystemTime>>,
    running: Semaphore,
}

impl Default for Budget {
    fn default() -> Self {
        Self { fetches: Mutex::default(), running: Semaphore::new(AT_ONCE) }
    }
}

impl Budget {
    /// Permits a fetch now, unless there were too many: of this document, of all, or at the same time.
    pub(super) fn begin(&self, rate: &mut FetchRate, now: SystemTime) -> Option<SemaphorePermit<'_>> {
        let permit = self.running.try_acquire().ok()?;
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        fetches.retain(|at| age(*at, now) < WINDOW);
        if fetches.len() >= MOST_FETCHES || !rate.begin(now) {
            return None;
        }
        fetches.push_back(now);
        Some(permit)
    }
}
