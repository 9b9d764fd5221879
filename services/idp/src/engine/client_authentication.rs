//! Client authentication (RFC 6749 2.3, RFC 7523 2.2, RFC 8705 2.1, `OpenID` Connect Core 9).

mod basic;
mod claimed;
mod secret;
mod service_account;
mod workload;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use oidc::assertion::{Assertion, AssertionError};
use secrecy::{ExposeSecret, SecretString};
use store::StoreError;

use self::claimed::{Claimed, Proof};
use super::certificate;
use super::clients::{AuthMethod, Client};
use super::error::OAuthError;
use super::form::Form;
use super::proofs::Proofs;
use super::provider::Provider;
use super::replay_guard::{self, Kind};
use crate::endpoints::IssuerEndpoints;
use crate::seal::Purpose;

/// Finds out which client a request is from. `path` is that of the endpoint which was called.
///
/// # Errors
/// `invalid_request` where two methods are used at once; `invalid_client` for every other reason, all alike.
pub(crate) async fn authenticate(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    (form, proofs): (&Form, &Proofs<'_>),
    path: &str,
) -> Result<(Arc<Client>, AuthMethod), OAuthError> {
    let claimed = Claimed::read(proofs.authorization, form)?;
    let refuse = |reason: &'static str| OAuthError::client().audited("client", reason, &claimed.id);
    let found = if path == endpoints.paths.pushed {
        provider.clients.find_to_authorize(&claimed.id).await?
    } else {
        provider.clients.find_to_authenticate(&claimed.id).await?
    };
    let Some(client) = found else {
        // a service account gets its own tokens, and revokes them
        let is_for_accounts = [endpoints.paths.token, endpoints.paths.revocation].contains(&path);
        if !is_for_accounts {
            return Err(refuse("unknown client"));
        }
        return service_account::authenticate(provider, endpoints, (&claimed, form), proofs).await;
    };
    let proved = match (&claimed.proof, client.auth) {
        (Proof::Nothing, AuthMethod::None) => true,
        // programs that cannot keep a secret send an empty one, or one that is public
        (Proof::Secret(secret), AuthMethod::None) => {
            secret.expose_secret().is_empty() || fits(provider, &client, secret)
        }
        (Proof::Secret(secret), AuthMethod::SecretBasic | AuthMethod::SecretPost) => fits(provider, &client, secret),
        (Proof::Assertion(assertion), AuthMethod::SecretJwt | AuthMethod::PrivateKeyJwt) => {
            let (token, endpoint) = (endpoints.url(endpoints.paths.token), endpoints.url(path));
            let called = proofs.url(endpoints, path);
            let audiences = [endpoints.issuer.as_str(), &token, &endpoint, &called];
            let checked = check(provider, endpoints, &client, assertion, &audiences).await?;
            checked.map_err(refuse)?;
            true
        }
        (Proof::Nothing, AuthMethod::TlsClient | AuthMethod::SelfSignedTlsClient) => {
            certificate::proves(provider, &client, proofs.certificate).await
        }
        // each method has an assertion type of its own
        (Proof::Workload { token, is_svid: true }, AuthMethod::SpiffeJwt)
        | (Proof::Workload { token, is_svid: false }, AuthMethod::WorkloadJwt) => {
            workload::check(provider, endpoints, &client, (*token, proofs)).await?.map_err(refuse)?;
            true
        }
        (Proof::Nothing, AuthMethod::SpiffeJwt | AuthMethod::WorkloadJwt) if path == endpoints.paths.token => {
            by_grant(provider, endpoints, &client, (form, proofs)).await?
        }
        (Proof::Nothing | Proof::Secret(_) | Proof::Assertion(_) | Proof::Workload { .. }, _) => false,
    };
    if !proved {
        return Err(refuse("not proved"));
    }
    let method = client.auth;
    Ok((client, method))
}

/// Lets the client assertion of a request be used once more, which the client has to repeat with a nonce (RFC 9449 8) and may repeat
/// otherwise unchanged. The client has proved by it who it is, so that no other request has been accepted with it.
pub(crate) async fn release(
    provider: &Provider,
    (client, method): (&Client, AuthMethod),
    form: &Form,
) -> Result<(), StoreError> {
    if !matches!(method, AuthMethod::SecretJwt | AuthMethod::PrivateKeyJwt) {
        return Ok(());
    }
    let sent = form.get("client_assertion_type").zip(form.get("client_assertion"));
    let Some(Ok(assertion)) = sent.map(|(kind, text)| Assertion::read(kind, text)) else { return Ok(()) };
    replay_guard::forget(provider, Kind::ClientAssertion, &client.id, assertion.jti()).await
}

/// Whether the assertion of a grant (RFC 7523 2.1) proves who the client is.
///
/// # Errors
/// `invalid_grant` where it does not, and `temporarily_unavailable`.
async fn by_grant(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Client,
    (form, proofs): (&Form, &Proofs<'_>),
) -> Result<bool, OAuthError> {
    let Some(token) = workload::of_grant(form) else { return Ok(false) };
    let checked = workload::check(provider, endpoints, client, (token, proofs)).await?;
    let refuse = |reason| OAuthError::grant("the assertion is not valid here").audited("client", reason, &client.id);
    checked.map(|()| true).map_err(refuse)
}

fn fits(provider: &Provider, client: &Client, secret: &SecretString) -> bool {
    secret::is_live(&client.secrets, secret.expose_secret().as_bytes(), provider.clock.now())
}

/// Checks an assertion; the reason why it is no good is for the audit log.
async fn check(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Client,
    assertion: &Assertion<'_>,
    audiences: &[&str],
) -> Result<Result<(), &'static str>, OAuthError> {
    let now = provider.clock.now();
    let registered = client.signatures.assertion;
    let is_theirs = assertion.algorithm().is_some_and(|algorithm| client.may_sign_with(algorithm, registered));
    let checked = if client.is_fapi2() {
        assertion.check_for_issuer(&endpoints.issuer, now)
    } else {
        assertion.check(audiences, now)
    };
    if !is_theirs || checked.is_err() {
        return Ok(Err("assertion is not for here, not now, or of another algorithm"));
    }
    let is_verified = match client.auth {
        AuthMethod::SecretJwt => by_secret(provider, client, assertion).is_ok(),
        _ => provider.clients.verifies(client, |keys| assertion.verify(keys).is_ok()).await.unwrap_or(false),
    };
    if !is_verified {
        return Ok(Err("signature of the assertion"));
    }
    let forget_at = assertion.forget_at();
    let first =
        replay_guard::first_time(provider, Kind::ClientAssertion, &client.id, assertion.jti(), forget_at).await?;
    Ok(if first { Ok(()) } else { Err("assertion was used before") })
}

/// With the secret itself, as long as it is one of those that still count.
fn by_secret(provider: &Provider, client: &Client, assertion: &Assertion<'_>) -> Result<(), AssertionError> {
    let sealed = client.sealed_secret.as_deref().ok_or(AssertionError::NoKey)?;
    let secret = provider.sealer.open_bytes(Purpose::ClientSecret, sealed).map_err(|_| AssertionError::NoKey)?;
    let secret = zeroize::Zeroizing::new(secret);
    if !secret::is_live(&client.secrets, &secret, provider.clock.now()) {
        return Err(AssertionError::NoKey);
    }
    assertion.verify_secret(&secret)
}
