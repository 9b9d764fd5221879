//! JWT assertions (RFC 7521, RFC 7523): for client authentication, and as authorization grants.
//!
//! Each is first read unverified, to find out whose keys are needed; then `check` validates the claims, which is cheap; then
//! `verify` checks the signature. An assertion is accepted only when all three have passed and its `jti` was not used before:
//! the caller has to store that until `forget_at`.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::claims::{self, CLIENT_AHEAD, ClaimError, LEEWAY, TimeError};
use crate::error::ErrorCode;
use crate::jose::{Algorithm, JwtError, KeySet, UnverifiedJwt};

#[cfg(test)]
mod tests;

/// The `client_assertion_type` of client authentication with a JWT (RFC 7523 2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The `grant_type` of a JWT as an authorization grant (RFC 7523 2.1).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest `jti`, in bytes.
pub const MAX_JTI: usize = 128;
/// The longest remaining lifetime of a client assertion.
pub const MAX_CLIENT_LIFETIME: Duration = Duration::from_mins(5);
/// The longest remaining lifetime of an assertion that is a grant.
pub const MAX_GRANT_LIFETIME: Duration = Duration::from_hours(1);
/// The longest `iss` and `sub`, in bytes.
const MAX_NAME: usize = 512;

/// Why an assertion is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// `client_assertion_type` is unknown.
    #[error("client_assertion_type is {CLIENT_ASSERTION_TYPE}")]
    Type,
    /// The JWT cannot be read, or its signature does not match.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// A claim is missing or malformed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// It has expired, or is not valid yet.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// `iss` and `sub` of a client assertion are not both the client.
    #[error("iss and sub are both the client_id")]
    NotTheClient,
    /// Its audience is another server, or more than one.
    #[error("aud is one, and names this server")]
    Audience,
    /// It expires so late that it would be a long-lived credential.
    #[error("exp is too far in the future")]
    LivesTooLong,
    /// There is no key for it; the client may have a new one.
    #[error("there is no key for the assertion")]
    NoKey,
}

/// An assertion for client authentication: `private_key_jwt` or `client_secret_jwt` (OpenID Connect Core 9, RFC 7523 3).
#[derive(Debug)]
pub struct Assertion<'a> {
    jwt: UnverifiedJwt<'a>,
    client_id: String,
    jti: String,
    expires: SystemTime,
}

impl<'a> Assertion<'a> {
    /// The error code for an invalid one (RFC 7521 4.2.1).
    pub const CODE: ErrorCode = ErrorCode::InvalidClient;

    /// Reads `client_assertion_type` and `client_assertion`. Nothing of it is verified.
    ///
    /// # Errors
    /// [`AssertionError::Type`], [`AssertionError::Jwt`], [`AssertionError::Claim`] and [`AssertionError::NotTheClient`].
    pub fn read(assertion_type: &str, assertion: &'a str) -> Result<Self, AssertionError> {
        if assertion_type != CLIENT_ASSERTION_TYPE {
            return Err(AssertionError::Type);
        }
        let jwt = UnverifiedJwt::parse(assertion)?;
        let client_id = required(jwt.claims(), "sub", MAX_NAME)?.to_owned();
        if required(jwt.claims(), "iss", MAX_NAME)? != client_id {
            return Err(AssertionError::NotTheClient);
        }
        let jti = required(jwt.claims(), "jti", MAX_JTI)?.to_owned();
        let expires = expires(jwt.claims())?;
        Ok(Self { jwt, client_id, jti, expires })
    }

    /// The client that it names.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Its `jti`, which its client uses once.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// Its expiry (`exp`).
    pub const fn expires(&self) -> SystemTime {
        self.expires
    }

    /// When it is refused for its age, so that its `jti` need not be stored any longer.
    pub fn forget_at(&self) -> SystemTime {
        self.expires + LEEWAY
    }

    /// Its algorithm, to be compared with the one that the client has registered.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.jwt.algorithm()
    }

    /// Its `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// Validates the claims. `audiences` are the names of this server that are accepted: its issuer, and
    /// the address that was called.
    ///
    /// # Errors
    /// [`AssertionError::Audience`], [`AssertionError::Time`] and [`AssertionError::LivesTooLong`].
    pub fn check(&self, audiences: &[&str], now: SystemTime) -> Result<(), AssertionError> {
        check(self.jwt.claims(), audiences, MAX_CLIENT_LIFETIME, now)
    }

    /// Validates the claims as FAPI 2.0 does (Security Profile 5.3.2.1): `aud` is the issuer, as a text and not as a list.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub fn check_for_issuer(&self, issuer: &str, now: SystemTime) -> Result<(), AssertionError> {
        if self.jwt.claims().get("aud").and_then(Value::as_str) != Some(issuer) {
            return Err(AssertionError::Audience);
        }
        self.check(&[issuer], now)
    }

    /// Checks the signature with the client's keys: `private_key_jwt`.
    ///
    /// # Errors
    /// [`AssertionError::NoKey`] and [`AssertionError::Jwt`].
    pub fn verify(&self, keys: &KeySet) -> Result<(), AssertionError> {
        verify(&self.jwt, keys)
    }

    /// Checks the signature with the client's secret: `client_secret_jwt`. Only for clients that have registered this method
    /// and have a confidential secret.
    ///
    /// # Errors
    /// [`AssertionError::Jwt`].
    pub fn verify_secret(&self, secret: &[u8]) -> Result<(), AssertionError> {
        Ok(self.jwt.verify_hs256(secret)?)
    }
}

/// A JWT as an authorization grant: its issuer requests a token for its subject (RFC 7523 2.1 and 3).
#[derive(Debug)]
pub struct Grant<'a> {
    jwt: UnverifiedJwt<'a>,
    issuer: String,
    subject: String,
    jti: Option<String>,
    expires: SystemTime,
}

impl<'a> Grant<'a> {
    /// The error code for an invalid one (RFC 7521 4.1.1).
    pub const CODE: ErrorCode = ErrorCode::InvalidGrant;

    /// Reads `assertion`. Nothing of it is verified.
    ///
    /// # Errors
    /// [`AssertionError::Jwt`] and [`AssertionError::Claim`].
    pub fn read(assertion: &'a str) -> Result<Self, AssertionError> {
        let jwt = UnverifiedJwt::parse(assertion)?;
        let issuer = required(jwt.claims(), "iss", MAX_NAME)?.to_owned();
        let subject = required(jwt.claims(), "sub", MAX_NAME)?.to_owned();
        let jti = claims::text(jwt.claims(), "jti", MAX_JTI)?.map(str::to_owned);
        let expires = expires(jwt.claims())?;
        Ok(Self { jwt, issuer, subject, jti, expires })
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Its `jti`, if it has one; such an assertion is accepted once.
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_deref()
    }

    /// Its expiry (`exp`).
    pub const fn expires(&self) -> SystemTime {
        self.expires
    }

    /// When it is refused for its age, so that its `jti` need not be stored any longer.
    pub fn forget_at(&self) -> SystemTime {
        self.expires + LEEWAY
    }

    /// Its `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// All its claims.
    pub const fn claims(&self) -> &Map<String, Value> {
        self.jwt.claims()
    }

    /// Validates the claims. `audiences` are the names of this server that are accepted.
    ///
    /// # Errors
    /// [`AssertionError::Audience`], [`AssertionError::Time`] and [`AssertionError::LivesTooLong`].
    pub fn check(&self, audiences: &[&str], now: SystemTime) -> Result<(), AssertionError> {
        check(self.jwt.claims(), audiences, MAX_GRANT_LIFETIME, now)
    }

    /// Checks the signature with the issuer's keys.
    ///
    /// # Errors
    /// [`AssertionError::NoKey`] and [`AssertionError::Jwt`].
    pub fn verify(&self, keys: &KeySet) -> Result<(), AssertionError> {
        verify(&self.jwt, keys)
    }
}

fn required<'a>(claims: &'a Map<String, Value>, name: &'static str, max: usize) -> Result<&'a str, ClaimError> {
    claims::text(claims, name, max)?.ok_or(ClaimError::Missing(name))
}

fn expires(claims: &Map<String, Value>) -> Result<SystemTime, ClaimError> {
    claims::time(claims, "exp")?.ok_or(ClaimError::Missing("exp"))
}

fn check(
    claims: &Map<String, Value>,
    audiences: &[&str],
    lifetime: Duration,
    now: SystemTime,
) -> Result<(), AssertionError> {
    if !claims::sole_audience(claims).is_some_and(|audience| audiences.contains(&audience)) {
        return Err(AssertionError::Audience);
    }
    let expires = claims::check_times(claims, now, CLIENT_AHEAD)?;
    if expires.is_none_or(|expires| expires > now + lifetime + CLIENT_AHEAD) {
        return Err(AssertionError::LivesTooLong);
    }
    Ok(())
}

fn verify(jwt: &UnverifiedJwt<'_>, keys: &KeySet) -> Result<(), AssertionError> {
    let algorithm = jwt.algorithm().filter(|algorithm| algorithm.is_asymmetric()).ok_or(JwtError::Algorithm)?;
    let key = keys.find(jwt.kid(), algorithm).ok_or(AssertionError::NoKey)?;
    Ok(jwt.verify(key)?)
}
