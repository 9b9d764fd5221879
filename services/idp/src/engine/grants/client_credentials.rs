//! `client_credentials` (RFC 6749 4.4): a client acts for itself.

#[cfg(test)]
mod tests;

use oidc::error::ErrorCode;
use oidc::scope::{OFFLINE, OFFLINE_ACCESS, OPENID, Scopes};

use crate::engine::clients::Client;
use crate::engine::dpop;
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::{Extra, TokenRequest};
use crate::engine::grants::token_response::TokenResponse;
use crate::model::{Grant, seconds};

/// Issues an access token whose subject is the client. The grant is stored nowhere.
pub(super) async fn issue(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    if !client_request.is_authenticated() {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client cannot prove who it is"));
    }
    let grant = Grant {
        id: provider.random.uuid(),
        layout: endpoints.layout,
        client: client_request.client.id.clone(),
        person: None,
        sign_in: None,
        scope: scope(request)?,
        claims: None,
        // no user's rights are used, so that it may name what every client may
        resources: targets(request, |target| provider.clients.may_target(&client_request.client, target))?,
        actor: None,
        limited: false,
    };
    let binding = dpop::binding(provider, endpoints, client_request).await?;
    let end = client_request.client.service_account.map(|account| seconds(account.end_of_token(now)));
    Ok(request.answer(&grant, None, Extra { binding: binding.as_ref(), end, ..Extra::default() }).await)
}

/// What the client asks for, without what only makes sense for a person. A client whose registration lists no scopes gets
/// none: here no user limits what it may. A service account that asks for nothing gets all that it may.
fn scope(request: &TokenRequest<'_>) -> Result<Scopes, OAuthError> {
    if request.client().service_account.is_some() && request.scope()?.is_none() {
        return Ok(request.client().scopes.clone().unwrap_or_default());
    }
    let Some(wanted) = request.scope()?.filter(|_| request.client().scopes.is_some()) else {
        return Ok(Scopes::default());
    };
    allowed(request.client(), &wanted)?;
    let of_people = [OPENID, OFFLINE_ACCESS, OFFLINE];
    let scope = Scopes::of(wanted.iter().filter(|token| !of_people.contains(token)));
    scope.map_err(|error| OAuthError::new(error.code(), error.to_string()))
}

/// Whether the client may ask for this at all.
pub(super) fn allowed(client: &Client, wanted: &Scopes) -> Result<(), OAuthError> {
    if wanted.iter().all(|scope| client.may_ask_for(scope)) {
        Ok(())
    } else {
        Err(OAuthError::new(ErrorCode::InvalidScope, "this client may not ask for that scope"))
    }
}

/// The further audiences of the token: those that `may_target` says, and the audiences of the client's registration.
///
/// # Errors
/// `invalid_target` for any other.
pub(super) fn targets(
    request: &TokenRequest<'_>,
    may_target: impl Fn(&str) -> bool,
) -> Result<Vec<String>, OAuthError> {
    let (client, form) = (request.client(), request.client_request.form);
    let mut targets: Vec<String> = Vec::new();
    for target in form.all("resource").chain(form.all("audience")).filter(|target| *target != client.id) {
        if !may_target(target) && !client.exchange.audiences.iter().any(|audience| audience == target) {
            return Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "this client may not ask for tokens for that target",
            ));
        }
        if !targets.iter().any(|known| known == target) {
            targets.push(target.to_owned());
        }
    }
    Ok(targets)
}
