//! Whether the server supports an operation, remembered for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long the server's answer to whether it supports the operation is used.
const REMEMBERED_FOR: Duration = Duration::from_mins(5);

/// Whether the server supports the operation, as long as that is remembered.
#[derive(Debug, Default)]
pub(crate) struct KnownSupport(Mutex<Option<(Instant, bool)>>);

impl KnownSupport {
    pub(crate) fn get(&self) -> Option<bool> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|(since, _)| since.elapsed() < REMEMBERED_FOR).map(|(_, is_supported)| is_supported)
    }

    pub(crate) fn set(&self, is_supported: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), is_supported));
    }
}
