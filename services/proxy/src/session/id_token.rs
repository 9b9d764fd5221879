//! Which ID tokens the edge accepts, except for the signature (`OpenID` Connect Core 3.1.3.7).

use std::time::{Duration, SystemTime};

use oidc::claims::{check_times, identifier, is_meant_for, time};
use oidc::jose::{Algorithm, UnverifiedJwt, half_hash};
use serde_json::{Map, Value};

use crate::sign_in::SignIn;

/// Which of its claims makes a token none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token's {0} is wrong")]
pub(crate) struct Wrong(pub(crate) &'static str);

/// The issuer, the client and the time that tokens are checked against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// The issuer.
    pub(crate) issuer: &'a str,
    /// The edge.
    pub(crate) client: &'a str,
    /// What time it is.
    pub(crate) now: SystemTime,
    /// How far the issuer's clock may be ahead.
    pub(crate) leeway: Duration,
}

/// Who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The user's identifier at the issuer.
    pub(crate) sub: String,
    /// What the issuer calls its session.
    pub(crate) sid: Option<String>,
    /// How it has signed in.
    pub(crate) sign_in: SignIn,
}

impl Expected<'_> {
    /// Holds an ID token against the request that it answers.
    ///
    /// # Errors
    /// [`Wrong`].
    pub(crate) fn id_token(&self, jwt: &UnverifiedJwt<'_>, nonce: &str, access_token: &str) -> Result<Subject, Wrong> {
        let said = jwt.claims();
        let algorithm = self.common(jwt)?;
        if !(jwt.is_typ("JWT") || jwt.typ().is_none()) {
            return Err(Wrong("typ"));
        }
        self.authorized_party(said)?;
        if said.get("nonce").and_then(Value::as_str) != Some(nonce) {
            return Err(Wrong("nonce"));
        }
        if said.get("at_hash").is_some_and(|hash| *hash != half_hash(algorithm, access_token)) {
            return Err(Wrong("at_hash"));
        }
        let sub = named(said, "sub")?.ok_or(Wrong("sub"))?;
        Ok(Subject { sub, sid: named(said, "sid")?, sign_in: SignIn::of(said) })
    }

    /// What holds for every token of the issuer.
    fn common(&self, jwt: &UnverifiedJwt<'_>) -> Result<Algorithm, Wrong> {
        let said = jwt.claims();
        let algorithm = jwt.algorithm().filter(|algorithm| algorithm.is_asymmetric()).ok_or(Wrong("alg"))?;
        if said.get("iss").and_then(Value::as_str) != Some(self.issuer) {
            return Err(Wrong("iss"));
        }
        if !is_meant_for(said, self.client) {
            return Err(Wrong("aud"));
        }
        check_times(said, self.now, self.leeway).map_err(|_| Wrong("exp"))?.ok_or(Wrong("exp"))?;
        time(said, "iat").ok().flatten().ok_or(Wrong("iat"))?;
        Ok(algorithm)
    }

    /// `azp` names the edge where it is there, and it is there where the token is for others too.
    fn authorized_party(&self, said: &Map<String, Value>) -> Result<(), Wrong> {
        let is_for_several = said.get("aud").and_then(Value::as_array).is_some_and(|audiences| audiences.len() > 1);
        match said.get("azp") {
            Some(party) if party.as_str() == Some(self.client) => Ok(()),
            None if !is_for_several => Ok(()),
            _ => Err(Wrong("azp")),
        }
    }
}

fn named(said: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Wrong> {
    identifier(said, name).map_err(|_| Wrong(name))
}

#[cfg(test)]
mod tests;
