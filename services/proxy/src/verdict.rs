//! The decision on a request.

use std::sync::Arc;
use std::time::Duration;

use crate::identity::Identity;

/// Whether a request may pass, and as which user. Only [`Allowed`](Self::Allowed) ones reach a backend.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It may pass: as this user, or without one where the rules demand no credential.
    Allowed(Option<Arc<Identity>>),
    /// It has no valid credential.
    Unauthenticated(CredentialError),
    /// The user may not do this, or no user may.
    Forbidden,
    /// The user may do this, but not by this bearer token (RFC 6750 3.1).
    InsufficientScope {
        /// Those to ask for.
        scopes: Arc<str>,
    },
    /// The user may do this, but the page of another site has sent the request (`docs/security-requirements.md#e12`).
    CrossSite,
    /// The user may do this after signing in anew, or with several factors (RFC 9470).
    InsufficientAuthentication {
        /// The levels that are enough (`acr_values`); `None` if that of the sign-in is.
        acr_values: Option<Arc<str>>,
        /// How long ago the sign-in may be; `None` if it is recent enough.
        max_age: Option<Duration>,
        /// Whether a browser may be sent to the sign-in for it.
        may_step_up: bool,
    },
    /// Too many attempts.
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The session of a guest is not accepted. No other credential is asked for (`docs/security-requirements.md#e49`).
    GuestSession(GuestRefusal),
    /// The gateway or the store does not answer.
    Unavailable,
}

/// Why the session of a guest is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestRefusal {
    /// The name of the cookie, which the response deletes.
    pub cookie: Arc<str>,
    /// The share whose session has expired; `None` if the session is invalid for another reason.
    pub expired: Option<String>,
}

/// Whether a credential is accepted.
///
/// # Errors
/// The verdict, unless it is that the credential is invalid.
pub fn is_accepted<T>(answer: Result<T, Verdict>) -> Result<bool, Verdict> {
    match answer {
        Ok(_) => Ok(true),
        Err(Verdict::Unauthenticated(_)) => Ok(false),
        Err(verdict) => Err(verdict),
    }
}

/// Why a request is unauthenticated; it decides on the challenge and on the redirect to the sign-in
/// (`docs/security-requirements.md#e13`, `#e14`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialError {
    /// There is no credential.
    Missing,
    /// The credential is not accepted.
    Invalid,
}
