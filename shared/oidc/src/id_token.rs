//! Which ID tokens a client accepts (`OpenID` Connect Core 3.1.3.7). The caller verifies the signature.

use serde_json::{Map, Value};

use crate::claims::is_meant_for;
use crate::jose::{UnverifiedJwt, half_hash};
use crate::relying_party::{Expected, InvalidToken, optional};

#[cfg(test)]
mod tests;

/// What ties an ID token to a client and its sign-in.
#[derive(Clone, Copy)]
pub struct Bindings<'a> {
    /// The client.
    pub client: &'a str,
    /// The `nonce` of the authorization request.
    pub nonce: &'a str,
    /// The access token that was issued with the ID token.
    pub access_token: &'a str,
}

/// The user and the session that an ID token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdToken {
    /// The user (`sub`).
    pub subject: String,
    /// The issuer's session (`sid`).
    pub session: Option<String>,
}

impl IdToken {
    /// Checks and reads an ID token.
    ///
    /// # Errors
    /// [`InvalidToken`].
    pub fn read(
        jwt: &UnverifiedJwt<'_>,
        expected: &Expected<'_>,
        bindings: Bindings<'_>,
    ) -> Result<Self, InvalidToken> {
        let claims = jwt.claims();
        let algorithm = expected.check(jwt, |claims| is_meant_for(claims, bindings.client))?.algorithm;
        if !has_type(jwt) {
            return Err(InvalidToken("typ"));
        }
        if !is_authorized_party(claims, bindings.client) {
            return Err(InvalidToken("azp"));
        }
        if claims.get("nonce").and_then(Value::as_str) != Some(bindings.nonce) {
            return Err(InvalidToken("nonce"));
        }
        if claims.get("at_hash").is_some_and(|hash| *hash != half_hash(algorithm, bindings.access_token)) {
            return Err(InvalidToken("at_hash"));
        }
        let subject = optional(claims, "sub")?.ok_or(InvalidToken("sub"))?;
        Ok(Self { subject, session: optional(claims, "sid")? })
    }
}

/// Whether the type is one that ID tokens have: `JWT`, or none.
pub fn has_type(jwt: &UnverifiedJwt<'_>) -> bool {
    jwt.typ().is_none() || jwt.is_typ("JWT")
}

/// Whether `azp` names the client. It may be left out unless the token has several audiences.
fn is_authorized_party(claims: &Map<String, Value>, client: &str) -> bool {
    match claims.get("azp") {
        Some(party) => party.as_str() == Some(client),
        None => claims.get("aud").and_then(Value::as_array).is_none_or(|audiences| audiences.len() <= 1),
    }
}
