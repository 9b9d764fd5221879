//! What ID tokens and logout tokens have in common for the client that receives them (`OpenID` Connect Core 3.1.3.7, Back-Channel
//! Logout 1.0 2.6). The caller verifies the signature.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::claims::{check_times, identifier, time};
use crate::jose::{Algorithm, UnverifiedJwt};

/// The claim, header parameter or part of a token that is missing or not valid. A time that does not fit the present is `exp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token's {0} is wrong")]
pub struct InvalidToken(pub &'static str);

/// The issuer and the time that a token is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// The present.
    pub now: SystemTime,
    /// How far the issuer's clock may be ahead.
    pub leeway: Duration,
}

/// What both tokens have.
pub(crate) struct Common {
    pub(crate) algorithm: Algorithm,
    pub(crate) issued: SystemTime,
    pub(crate) expires: SystemTime,
}

impl Expected<'_> {
    /// Checks algorithm, issuer, audience and times. A shared secret does not show that the issuer has made a token, so the algorithm must
    /// be asymmetric. A token without `aud` is refused before `is_audience` is called.
    pub(crate) fn check(
        &self,
        jwt: &UnverifiedJwt<'_>,
        is_audience: impl FnOnce(&Map<String, Value>) -> bool,
    ) -> Result<Common, InvalidToken> {
        let claims = jwt.claims();
        let algorithm = jwt.algorithm().filter(|algorithm| algorithm.is_asymmetric()).ok_or(InvalidToken("alg"))?;
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer) {
            return Err(InvalidToken("iss"));
        }
        if !claims.contains_key("aud") || !is_audience(claims) {
            return Err(InvalidToken("aud"));
        }
        let expires = check_times(claims, self.now, self.leeway).ok().flatten().ok_or(InvalidToken("exp"))?;
        let issued = time(claims, "iat").ok().flatten().ok_or(InvalidToken("iat"))?;
        Ok(Common { algorithm, issued, expires })
    }
}

/// An identifier; `None` if the claim is left out.
pub(crate) fn optional(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, InvalidToken> {
    identifier(claims, name).map_err(|_| InvalidToken(name))
}
