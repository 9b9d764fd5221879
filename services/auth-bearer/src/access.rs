//! What an access token may do here: by the client that it was issued to, and by its scope.

use std::sync::Arc;
use std::time::Duration;

use authn::grant::is_api_scope;
use authn::{Actor, Grants, Reason, Scopes, amr};
use oidc::claims::{FIRST_PARTY, SERVICE_ACCOUNT, is_meant_for};
use oidc::{client_id, scope};
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// The claims that name the client: of OpenID Connect, of RFC 9068, and of Okta.
const CLIENT: [&str; 3] = ["azp", "client_id", "cid"];
/// The claims that hold the scope: of RFC 9068, and of lico, Entra ID and Okta.
const SCOPE: [&str; 2] = ["scope", "scp"];

/// What an issuer's access tokens must say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who issued them, byte for byte.
    pub issuer: String,
    /// What they must be meant for: one of these; see [`check`] if there is none.
    pub audiences: Vec<String>,
    /// Which client they must have been issued to (`azp`, or `client_id`): one of these; see [`check`] if there is none.
    pub authorized_parties: Vec<String>,
    /// Whether the issuer is Doorward's own provider, the only one whose claim that a client is first-party is accepted.
    pub is_own: bool,
    /// Whether their type must be `at+jwt`.
    pub at_jwt_only: bool,
    /// How far the issuer's clock may be from ours.
    pub leeway: Duration,
}

/// What a token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Everything that its user may, unless its scope asks for parts of the API.
    pub scopes: Arc<Scopes>,
    /// [`amr::OIDC`], or [`amr::OIDC_CLIENT`], with which no app token can be made; [`amr::SERVICE`] if the subject is a service account
    /// and no user of the directory.
    pub amr: &'static str,
    /// Who acts for the user, if the token says so (RFC 8693 4.1).
    pub actor: Option<Actor>,
}

impl Access {
    /// What a token may do whose claims are these and [were accepted](check).
    ///
    /// # Errors
    /// [`Reason::Policy`] if its scope asks for the API, and for nothing there that is known; [`Reason::Malformed`] for an `act` that
    /// cannot be read: the user would appear to act alone (`docs/security-requirements.md#x11`).
    pub fn of(claims: &Map<String, Value>, rules: &Rules) -> Result<Self, Reason> {
        let grants = Grants::of_oauth_scope(scope_tokens(claims)).map_err(|_| Reason::Policy)?;
        let actor = Actor::read(claims.get("act")).map_err(|_| Reason::Malformed)?;
        if is_service_account(claims, rules) {
            let scopes = grants.ok_or(Reason::Policy)?.to_cs3();
            return Ok(Self { scopes: Arc::new(scopes), amr: amr::SERVICE, actor });
        }
        let scopes = grants.map_or_else(Scopes::full_user, |grants| grants.to_cs3());
        if is_interactive(claims, rules) {
            Ok(Self { scopes: Arc::new(scopes), amr: amr::OIDC, actor })
        } else {
            Ok(Self { actor, ..Self::of_client(scopes) })
        }
    }

    /// What a token may do of which only its user is known.
    pub fn of_any_client() -> Self {
        Self::of_client(Scopes::full_user())
    }

    fn of_client(scopes: Scopes) -> Self {
        Self { scopes: Arc::new(scopes.with_amr(amr::OIDC_CLIENT)), amr: amr::OIDC_CLIENT, actor: None }
    }
}

/// Checks a token's audience and client. Doorward's own provider states which clients are first-party; tokens of other clients need
/// a scope of the API, or an operator who names the client. For another issuer the configured audiences and clients decide; without
/// any, only the well-known clients are accepted. A token in which a client acts for itself (`client_credentials`) is refused, unless
/// Doorward's own provider states that the client is a service account.
///
/// # Errors
/// Why it is refused.
pub fn check(claims: &Map<String, Value>, rules: &Rules) -> Result<(), Reason> {
    let Rules { audiences, authorized_parties, .. } = rules;
    if is_of_client_itself(claims) && !is_service_account(claims, rules) {
        return Err(Reason::UnknownUser);
    }
    if !audiences.is_empty() && !audiences.iter().any(|audience| is_meant_for(claims, audience)) {
        return Err(Reason::ForeignToken);
    }
    let is_named = is_named(claims, rules);
    if !authorized_parties.is_empty() && !is_named {
        return Err(Reason::ForeignToken);
    }
    let counts = match first_party(claims, rules)? {
        Some(true) => true,
        Some(false) => is_named || scope_tokens(claims).any(is_api_scope),
        None => is_named || !audiences.is_empty() || is_built_in(claims),
    };
    if counts { Ok(()) } else { Err(Reason::ForeignClient) }
}

/// What an operator does about a token that [`check`] refuses for its client.
pub fn remedy(rules: &Rules) -> &'static str {
    if rules.is_own {
        "its client is neither built in nor trusted, and the token has no scope of the API: set 'trusted: true' for the client, list scopes of the API in its registration, or name it in AUTH_BEARER_OIDC_AUTHORIZED_PARTIES (authorized_parties in the file)"
    } else {
        "the token names no client (azp, client_id), or one that is not built in: set AUTH_BEARER_OIDC_AUDIENCE to what its 'aud' holds, or AUTH_BEARER_OIDC_AUTHORIZED_PARTIES to its client; if the issuer is Doorward's own idp, name it in AUTH_BEARER_OIDC_OWN_ISSUERS"
    }
}

/// What Doorward's own provider states about the client. `None` for another issuer: there a client, or a user's own attributes, may
/// have filled the claim.
fn first_party(claims: &Map<String, Value>, rules: &Rules) -> Result<Option<bool>, Reason> {
    let Some(value) = claims.get(FIRST_PARTY).filter(|_| rules.is_own) else { return Ok(None) };
    value.as_bool().map(Some).ok_or(Reason::Malformed)
}

/// Whether the user has signed in at a client that the installation or its operator knows, and no actor acts for the user.
fn is_interactive(claims: &Map<String, Value>, rules: &Rules) -> bool {
    let signed_in = || claims.get("amr").and_then(Value::as_array).is_some_and(|methods| !methods.is_empty());
    let is_known = match first_party(claims, rules) {
        Ok(Some(true)) => signed_in(),
        Ok(Some(false)) => is_named(claims, rules),
        Ok(None) => is_named(claims, rules) || is_built_in(claims),
        Err(_) => false,
    };
    is_known && !claims.contains_key("act")
}

fn is_named(claims: &Map<String, Value>, rules: &Rules) -> bool {
    was_issued_to(claims, |client| rules.authorized_parties.iter().any(|party| party == client))
}

fn is_built_in(claims: &Map<String, Value>) -> bool {
    was_issued_to(claims, client_id::is_built_in)
}

/// Whether the subject is the client (`client_credentials`, RFC 9068 2.2 and 5). Its identifier may equal that of a user.
fn is_of_client_itself(claims: &Map<String, Value>) -> bool {
    let subject = claims.get("sub");
    subject.is_some() && CLIENT.iter().any(|name| claims.get(*name) == subject)
}

/// Whether Doorward's own provider states that the client, which acts for itself, is a service account
/// (`docs/security-requirements.md#i81`).
fn is_service_account(claims: &Map<String, Value>, rules: &Rules) -> bool {
    rules.is_own && is_of_client_itself(claims) && claims.get(SERVICE_ACCOUNT) == Some(&Value::Bool(true))
}

/// Whether the token names a client, and every claim that names one names an accepted one.
fn was_issued_to(claims: &Map<String, Value>, is_accepted: impl Fn(&str) -> bool) -> bool {
    let mut named = CLIENT.iter().filter_map(|name| claims.get(*name)).peekable();
    named.peek().is_some() && named.all(|client| client.as_str().is_some_and(&is_accepted))
}

/// Whether the token is of a grant that survives browser sign-out (`OpenID` Connect Core 11).
pub(crate) fn is_offline(claims: &Map<String, Value>) -> bool {
    scope_tokens(claims).any(|token| matches!(token, scope::OFFLINE_ACCESS | scope::OFFLINE))
}

/// Whether the token has any scope.
pub(crate) fn has_scope(claims: &Map<String, Value>) -> bool {
    scope_tokens(claims).next().is_some()
}

/// Whether the token is of a request of `OpenID` Connect: the userinfo endpoint of our own provider answers no other one.
pub(crate) fn asks_openid(claims: &Map<String, Value>) -> bool {
    scope_tokens(claims).any(|token| token == scope::OPENID)
}

/// The values of the scope: a space-separated string, or a list.
fn scope_tokens(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let texts = SCOPE.iter().filter_map(|name| claims.get(*name)).flat_map(|value| match value {
        Value::Array(entries) => entries.as_slice(),
        other => std::slice::from_ref(other),
    });
    texts.filter_map(Value::as_str).flat_map(str::split_ascii_whitespace)
}
