//! The error of an invalid configuration.

/// An invalid configuration: the process ends with status 64 and this one line.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(String);

impl Misconfigured {
    /// The same error in one line.
    pub fn new(error: impl std::error::Error) -> Self {
        Self(error.to_string())
    }
}
