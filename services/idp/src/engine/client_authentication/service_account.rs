//! Service accounts that authenticate as clients.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use authn::{AuthError, Caller, Credentials, UserType, causes};
use oidc::error::ErrorCode;
use secrecy::ExposeSecret;
use status::Kind;

use super::claimed::{Claimed, Proof};
use crate::engine::clients::{AuthMethod, Client};
use crate::engine::error::OAuthError;
use crate::engine::proofs::Proofs;
use crate::engine::provider::Provider;

/// The client that the service account with this identifier is, if the secret is the account's (`docs/security-requirements.md#i81`).
///
/// # Errors
/// `invalid_client`, alike for every reason, and `temporarily_unavailable` if auth-service gives no verdict.
pub(super) async fn authenticate(
    provider: &Provider,
    claimed: &Claimed<'_>,
    proofs: &Proofs<'_>,
) -> Result<(Arc<Client>, AuthMethod), OAuthError> {
    let refuse = |reason: &'static str| OAuthError::client().audited("client", reason, &claimed.id);
    let unknown = || refuse("unknown client");
    let accounts = provider.service_accounts.as_ref().ok_or_else(unknown)?;
    let Proof::Secret(secret) = &claimed.proof else { return Err(unknown()) };
    // to auth-service an empty secret would mean a certificate
    if secret.expose_secret().is_empty() {
        return Err(unknown());
    }
    let caller = proofs.caller.map(without_certificate).unwrap_or_default();
    let credentials = Credentials { client_id: claimed.id.clone(), secret: secret.clone(), caller };
    let account = accounts.authenticate(&credentials).await.map_err(|error| failed(&error, refuse))?;
    let id = &account.user.id;
    if id.kind != UserType::Service || id.opaque_id != claimed.id {
        return Err(refuse("not the service account"));
    }
    let client = provider.clients.of_service_account(&account).map_err(|_| refuse("the account cannot be a client"))?;
    Ok((Arc::new(client), AuthMethod::SecretBasic))
}

/// The circumstances of the request, without what its connection proves: a certificate that a client has shown here was not verified by
/// the authority that services trust.
fn without_certificate(caller: &Caller) -> Caller {
    Caller {
        source: caller.source,
        trace_id: caller.trace_id.clone(),
        user_agent: caller.user_agent.clone(),
        ..Caller::default()
    }
}

fn failed(error: &AuthError, refuse: impl Fn(&'static str) -> OAuthError) -> OAuthError {
    match error.kind() {
        Kind::ResourceExhausted | Kind::Unavailable | Kind::DeadlineExceeded => {
            tracing::warn!(%error, cause = causes(error), "a service account could not be verified");
            OAuthError::new(ErrorCode::TemporarilyUnavailable, "try again later")
        }
        Kind::Internal => OAuthError::fault(error),
        _ => refuse(error.reason()),
    }
}
