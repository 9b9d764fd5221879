//! The tables. An acknowledged write is durable.

pub(crate) mod acme;
mod restore;
pub(crate) mod sessions;
pub(crate) mod signing_keys;

use std::time::SystemTime;

pub(crate) use restore::end_credentials;

/// What a logout token ends: the sessions of a subject, the one of a `sid`, or the one that is both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Whose sessions.
    pub(crate) subject: Option<String>,
    /// Which one.
    pub(crate) sid: Option<String>,
    /// Sessions that were begun later are others.
    pub(crate) at: SystemTime,
}
