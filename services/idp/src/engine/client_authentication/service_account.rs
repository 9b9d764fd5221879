//! Service accounts that authenticate as clients.

mod attempts;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use ::workload::Workloads;
use authn::{AuthError, Caller, Credentials, UserType, causes};
use oidc::error::ErrorCode;
use secrecy::{ExposeSecret, SecretString};
use status::Kind;

use self::attempts::Attempt;
use super::claimed::{Claimed, Proof};
use super::workload::{self, TOO_LONG};
use crate::endpoints::IssuerEndpoints;
use crate::engine::clients::{AuthMethod, Client};
use crate::engine::error::OAuthError;
use crate::engine::form::Form;
use crate::engine::proofs::Proofs;
use crate::engine::provider::Provider;

/// Why a request whose proof no service account has is refused; for the audit log.
const UNKNOWN: &str = "unknown client";

/// The client that the service account with this identifier is, if the secret is the account's, or the token that of a workload which
/// auth-service knows as the account (`docs/security-requirements.md#i81`).
///
/// # Errors
/// `invalid_client`, alike for every reason, and `temporarily_unavailable` if auth-service gives no verdict.
pub(super) async fn authenticate(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    (claimed, form): (&Claimed<'_>, &Form),
    proofs: &Proofs<'_>,
) -> Result<(Arc<Client>, AuthMethod), OAuthError> {
    let refuse = |reason: &'static str| OAuthError::client().audited("client", reason, &claimed.id);
    let accounts = provider.service_accounts.as_ref().ok_or_else(|| refuse(UNKNOWN))?;
    let (secret, method) = shown(&endpoints.issuer, provider.clock.now(), claimed, form).map_err(refuse)?;
    let caller = proofs.caller.map(without_certificate).unwrap_or_default();
    let Some(attempt) = Attempt::begin(provider, caller.source, &claimed.id).await? else {
        let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, "too many wrong credentials: try again later");
        return Err(error.audited("client", "throttled", &claimed.id));
    };
    let credentials = Credentials { client_id: claimed.id.clone(), secret, caller };
    let verdict = accounts.authenticate(&credentials).await;
    if verdict.as_ref().err().is_none_or(|error| is_no_verdict(error.kind())) {
        attempt.forgive().await;
    }
    let account = verdict.map_err(|error| failed(&error, refuse))?;
    let id = &account.user.id;
    if id.kind != UserType::Service || id.opaque_id != claimed.id {
        return Err(refuse("not the service account"));
    }
    let client = provider.clients.of_service_account(&account).map_err(|_| refuse("the account cannot be a client"))?;
    Ok((Arc::new(client), method))
}

/// What auth-service is asked about: a secret, or a token of a workload for this issuer. One for another audience, or with a late end, which
/// auth-service may accept for the gateway, is not passed on, whatever it is sent as; nor is an empty secret, which would mean a certificate.
///
/// # Errors
/// The reason for the audit log.
fn shown(
    issuer: &str,
    now: SystemTime,
    claimed: &Claimed<'_>,
    form: &Form,
) -> Result<(SecretString, AuthMethod), &'static str> {
    let token = match &claimed.proof {
        Proof::Secret(secret) => {
            let text = secret.expose_secret();
            let is_secret = !text.is_empty() && !Workloads::is_token(text);
            return if is_secret { Ok((secret.clone(), AuthMethod::SecretBasic)) } else { Err(UNKNOWN) };
        }
        // each kind of token has an assertion type of its own
        Proof::Workload { token, is_svid } if *is_svid == workload::is_svid(token) => *token,
        Proof::Nothing => workload::of_grant(form).ok_or(UNKNOWN)?,
        Proof::Workload { .. } | Proof::Assertion(_) => return Err(UNKNOWN),
    };
    if !workload::is_for(token, issuer) {
        return Err(UNKNOWN);
    }
    if workload::is_valid_for_too_long(token, now) {
        Err(TOO_LONG)
    } else {
        Ok((token.into(), AuthMethod::WorkloadJwt))
    }
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

/// Whether such a failure says nothing about the credentials.
fn is_no_verdict(kind: Kind) -> bool {
    matches!(kind, Kind::ResourceExhausted | Kind::Unavailable | Kind::DeadlineExceeded | Kind::Internal)
}

fn failed(error: &AuthError, refuse: impl Fn(&'static str) -> OAuthError) -> OAuthError {
    match error.kind() {
        Kind::Internal => OAuthError::fault(error),
        kind if is_no_verdict(kind) => {
            tracing::warn!(%error, cause = causes(error), "a service account could not be verified");
            OAuthError::new(ErrorCode::TemporarilyUnavailable, "try again later")
        }
        _ => refuse(error.reason()),
    }
}
