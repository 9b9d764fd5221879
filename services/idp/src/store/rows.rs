//! Between columns and what they mean.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use store::StoreError;

/// Microseconds since the epoch, so that both databases keep times exactly.
pub(super) fn micros(time: SystemTime) -> i64 {
    span(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The time of microseconds since the epoch.
pub(super) fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// A duration in microseconds.
pub(super) fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A row that cannot be understood is a fault, never something that is allowed to somebody.
pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::internal(format!("a row cannot be understood: {what}"))
}

/// A column of 32 bytes.
pub(super) fn digest(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| damaged("a digest"))
}

/// A column that is never negative and small.
pub(super) fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| damaged("a number"))
}
