//! The registered claims of a JWT (RFC 7519 4.1), read in one way only: one that is there and cannot be understood is
//! refused, and never counts as left out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// How far the clock of whoever made a token may differ from ours.
pub const LEEWAY: Duration = Duration::from_secs(5);
/// How far the clock of a client may be ahead that signs an assertion or a request object: FAPI 2.0 Security Profile 5.3.2.1 asks
/// for ten seconds at least, and for less than a minute.
pub const CLIENT_AHEAD: Duration = Duration::from_secs(10);
/// A claim of our own in access tokens and introspection: whether the client is one of the installation's own (built in, or `trusted`),
/// so that its tokens act as the user as a whole.
pub const FIRST_PARTY: &str = "first_party";
/// A claim of our own in access tokens that clients get for themselves: the client is a service account, so that the token may be used
/// where the installation expects one.
pub const SERVICE_ACCOUNT: &str = "service_account";
/// The longest identifier, in bytes: `OpenID` Connect Core 2 allows that for `sub`.
const MAX_IDENTIFIER: usize = 255;
/// The end of the year 9999, in seconds: nothing that is added to a time later can overflow.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// A claim that is missing, or has a value that it cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// It has to be there.
    #[error("the claim {0} is missing")]
    Missing(&'static str),
    /// It is there and cannot be understood, or is longer than it may be.
    #[error("the claim {0} is malformed")]
    Malformed(&'static str),
}

/// Why the times of a token do not fit the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// A time cannot be read.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// `exp` is over.
    #[error("it has expired")]
    Expired,
    /// `nbf` or `iat` is still to come.
    #[error("it is not valid yet")]
    NotYet,
}

/// A `NumericDate` (RFC 7519 2); `None` if the claim is left out. One beyond the year 9999 counts as the end of it.
///
/// # Errors
/// [`ClaimError::Malformed`], also for a time before 1970.
pub fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<SystemTime>, ClaimError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().map(|seconds| seconds.min(LAST_SECOND)).ok_or(ClaimError::Malformed(name))?;
    let since_epoch = Duration::try_from_secs_f64(seconds).map_err(|_| ClaimError::Malformed(name))?;
    Ok(Some(UNIX_EPOCH + since_epoch))
}

/// A text with something in it and of at most `max` bytes; `None` if the claim is left out.
///
/// # Errors
/// [`ClaimError::Malformed`].
pub fn text<'a>(claims: &'a Map<String, Value>, name: &'static str, max: usize) -> Result<Option<&'a str>, ClaimError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let text = value.as_str().filter(|text| (1..=max).contains(&text.len()));
    text.map(Some).ok_or(ClaimError::Malformed(name))
}

/// An identifier (`sub`, `sid`, `jti`) of at most 255 bytes (`OpenID` Connect Core 2); `None` if the claim is left out.
///
/// # Errors
/// [`ClaimError::Malformed`].
pub fn identifier(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, ClaimError> {
    Ok(text(claims, name, MAX_IDENTIFIER)?.map(str::to_owned))
}

/// Holds `exp`, `nbf` and `iat` against the present; each may be left out. The result is `exp`.
///
/// `exp` has the leeway [`LEEWAY`]; `nbf` and `iat` have that of the caller, since the clock of another system may be ahead.
///
/// # Errors
/// [`TimeError`].
pub fn check_times(
    claims: &Map<String, Value>,
    now: SystemTime,
    leeway: Duration,
) -> Result<Option<SystemTime>, TimeError> {
    let expires = time(claims, "exp")?;
    if expires.is_some_and(|expires| expires + LEEWAY <= now) {
        return Err(TimeError::Expired);
    }
    for name in ["nbf", "iat"] {
        if time(claims, name)?.is_some_and(|begin| begin > now + leeway) {
            return Err(TimeError::NotYet);
        }
    }
    Ok(expires)
}

/// Whether `aud` is this text, or a list that holds it (RFC 7519 4.1.3).
pub fn is_meant_for(claims: &Map<String, Value>, wanted: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(many)) => many.iter().any(|one| one == wanted),
        _ => false,
    }
}

/// The one that `aud` names: a text, or a list of one. A token for several could be taken from one to the other.
pub fn sole_audience(claims: &Map<String, Value>) -> Option<&str> {
    match claims.get("aud")? {
        Value::String(one) => Some(one),
        Value::Array(many) => match many.as_slice() {
            [one] => one.as_str(),
            _ => None,
        },
        _ => None,
    }
}
