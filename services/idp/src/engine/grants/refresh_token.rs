//! `refresh_token` (RFC 6749 6, RFC 9700 4.14).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use authn::User;
use oidc::error::ErrorCode;

use crate::engine::accounts::{self, AccountStatus};
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::{CUT_OFF, Extra, TokenRequest};
use crate::engine::grants::token_response::TokenResponse;
use crate::engine::tokens::refresh_token::RefreshToken;
use crate::engine::{dpop, termination};
use crate::model::{Binding, Family, Grant, loses_api_scopes, seconds};
use crate::store::Rotation;

const EVENT: &str = "refresh";

/// Uses a refresh token. Everything is checked before, so that a request that is refused uses nothing up.
pub(super) async fn refresh(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let presented = RefreshToken::read(&provider.sealer, client_request.form.need("refresh_token")?);
    let presented = presented.ok_or_else(|| request.refuse_grant(EVENT, "no token of ours"))?;
    let family = provider.store.family(presented.grant, now).await?;
    let family = family.ok_or_else(|| request.refuse_grant(EVENT, "revoked or over"))?;
    if family.grant.client != client_request.client.id || family.grant.layout != endpoints.layout {
        return Err(request.refuse_grant(EVENT, "another client's"));
    }
    // one that began while everything before was being ended
    if provider.revocations.cuts_off_grant(&family.grant, seconds(family.created)) {
        return Err(request.refuse_grant(EVENT, CUT_OFF));
    }
    let binding = dpop::binding(provider, endpoints, client_request).await?;
    check_key(request, &family, binding.as_ref())?;
    let grant = narrowed(request, &family.grant)?;
    let user = person(request, &family).await?;
    let family = renew(request, presented, &family).await?;
    let next = RefreshToken { grant: family.grant.id, generation: family.generation };
    let refresh_token = Some(next.write(&provider.sealer));
    let extra = Extra { binding: binding.as_ref(), refresh_token, id_token: true, ..Extra::default() };
    Ok(request.answer(&grant, Some(&user), extra).await)
}

/// The tokens of a public client stay with its key; a client that proves who it is may take another one, but not none
/// (RFC 9449 5, RFC 8705 4).
fn check_key(request: &TokenRequest<'_>, family: &Family, binding: Option<&Binding>) -> Result<(), OAuthError> {
    let fits = match &family.binding {
        None => true,
        bound if request.client().is_public() => bound.as_ref() == binding,
        Some(_) => binding.is_some(),
    };
    if fits { Ok(()) } else { Err(request.refuse_grant(EVENT, "another key")) }
}

/// What the access token is for: what was granted, or less (row I13). The family keeps what was granted.
fn narrowed(request: &TokenRequest<'_>, granted: &Grant) -> Result<Grant, OAuthError> {
    let mut grant = granted.clone();
    if let Some(wanted) = request.scope()? {
        if !wanted.is_subset(&granted.scope) {
            return Err(OAuthError::new(ErrorCode::InvalidScope, "scope is more than was granted"));
        }
        grant.limited |= loses_api_scopes(&granted.scope, &wanted);
        grant.scope = wanted;
    }
    request.narrow_to_registration(&mut grant);
    // without that scope nothing would tell that these tokens outlive the session
    if let Some(sign_in) = grant.sign_in.as_mut().filter(|_| !grant.scope.asks_offline()) {
        sign_in.session = None;
    }
    request.narrow_resources(&mut grant)?;
    Ok(grant)
}

/// The user, as the directory knows the account now. For an ineligible user the family ends.
async fn person(request: &TokenRequest<'_>, family: &Family) -> Result<Arc<User>, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let reason = match accounts::of_grant(provider, &client_request.client, &family.grant).await? {
        Some(AccountStatus::Active(user)) => return Ok(user),
        Some(AccountStatus::Ineligible(reason)) => reason.reason(),
        None => "the grant has no user",
    };
    termination::revoke_grant(provider, endpoints, &client_request.client, family.grant.id, now).await?;
    Err(request.refuse_grant(EVENT, reason))
}

/// The family after this use: at its next token, or at the same one for a client that follows FAPI 2.0, whose tokens are bound to
/// a key (Security Profile 5.3.2.1).
async fn renew(
    request: &TokenRequest<'_>,
    presented: RefreshToken,
    family: &Family,
) -> Result<Box<Family>, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let lifetimes = provider.config.lifetimes.of(endpoints.layout, &client_request.client.lifetimes);
    let idle_end = family.end.min(now + lifetimes.refresh_token);
    let until = termination::remembered_until(provider, endpoints, &client_request.client, now);
    let RefreshToken { grant, generation } = presented;
    let outcome = if client_request.client.is_fapi2() {
        provider.store.renew(grant, generation, now, idle_end, until).await?
    } else {
        let grace = provider.config.lifetimes.refresh_grace;
        provider.store.rotate(grant, generation, now, grace, idle_end, until).await?
    };
    match outcome {
        Rotation::Rotated(family) | Rotation::Repeated(family) => Ok(family),
        Rotation::Reused => Err(request.refuse_grant(EVENT, "used before: its family is revoked")),
        Rotation::Gone => Err(request.refuse_grant(EVENT, "revoked or over")),
    }
}
