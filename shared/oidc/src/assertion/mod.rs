//! JWTs that stand for somebody (RFC 7521, RFC 7523): a client that proves who it is, and a grant.
//!
//! Each is read first, unverified, to learn whose keys to look up; then `check` holds the claims against the rules, which
//! costs nothing; then `verify` checks the signature. Only when all three have passed does it say anything, and only if
//! its `jti` has not been seen before: that has to be remembered until `forget_at`.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::claims::{self, CLIENT_AHEAD, ClaimError, LEEWAY, TimeError};
use crate::error::ErrorCode;
use crate::jose::{Algorithm, JwtError, KeySet, UnverifiedJwt};

#[cfg(test)]
mod tests;

/// `client_assertion_type` of a client that proves with a JWT who it is (RFC 7523 2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// `grant_type` of a JWT that is a grant (RFC 7523 2.1).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest `jti`, in bytes.
pub const MAX_JTI: usize = 128;
/// How long a client's assertion may still be good.
pub const MAX_CLIENT_LIFETIME: Duration = Duration::from_mins(5);
/// How long a grant may still be good.
pub const MAX_GRANT_LIFETIME: Duration = Duration::from_hours(1);
/// The longest `iss` and `sub`, in bytes.
const MAX_NAME: usize = 512;

/// Why an assertion is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// `client_assertion_type` is none that is known.
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
    /// A client's assertion is by the client and about it.
    #[error("iss and sub are both the client_id")]
    NotTheClient,
    /// It is for somebody else, or for several.
    #[error("aud is one, and names this server")]
    Audience,
    /// It would be good for so long that it is as bad as a password.
    #[error("exp is too far in the future")]
    LivesTooLong,
    /// There is no key for it; the client may have a new one.
    #[error("there is no key for the assertion")]
    NoKey,
}

/// What a client sends to prove who it is: `private_key_jwt` or `client_secret_jwt` (OpenID Connect Core 9, RFC 7523 3).
#[derive(Debug)]
pub struct Assertion<'a> {
    jwt: UnverifiedJwt<'a>,
    client_id: String,
    jti: String,
    expires: SystemTime,
}

impl<'a> Assertion<'a> {
    /// What answers a bad one (RFC 7521 4.2.1).
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

    /// The client that it says it is by.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What it is called; no other by the same client is.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// Until when it says that it is good.
    pub const fn expires(&self) -> SystemTime {
        self.expires
    }

    /// From when on it is refused for its age, so that its `jti` need not be remembered any more.
    pub fn forget_at(&self) -> SystemTime {
        self.expires + LEEWAY
    }

    /// Its algorithm, to be held against the one that the client has registered.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.jwt.algorithm()
    }

    /// The name of its key.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// Holds the claims against the rules. `audiences` are the names of this server that are accepted: its issuer, and
    /// the address that was called.
    ///
    /// # Errors
    /// [`AssertionError::Audience`], [`AssertionError::Time`] and [`AssertionError::LivesTooLong`].
    pub fn check(&self, audiences: &[&str], now: SystemTime) -> Result<(), AssertionError> {
        check(self.jwt.claims(), audiences, MAX_CLIENT_LIFETIME, now)
    }

    /// Checks the signature with the client's keys: `private_key_jwt`.
    ///
    /// # Errors
    /// [`AssertionError::NoKey`] and [`AssertionError::Jwt`].
    pub fn verify(&self, keys: &KeySet) -> Result<(), AssertionError> {
        verify(&self.jwt, keys)
    }

    /// Checks the signature with the client's secret: `client_secret_jwt`. It is only for clients that have registered
    /// that method, whose secret is nothing public.
    ///
    /// # Errors
    /// [`AssertionError::Jwt`].
    pub fn verify_secret(&self, secret: &[u8]) -> Result<(), AssertionError> {
        Ok(self.jwt.verify_hs256(secret)?)
    }
}

/// A JWT that is a grant: who issued it asks for a token for the person that it is about (RFC 7523 2.1 and 3).
#[derive(Debug)]
pub struct Grant<'a> {
    jwt: UnverifiedJwt<'a>,
    issuer: String,
    subject: String,
    jti: Option<String>,
    expires: SystemTime,
}

impl<'a> Grant<'a> {
    /// What answers a bad one (RFC 7521 4.1.1).
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

    /// Who issued it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whom it is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What it is called; one with a name is taken once.
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_deref()
    }

    /// Until when it says that it is good.
    pub const fn expires(&self) -> SystemTime {
        self.expires
    }

    /// From when on it is refused for its age, so that its `jti` need not be remembered any more.
    pub fn forget_at(&self) -> SystemTime {
        self.expires + LEEWAY
    }

    /// The name of its key.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// All that it says.
    pub const fn claims(&self) -> &Map<String, Value> {
        self.jwt.claims()
    }

    /// Holds the claims against the rules. `audiences` are the names of this server that are accepted.
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
