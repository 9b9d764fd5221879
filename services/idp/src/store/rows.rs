//! Conversions of columns.

use store::StoreError;

/// The error for a row that cannot be read. Such a row never grants access.
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
