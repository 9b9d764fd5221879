//! What is decided of a request.

use std::sync::Arc;
use std::time::Duration;

use crate::identity::Identity;

/// May it pass, and as whom? Whatever is not [`Allowed`](Self::Allowed) does not reach a backend.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It may: as somebody, or as nobody where the rules let everybody pass.
    Allowed(Option<Arc<Identity>>),
    /// Nobody has proven who asks.
    Unauthenticated(Refused),
    /// Whoever asks may not do this, or nobody may.
    Forbidden,
    /// Whoever asks may, but it is another site's page that does (row E12).
    CrossSite,
    /// Too many attempts.
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Who would know cannot be asked.
    Unavailable,
}

/// Whether a credential is accepted.
///
/// # Errors
/// The verdict, unless it is that the credential is not good.
pub fn is_accepted<T>(answer: Result<T, Verdict>) -> Result<bool, Verdict> {
    match answer {
        Ok(_) => Ok(true),
        Err(Verdict::Unauthenticated(_)) => Ok(false),
        Err(verdict) => Err(verdict),
    }
}

/// Why nobody has proven who asks; it decides what the client is told to do (rows E13, E14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There was no credential.
    Missing,
    /// There was one, and it is not good.
    Invalid,
}
