//! `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 2.1): a client requests a token for the user of an assertion.

#[cfg(test)]
mod tests;

use authn::Actor;
use oidc::assertion::Grant as Assertion;
use oidc::error::ErrorCode;

use super::client_credentials::{allowed, targets};
use crate::engine::accounts::{self, AccountStatus};
use crate::engine::client_request::ClientRequest;
use crate::engine::clients::{AuthMethod, Client, GrantType};
use crate::engine::dpop;
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::{Extra, TokenRequest};
use crate::engine::grants::token_response::TokenResponse;
use crate::engine::replay_guard::{self, Kind};
use crate::model::{Grant, SignIn, seconds};

const EVENT: &str = "jwt-bearer";

/// Issues an access token for a user whom a trusted client names.
pub(super) async fn issue(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    if is_of_workload(client_request) {
        return super::client_credentials::issue(request).await;
    }
    if !client_request.is_authenticated() || !may_issue_assertions(&client_request.client) {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client may not act on behalf of users"));
    }
    let refuse = |reason| request.refuse_grant(EVENT, reason);
    let assertion = Assertion::read(client_request.form.need("assertion")?).map_err(|_| refuse("malformed"))?;
    verify(request, &assertion).await?;
    let scope = request.scope()?.unwrap_or_default();
    allowed(&client_request.client, &scope)?;
    // the user has not granted what every client may ask a user for
    let resources = targets(request, |target| client_request.client.may_target(target))?;
    let binding = dpop::binding(provider, endpoints, client_request).await?;
    let user = match accounts::find(provider, &client_request.client, assertion.subject()).await? {
        AccountStatus::Active(user) => user,
        AccountStatus::Ineligible(reason) => return Err(refuse(reason.reason())),
    };
    use_up(request, &assertion).await?;
    let grant = Grant {
        id: provider.random.uuid(),
        layout: endpoints.layout,
        client: client_request.client.id.clone(),
        person: Some(user.id.opaque_id.clone()),
        // the assertion replaces a sign-in of the user
        sign_in: Some(SignIn { session: None, at: seconds(now), amr: Vec::new(), acr: "0".to_owned() }),
        scope,
        claims: None,
        resources,
        // the client acts for the user, who has not signed in (RFC 8693 4.1)
        actor: Some(Actor::from(client_request.client.id.as_str())),
        limited: false,
    };
    Ok(request
        .answer(&grant, Some(&user), Extra { binding: binding.as_ref(), event: Some(EVENT), ..Extra::default() })
        .await)
}

/// Whether the assertion is the token by which a workload has proved who it is: it asks for a token for itself.
fn is_of_workload(request: &ClientRequest<'_>) -> bool {
    let is_workload = matches!(request.method, AuthMethod::SpiffeJwt | AuthMethod::WorkloadJwt);
    is_workload && request.form.get("client_assertion").is_none()
}

fn may_issue_assertions(client: &Client) -> bool {
    client.exchange.impersonate && client.may(GrantType::JwtBearer)
}

/// Checks the audience, times and signature of the assertion. Its issuer is the client itself, or another one that may make
/// assertions about users.
pub(super) async fn verify(request: &TokenRequest<'_>, assertion: &Assertion<'_>) -> Result<(), OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let refuse = |reason| request.refuse_grant(EVENT, reason);
    let audiences = [endpoints.issuer.as_str(), &endpoints.url(endpoints.paths.token)];
    assertion.check(&audiences, now).map_err(|_| refuse("not for here, or not now"))?;
    let issuer = if assertion.issuer() == client_request.client.id {
        client_request.client.clone()
    } else {
        provider.clients.find(assertion.issuer()).await?.ok_or_else(|| refuse("unknown issuer"))?
    };
    if !may_issue_assertions(&issuer) {
        return Err(refuse("issuer may not make assertions about users"));
    }
    let verified = provider.clients.verifies(&issuer, |keys| assertion.verify(keys).is_ok()).await;
    if verified.map_err(|_| refuse("no key"))? { Ok(()) } else { Err(refuse("signature")) }
}

/// Consumes the `jti`. Without one an assertion could be replayed.
pub(super) async fn use_up(request: &TokenRequest<'_>, assertion: &Assertion<'_>) -> Result<(), OAuthError> {
    let jti = assertion.jti().ok_or_else(|| request.refuse_grant(EVENT, "no jti"))?;
    let (kind, forget_at) = (Kind::GrantAssertion, assertion.forget_at());
    let first = replay_guard::first_time(request.provider, kind, assertion.issuer(), jti, forget_at).await?;
    if first { Ok(()) } else { Err(request.refuse_grant(EVENT, "used before")) }
}
