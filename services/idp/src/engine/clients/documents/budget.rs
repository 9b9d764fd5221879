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
    counts: Mutex<Counts>,
    running: Semaphore,
}

#[derive(Default)]
struct Counts {
    /// When documents were fetched.
    fetches: VecDeque<SystemTime>,
    /// When it was reported last that one was not.
    reported: Option<SystemTime>,
}

/// That a document is not fetched now, since there were too many fetches.
pub(super) struct LimitReached {
    /// Whether this was not reported within [`WINDOW`].
    pub(super) is_to_report: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { counts: Mutex::default(), running: Semaphore::new(AT_ONCE) }
    }
}

impl Budget {
    /// Permits a fetch now.
    ///
    /// # Errors
    /// When there were too many: of this document, of all, or at the same time.
    pub(super) fn begin(&self, rate: &mut FetchRate, now: SystemTime) -> Result<SemaphorePermit<'_>, LimitReached> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.fetches.retain(|at| age(*at, now) < WINDOW);
        let is_within = counts.fetches.len() < MOST_FETCHES;
        match self.running.try_acquire() {
            Ok(permit) if is_within && rate.begin(now) => {
                counts.fetches.push_back(now);
                Ok(permit)
            }
            _ => Err(counts.reach_limit(now)),
        }
    }
}

impl Counts {
    fn reach_limit(&mut self, now: SystemTime) -> LimitReached {
        let is_to_report = self.reported.is_none_or(|at| age(at, now) >= WINDOW);
        if is_to_report {
            self.reported = Some(now);
        }
        LimitReached { is_to_report }
    }
}
