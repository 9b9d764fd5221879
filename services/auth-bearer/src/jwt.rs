//! Which JWTs are access tokens that are good here (RFC 9068 4, RFC 8725 3). Pure: the signature is another's matter.

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
/// What stands in ID tokens only (OpenID Connect Core 2, 3.3.2.11), and in logout tokens.
const OF_OTHER_TOKENS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];
/// What says for what an access token is, or for whom; an ID token has none of these.
const OF_ACCESS_TOKENS: [&str; 4] = ["scope", "scp", "client_id", "cid"];

/// Holds a JWT against the rules. That costs nothing, so it comes before any key is looked for.
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
    // without the one it would never end, and without the other no sign-out could tell whether it was before
    if ["exp", "iat"].iter().all(|name| said.contains_key(*name)) { Ok(()) } else { Err(Reason::Malformed) }
}

/// The rules that hold for what an issuer tells of a token too (RFC 7662 2.2): for whom it is, who it was given to, when it is
/// good, and that nobody has to prove that it is theirs.
///
/// # Errors
/// Why it is refused.
pub fn check_claims(said: &Map<String, Value>, rules: &Rules, now: SystemTime) -> Result<(), Reason> {
    // whoever sends it would have to show a key or a certificate (RFC 9449 7.2, RFC 8705 3), and nobody does here
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

/// By its type where that says so. Most issuers write `JWT` or nothing for every token; then what is in it decides, and what could be
/// an ID token as well is none.
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
    // what Keycloak and lico write beside it: which token it is
    let kind = said.get("typ").map(|kind| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer")));
    let lico = said.get("lg.t").map(|kind| kind == "1");
    match (kind, lico) {
        (Some(false), _) | (_, Some(false)) => false,
        (Some(true), _) | (_, Some(true)) => true,
        (None, None) => OF_ACCESS_TOKENS.iter().any(|name| said.contains_key(*name)),
    }
}
