//! Checks which JWTs are valid access tokens for this resource server (RFC 9068 4, RFC 8725 3). The caller verifies the signature.

use std::time::SystemTime;

use authn::Reason;
use oidc::claims::{self, TimeError};
use oidc::jose::{Algorithm, UnverifiedJwt};
use serde_json::{Map, Value};

use crate::access::{self, Rules};

#[cfg(test)]
mod tests;

/// The type that RFC 9068 gives access tokens.
const AT_JWT: &str = "at+jwt";
/// Claims of ID tokens (OpenID Connect Core 2, 3.3.2.11) and of logout tokens only.
const OF_OTHER_TOKENS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];
/// Claims that name the scope or the client of an access token; an ID token has none of these.
const OF_ACCESS_TOKENS: [&str; 4] = ["scope", "scp", "client_id", "cid"];
/// The claim in which a Kubernetes API server names the service account that it has issued a token to. It issues no ID tokens.
const OF_SERVICE_ACCOUNTS: &str = "kubernetes.io";

/// Checks a JWT against the rules. That is cheap, so it comes before any key is fetched.
///
/// # Errors
/// Why it is refused.
pub fn check(jwt: &UnverifiedJwt<'_>, rules: &Rules, now: SystemTime) -> Result<(), Reason> {
    let said = jwt.claims();
    if !jwt.algorithm().is_some_and(Algorithm::is_asymmetric) {
        return Err(Reason::ForeignToken);
    }
    if !is_access_token(jwt, rules.at_jwt_only) {
        return Err(Reason::Malformed);
    }
    if said.get("iss").and_then(Value::as_str) != Some(rules.issuer.as_str()) {
        return Err(Reason::ForeignToken);
    }
    check_claims(said, rules, now)?;
    // without `exp` it would never expire; without `iat` a sign-out could not decide whether it was issued before
    if ["exp", "iat"].iter().all(|name| said.contains_key(*name)) { Ok(()) } else { Err(Reason::Malformed) }
}

/// Checks the claims that an introspection response has too (RFC 7662 2.2): the audience, the client, the time of validity, and
/// that the token is not bound to a key.
///
/// # Errors
/// Why it is refused.
pub fn check_claims(said: &Map<String, Value>, rules: &Rules, now: SystemTime) -> Result<(), Reason> {
    // its holder would have to prove possession of a key (RFC 9449 7.2, RFC 8705 3), which no caller of this service can
    if said.contains_key("cnf") {
        return Err(Reason::Policy);
    }
    access::check(said, rules)?;
    match claims::check_times(said, now, rules.leeway) {
        Ok(_) => Ok(()),
        Err(TimeError::Expired) => Err(Reason::Expired),
        Err(TimeError::NotYet | TimeError::Claim(_)) => Err(Reason::Malformed),
    }
}

/// Whether a JWT is an access token, by its `typ` if that says so. Most issuers write `JWT` or nothing for every token; then its
/// claims decide, and a token that could also be an ID token is not accepted.
fn is_access_token(jwt: &UnverifiedJwt<'_>, at_jwt_only: bool) -> bool {
    let said = jwt.claims();
    if OF_OTHER_TOKENS.iter().any(|name| said.contains_key(*name)) {
        return false;
    }
    if jwt.is_typ(AT_JWT) {
        return true;
    }
    if at_jwt_only || !(jwt.typ().is_none() || jwt.is_typ("JWT")) {
        return false;
    }
    // claims in which Keycloak and lico state the kind of the token
    let kind = said.get("typ").map(|kind| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer")));
    let lico = said.get("lg.t").map(|kind| kind == "1");
    match (kind, lico) {
        (Some(false), _) | (_, Some(false)) => false,
        (Some(true), _) | (_, Some(true)) => true,
        (None, None) => {
            let account = said.get(OF_SERVICE_ACCOUNTS).and_then(|names| names.get("serviceaccount"));
            account.is_some_and(Value::is_object) || OF_ACCESS_TOKENS.iter().any(|name| said.contains_key(*name))
        }
    }
}
