//! What is done to the replicas at the moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The present step of a scenario. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<String>>);

impl Progress {
    /// Begins a step.
    pub(super) fn begin(&self, step: impl Into<String>) {
        *self.lock() = step.into();
    }

    /// The present step.
    pub(super) fn step(&self) -> String {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
