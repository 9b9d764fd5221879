//! `authorization_code` (RFC 6749 4.1.3).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use authn::User;
use oidc::pkce::{self, Challenge};

use crate::engine::accounts::{self, AccountStatus};
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::{Extra, TokenRequest};
use crate::engine::grants::token_response::TokenResponse;
use crate::engine::tokens::refresh_token::{self, RefreshToken};
use crate::engine::{dpop, termination};
use crate::model::{Binding, Code, seconds};
use crate::seal::Purpose;
use crate::store::Redeemed;

const EVENT: &str = "code";

/// Redeems a code: everything is checked that costs nothing, then the user is looked up, and only then is it used up.
pub(super) async fn redeem(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let mut code = read(request).await?;
    if code.grant.client != client_request.client.id {
        // the code was stolen, so that it is used up (row I9)
        use_up(request, &code).await?;
        return Err(request.refuse_grant(EVENT, "another client's"));
    }
    check(request, &code)?;
    let binding = dpop::binding(provider, endpoints, client_request).await?;
    check_key(request, &code, binding.as_ref())?;
    let user = person(request, &code).await?;
    let family = refresh_token::family(provider, endpoints, &client_request.client, &code.grant, binding.as_ref(), now);
    request.narrow_to_registration(&mut code.grant);
    request.narrow_resources(&mut code.grant)?;
    let until = termination::remembered_until(provider, endpoints, &client_request.client, now);
    let redeemed = provider.store.redeem_code(code.grant.id, until, family.as_ref(), now, until).await?;
    if redeemed == Redeemed::Again {
        return Err(request.refuse_grant(EVENT, "used before: its grant is revoked"));
    }
    let token = RefreshToken { grant: code.grant.id, generation: 0 };
    let refresh_token = family.map(|_| token.write(&provider.sealer));
    let (binding, nonce) = (binding.as_ref(), code.nonce.as_deref());
    let extra = Extra { binding, refresh_token, id_token: true, nonce, event: Some(EVENT), ..Extra::default() };
    Ok(request.answer(&code.grant, Some(&user), extra).await)
}

/// Opens the code. What was not sealed here, at this issuer, is no code; nor is one that has ended, or whose user has signed
/// out everywhere or taken back the consent since. Replaying an expired code revokes the tokens issued from it.
async fn read(request: &TokenRequest<'_>) -> Result<Code, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let text = client_request.form.need("code")?;
    let code: Option<Code> = provider.sealer.open(Purpose::Code, text).ok();
    let code = code.filter(|code| code.grant.layout == endpoints.layout);
    let code = code.ok_or_else(|| request.refuse_grant(EVENT, "no code of ours"))?;
    let life = provider.config.lifetimes.of(endpoints.layout, &client_request.client.lifetimes).code.as_secs();
    let issued = code.issued.unwrap_or_else(|| code.expires.saturating_sub(life));
    // a lifetime that was shortened meanwhile counts, as that of a client that follows FAPI 2.0 by now
    let is_own = code.grant.client == client_request.client.id;
    let end = if is_own { code.expires.min(issued.saturating_add(life)) } else { code.expires };
    if end <= seconds(now) {
        let until = termination::remembered_until(provider, endpoints, &client_request.client, now);
        let was_redeemed = provider.store.replay_code(code.grant.id, until, now).await?;
        let reason = if was_redeemed { "used before, and expired: its grant is revoked" } else { "expired" };
        return Err(request.refuse_grant(EVENT, reason));
    }
    request.check_cutoff(EVENT, &code.grant, issued).await?;
    Ok(code)
}

/// Whether the request is by the sender of the authorization request.
fn check(request: &TokenRequest<'_>, code: &Code) -> Result<(), OAuthError> {
    let form = &request.client_request.form;
    let redirect_fits = match form.get("redirect_uri") {
        Some(named) => named == code.redirect_uri,
        None => !code.redirect_was_named,
    };
    if !redirect_fits {
        return Err(request.refuse_grant(EVENT, "redirect_uri"));
    }
    let challenge = match &code.challenge {
        Some((challenge, method)) => Challenge::read(Some(challenge), Some(method)),
        None => Ok(None),
    };
    let verified = challenge.and_then(|challenge| pkce::verify(challenge.as_ref(), form.get("code_verifier")));
    // a wrong verifier is named, since developers most often get this wrong
    verified.map_err(|error| OAuthError::grant(error.to_string()).audited(EVENT, "code_verifier", &request.client().id))
}

/// Whether the key is the one that the authorization request has named (RFC 9449 10).
fn check_key(request: &TokenRequest<'_>, code: &Code, binding: Option<&Binding>) -> Result<(), OAuthError> {
    let fits = match (&code.dpop_jkt, binding) {
        (None, _) => true,
        (Some(wanted), Some(Binding::Dpop(jkt))) => wanted == jkt,
        (Some(_), _) => false,
    };
    if fits { Ok(()) } else { Err(request.refuse_grant(EVENT, "DPoP key")) }
}

/// The user, as the directory knows the account now. For an ineligible user the code is used up.
async fn person(request: &TokenRequest<'_>, code: &Code) -> Result<Arc<User>, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let reason = match accounts::of_grant(provider, &client_request.client, &code.grant).await? {
        Some(AccountStatus::Active(user)) => return Ok(user),
        Some(AccountStatus::Ineligible(reason)) => reason.reason(),
        None => "the grant has no user",
    };
    use_up(request, code).await?;
    termination::revoke_grant(provider, endpoints, &client_request.client, code.grant.id, now).await?;
    Err(request.refuse_grant(EVENT, reason))
}

async fn use_up(request: &TokenRequest<'_>, code: &Code) -> Result<(), OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let until = termination::remembered_until(provider, endpoints, &client_request.client, now);
    provider.store.redeem_code(code.grant.id, until, None, now, until).await?;
    Ok(())
}
