//! The actor of an exchanged token (RFC 8693 4.1).

use authn::Actor;

use super::subject::Subject;
use super::token_type::{ACCESS_TOKEN, JWT};
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::TokenRequest;
use crate::engine::tokens::access_token::PresentedToken;

/// The claim `act` of the new token. With `actor_token` its subject is the actor, and the token has to be the client's own;
/// without it the client is the actor, unless it may impersonate. Former actors stay nested in the claim.
///
/// # Errors
/// `invalid_request` (row I27).
pub(super) fn actor(request: &TokenRequest<'_>, subject: &Subject) -> Result<Option<Actor>, OAuthError> {
    let form = &request.client_request.form;
    let (policy, before) = (&request.client().exchange, subject.grant.actor.clone());
    let who = match (form.get("actor_token"), form.get("actor_token_type")) {
        (Some(text), Some(ACCESS_TOKEN | JWT)) if policy.delegate => presented(request, text)?,
        (Some(_), Some(ACCESS_TOKEN | JWT)) => return Err(OAuthError::invalid("this client may not act for users")),
        (Some(_), _) => return Err(OAuthError::invalid("actor_token_type is none that is taken")),
        (None, Some(_)) => return Err(OAuthError::invalid("actor_token is missing")),
        (None, None) if policy.impersonate => return Ok(before),
        (None, None) => request.client().id.clone(),
    };
    chain(who, before).map(Some).ok_or_else(|| OAuthError::invalid("too many act for one another"))
}

fn presented(request: &TokenRequest<'_>, text: &str) -> Result<String, OAuthError> {
    let actor = PresentedToken::verify(request.provider, request.endpoints, text);
    let own = actor.filter(|actor| actor.grant.client == request.client().id && actor.binding.is_none());
    let own = own.ok_or_else(|| OAuthError::invalid("actor_token is not valid, or not this client's"))?;
    Ok(own.grant.person.unwrap_or(own.grant.client))
}

/// Nests the former actors in a new one; `None` if they would be too many.
fn chain(who: String, before: Option<Actor>) -> Option<Actor> {
    let who = Actor::from(who);
    match before {
        Some(before) => who.nested_in(before).ok(),
        None => Some(who),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn i27_the_chain_is_kept_and_ends_at_its_bound() {
        let mut act = None;
        for who in ["a", "b", "c", "d"] {
            act = chain(who.to_owned(), act);
        }
        let whole = json!({"sub": "d", "act": {"sub": "c", "act": {"sub": "b", "act": {"sub": "a"}}}});
        assert_eq!(serde_json::to_value(&act).expect("is written"), whole);
        assert_eq!(chain("e".to_owned(), act), None);
    }
}
