//! `urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 3.4).

#[cfg(test)]
mod tests;

use oidc::error::ErrorCode;

use crate::engine::accounts::{self, AccountStatus};
use crate::engine::device::approval::Approval;
use crate::engine::dpop;
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::{Extra, TokenRequest};
use crate::engine::grants::token_response::TokenResponse;
use crate::engine::tokens::refresh_token::{self, RefreshToken};
use crate::model::Grant;
use crate::store::Poll;

const EVENT: &str = "device";

/// Answers a device that polls for the decision of the user.
pub(super) async fn poll(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { provider, endpoints, client_request, now } = *request;
    let code = client_request.form.need("device_code")?;
    let code = crypto::fingerprint(code.as_bytes());
    let binding = dpop::binding(provider, endpoints, client_request).await?;
    let mut grant = match provider.store.poll_device(code, &client_request.client.id, now).await? {
        Poll::Approved(approval) => read(request, &approval).await?,
        Poll::Pending => return Err(OAuthError::new(ErrorCode::AuthorizationPending, "the user has not decided yet")),
        Poll::SlowDown => return Err(OAuthError::new(ErrorCode::SlowDown, "poll five seconds less often")),
        Poll::Denied => return Err(OAuthError::new(ErrorCode::AccessDenied, "the user has refused")),
        Poll::Expired => return Err(OAuthError::new(ErrorCode::ExpiredToken, "begin again")),
        Poll::Unknown => return Err(request.refuse_grant(EVENT, "unknown")),
    };
    let user = match accounts::of_grant(provider, &client_request.client, &grant).await? {
        Some(AccountStatus::Active(user)) => user,
        Some(AccountStatus::Ineligible(reason)) => return Err(request.refuse_grant(EVENT, reason.reason())),
        None => return Err(request.refuse_grant(EVENT, "the grant has no user")),
    };
    let family = refresh_token::family(provider, endpoints, &client_request.client, &grant, binding.as_ref(), now);
    if let Some(family) = &family {
        provider.store.begin_family(family).await?;
    }
    let token = RefreshToken { grant: grant.id, generation: 0 };
    let refresh_token = family.map(|_| token.write(&provider.sealer));
    let extra =
        Extra { binding: binding.as_ref(), refresh_token, id_token: true, event: Some(EVENT), ..Extra::default() };
    request.narrow_to_registration(&mut grant);
    Ok(request.answer(&grant, Some(&user), extra).await)
}

/// What the person has granted, as it was written where that was decided.
async fn read(request: &TokenRequest<'_>, approval: &str) -> Result<Grant, OAuthError> {
    let Approval { grant, decided } = serde_json::from_str(approval).map_err(|error| OAuthError::fault(&error))?;
    if grant.client != request.client().id || grant.layout != request.endpoints.layout {
        return Err(request.refuse_grant(EVENT, "another client's"));
    }
    request.check_cutoff(EVENT, &grant, decided).await?;
    Ok(grant)
}
