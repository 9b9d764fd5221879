//! `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): a token for another one, with less scope or for another party.

mod actor;
mod subject;
mod token_type;
mod transaction;

#[cfg(test)]
mod tests;

use oidc::error::ErrorCode;
use oidc::scope::Scopes;

use self::subject::{EVENT, Subject};
use self::token_type::{ACCESS_TOKEN, JWT};
use super::client_credentials::targets;
use crate::engine::accounts::{self, AccountStatus};
use crate::engine::clients::TokenFormat;
use crate::engine::dpop;
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::{Extra, TokenRequest};
use crate::engine::grants::token_response::TokenResponse;
use crate::model::{Grant, SignIn, loses_api_scopes};

/// Exchanges a token. The new one is of the same grant, so that it is revoked with it; it never says more than the old one,
/// never acts as the whole user where the old one did not, and never lives longer.
pub(super) async fn exchange(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    if let Some(transactions) = transaction::requested(request) {
        return transaction::issue(request, transactions).await;
    }
    let TokenRequest { provider, endpoints, client_request, .. } = *request;
    let policy = &client_request.client.exchange;
    if !client_request.is_authenticated() || !(policy.impersonate || policy.delegate) {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client may not exchange tokens"));
    }
    let issued_token_type = wanted_type(request)?;
    let subject = Subject::read(request)?;
    let actor = actor::actor(request, &subject)?;
    let scope = narrowed(request, &subject)?;
    // the user has not granted what every client may ask a user for (row I27)
    let resources = targets(request, |target| client_request.client.may_target(target))?;
    let binding = dpop::binding(provider, endpoints, client_request).await?;
    let Subject { grant, expires } = subject;
    let is_wider = loses_api_scopes(&grant.scope, &scope);
    let limited = grant.limited || is_wider || !is_first_party(request, &grant.client).await?;
    // the user has signed in at another client, and does not handle this token: app tokens are not made with it
    let sign_in = grant.sign_in.map(|sign_in| SignIn { amr: Vec::new(), ..sign_in });
    let client = client_request.client.id.clone();
    let grant = Grant { client, sign_in, scope, resources, actor, limited, claims: None, ..grant };
    let user = match accounts::of_grant(provider, &client_request.client, &grant).await? {
        Some(AccountStatus::Active(user)) => user,
        Some(AccountStatus::Ineligible(reason)) => return Err(request.refuse_grant(EVENT, reason.reason())),
        None => return Err(request.refuse_grant(EVENT, "the grant has no user")),
    };
    let extra = Extra {
        binding: binding.as_ref(),
        end: Some(expires),
        issued_token_type: Some(issued_token_type),
        event: Some(EVENT),
        ..Extra::default()
    };
    Ok(request.answer(&grant, Some(&user), extra).await)
}

/// Whether the client that a token was issued to is one of the installation's own; one that is gone is not.
async fn is_first_party(request: &TokenRequest<'_>, client: &str) -> Result<bool, OAuthError> {
    if client == request.client().id {
        return Ok(request.client().is_first_party());
    }
    let found = request.provider.clients.find(client).await?;
    Ok(found.is_some_and(|client| client.is_first_party()))
}

/// Only access tokens are issued; as a JWT if that is what the client's are.
fn wanted_type(request: &TokenRequest<'_>) -> Result<&'static str, OAuthError> {
    match request.client_request.form.get("requested_token_type") {
        None | Some(ACCESS_TOKEN) => Ok(ACCESS_TOKEN),
        Some(JWT) if request.client().format == TokenFormat::Jwt => Ok(JWT),
        Some(_) => Err(OAuthError::invalid("requested_token_type is none that is issued")),
    }
}

/// The scope of the new token: part of the old one's (row I27), and nothing that the client could not ask for itself.
fn narrowed(request: &TokenRequest<'_>, subject: &Subject) -> Result<Scopes, OAuthError> {
    let may = |token: &str| request.client().may_ask_for(token);
    let Some(wanted) = request.scope()? else {
        let scope = Scopes::of(subject.grant.scope.iter().filter(|token| may(token)));
        return scope.map_err(|error| OAuthError::new(error.code(), error.to_string()));
    };
    if wanted.is_subset(&subject.grant.scope) && wanted.iter().all(may) {
        Ok(wanted)
    } else {
        Err(OAuthError::new(ErrorCode::InvalidScope, "scope is more than that of the token"))
    }
}
