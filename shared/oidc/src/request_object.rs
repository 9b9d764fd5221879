//! What a request object contributes to an authorization request (OpenID Connect Core 6, RFC 9101).
//!
//! Whether its signature matches, or whether the client may send one without, has been decided before. Then [`parameters`]
//! makes parameters of its members, and [`merge`] puts them together with those of the query:
//!
//! - What the object says wins, always.
//! - In an OpenID Connect request, which has the scope `openid` in its query, the query adds what the object does not say
//!   (Core 6.1). `client_id` and `response_type` must not contradict each other.
//! - In any other request the query adds nothing (RFC 9101 5); only its `client_id` is compared.
//!
//! A client that has registered `require_signed_request_object` wants nothing from outside what it signed: there the
//! service goes on with the result of [`parameters`] alone.
//!
//! The objects of clients that follow FAPI 2.0 also have to pass [`check_message_signing`].

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::claims::{self, CLIENT_AHEAD, ClaimError, TimeError};
use crate::error::ErrorCode;

#[cfg(test)]
mod tests;

/// The members that are about the object itself (RFC 9101 4).
const CONSUMED: [&str; 7] = ["aud", "iss", "sub", "exp", "nbf", "iat", "jti"];
/// Where requests are; an object must not lead to another one (RFC 9101 4).
const NESTED: [&str; 2] = ["request", "request_uri"];
/// The longest `iss` and `client_id`, in bytes.
const MAX_NAME: usize = 512;
/// How long `nbf` may be ago, and how long after it `exp` may be (FAPI 2.0 Message Signing 5.3.1).
pub const MAX_AGE: Duration = Duration::from_hours(1);

/// Why a request object is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// A claim is malformed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// It has expired, or is not valid yet.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// It is by another client, or for another.
    #[error("iss and client_id of the request object are the client")]
    Client,
    /// It could be taken for the client's assertion (RFC 9101 10.8).
    #[error("sub of a request object is not the client")]
    Subject,
    /// It is for another server.
    #[error("aud of the request object does not name this server")]
    Audience,
    /// It was made too long ago.
    #[error("nbf of the request object is more than 60 minutes ago")]
    TooOld,
    /// It is valid for too long.
    #[error("exp of the request object is not within 60 minutes after nbf")]
    LivesTooLong,
    /// It leads to another request.
    #[error("a request object has neither request nor request_uri")]
    Nested,
    /// A member is no parameter: a list, an object other than `claims`, or null.
    #[error("the member {0:?} of the request object is no parameter")]
    Member(String),
    /// The query says something else.
    #[error("{0} in the query is not that of the request object")]
    Contradiction(&'static str),
}

impl ObjectError {
    /// What answers it.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::InvalidRequestObject
    }
}

/// The parameters that a request object holds, with the client's `client_id` first. Numbers and truth values are written
/// as in JSON, and so is `claims`. What is about the object itself is checked, and is no parameter.
///
/// # Errors
/// [`ObjectError`], except [`ObjectError::Contradiction`].
pub fn parameters(
    claims: &Map<String, Value>,
    client_id: &str,
    issuer: &str,
    now: SystemTime,
) -> Result<Vec<(String, String)>, ObjectError> {
    for name in ["iss", "client_id"] {
        if claims::text(claims, name, MAX_NAME)?.is_some_and(|named| named != client_id) {
            return Err(ObjectError::Client);
        }
    }
    if claims.get("sub").is_some_and(|sub| sub == client_id) {
        return Err(ObjectError::Subject);
    }
    if claims.contains_key("aud") && !claims::is_meant_for(claims, issuer) {
        return Err(ObjectError::Audience);
    }
    claims::check_times(claims, now, CLIENT_AHEAD)?;
    if NESTED.iter().any(|name| claims.contains_key(*name)) {
        return Err(ObjectError::Nested);
    }
    let mut parameters = vec![("client_id".to_owned(), client_id.to_owned())];
    for (name, value) in claims {
        if name != "client_id" && !CONSUMED.contains(&name.as_str()) {
            parameters.push((name.clone(), parameter(name, value)?));
        }
    }
    Ok(parameters)
}

/// Checks that a request object says for whom and for which time it is, as FAPI 2.0 Message Signing 5.3.1 asks for. That these claims
/// fit this server and the present, [`parameters`] checks.
///
/// # Errors
/// [`ObjectError::Claim`] for a claim that is missing, [`ObjectError::TooOld`] and [`ObjectError::LivesTooLong`].
pub fn check_message_signing(claims: &Map<String, Value>, now: SystemTime) -> Result<(), ObjectError> {
    if !claims.contains_key("aud") {
        return Err(ClaimError::Missing("aud").into());
    }
    let needed = |name| claims::time(claims, name)?.ok_or(ClaimError::Missing(name));
    let (begins, expires) = (needed("nbf")?, needed("exp")?);
    if begins + MAX_AGE < now {
        return Err(ObjectError::TooOld);
    }
    let is_within = begins < expires && expires <= begins + MAX_AGE;
    if is_within { Ok(()) } else { Err(ObjectError::LivesTooLong) }
}

fn parameter(name: &str, value: &Value) -> Result<String, ObjectError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Object(_) if name == "claims" => Ok(value.to_string()),
        Value::Object(_) | Value::Array(_) | Value::Null => Err(ObjectError::Member(name.to_owned())),
    }
}

/// The request: the parameters of the object, and those that the query may add. The result has neither `request` nor
/// `request_uri`, and what the query says twice it still says twice.
///
/// # Errors
/// [`ObjectError::Contradiction`].
pub fn merge(object: Vec<(String, String)>, query: &[(String, String)]) -> Result<Vec<(String, String)>, ObjectError> {
    let is_openid = values(query, "scope").any(|scope| scope.split(' ').any(|token| token == "openid"));
    let compared: &[&'static str] = if is_openid { &["client_id", "response_type"] } else { &["client_id"] };
    for name in compared {
        if values(&object, name).any(|ours| values(query, name).any(|theirs| !theirs.is_empty() && theirs != ours)) {
            return Err(ObjectError::Contradiction(name));
        }
    }
    if !is_openid {
        return Ok(object);
    }
    let is_added = |name: &str| !NESTED.contains(&name) && values(&object, name).next().is_none();
    let added: Vec<_> = query.iter().filter(|(name, _)| is_added(name)).cloned().collect();
    Ok(object.into_iter().chain(added).collect())
}

fn values<'a>(pairs: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    pairs.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
}
