//! Proofs of a key that come with a request (RFC 9449), and what they bind.

mod nonce;

#[cfg(test)]
mod tests;

use std::time::Duration;

use oidc::dpop::{DpopError, NonceRule, Proof, ProofRules};
use oidc::error::ErrorCode;
use oidc::jose::Algorithm;

use super::client_request::ClientRequest;
use super::clients::Client;
use super::error::OAuthError;
use super::proofs::{Header, Proofs};
use super::provider::Provider;
use super::replay_guard::{self, Kind};
use crate::endpoints::IssuerEndpoints;
use crate::model::Binding;

/// For how long a proof is remembered at most that has a nonce, whatever its time is.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The thumbprint of the key whose proof comes with a request of this client to this URL, with this access token if there is one;
/// none if there is no proof. The proof is used up.
///
/// # Errors
/// `invalid_dpop_proof`, and `use_dpop_nonce` with a nonce.
pub(crate) async fn proof(
    provider: &Provider,
    client: &Client,
    proofs: &Proofs<'_>,
    url: &str,
    access_token: Option<&str>,
) -> Result<Option<String>, OAuthError> {
    let refuse = |reason: &'static str| OAuthError::new(ErrorCode::InvalidDpopProof, reason);
    let text = match proofs.dpop {
        Header::Missing => return Ok(None),
        Header::Repeated => return Err(refuse("there is more than one proof")),
        Header::Unreadable => return Err(refuse("the proof is no JWT")),
        Header::Once(text) => text,
    };
    let proof = verify(provider, client, text, (proofs.method, url), access_token)?;
    let mut forget_at = proof.forget_at();
    if nonce::is_needed(provider, client) {
        let now = provider.clock.now();
        forget_at = forget_at.clamp(now + nonce::LIFETIME, now + REMEMBERED);
    }
    let first = replay_guard::first_time(provider, Kind::Dpop, &proof.jkt, &proof.jti, forget_at).await?;
    if first { Ok(Some(proof.jkt)) } else { Err(refuse("the proof was used before")) }
}

/// Verifies a proof by the rules for this client (row I75).
fn verify(
    provider: &Provider,
    client: &Client,
    text: &str,
    request: (&str, &str),
    access_token: Option<&str>,
) -> Result<Proof, OAuthError> {
    let algorithms: &[Algorithm] = if client.is_fapi2() { &Algorithm::FAPI } else { &Algorithm::SIGNING };
    let is_fresh = |text: &str| nonce::is_fresh(provider, text);
    let is_needed = nonce::is_needed(provider, client);
    let rule = if is_needed { NonceRule::Fresh(&is_fresh) } else { NonceRule::NotNeeded };
    let rules = ProofRules { algorithms, nonce: rule };
    Proof::verify_by(&rules, text, request, access_token, provider.clock.now()).map_err(|error| {
        let refused = OAuthError::new(error.code(), error.to_string());
        if error == DpopError::Nonce { refused.with_dpop_nonce(nonce::issue(provider)) } else { refused }
    })
}

/// The nonce for the next proof of this client, which a response to a request with a proof carries (RFC 9449 8.2).
pub(crate) fn next_nonce(provider: &Provider, client: &Client, proofs: &Proofs<'_>) -> Option<String> {
    let is_needed = proofs.dpop != Header::Missing && nonce::is_needed(provider, client);
    is_needed.then(|| nonce::issue(provider))
}

/// What the tokens are bound to that a request to the token endpoint asks for.
///
/// # Errors
/// `invalid_dpop_proof` and `use_dpop_nonce`; `invalid_request` for a client whose tokens are bound and that has sent no proof, or
/// has shown no certificate (RFC 8705 3).
pub(crate) async fn binding(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    request: &ClientRequest<'_>,
) -> Result<Option<Binding>, OAuthError> {
    let ClientRequest { client, proofs, .. } = request;
    if client.binds_certificate {
        let missing =
            || OAuthError::invalid("this client's tokens are bound to its certificate, and it has shown none");
        return proofs.certificate_binding().map(Some).ok_or_else(missing);
    }
    if proofs.dpop == Header::Missing && !client.needs_dpop {
        return Ok(None);
    }
    let jkt = proof(provider, client, proofs, &proofs.url(endpoints, endpoints.paths.token), None).await?;
    let missing = || OAuthError::invalid("this client has to send a DPoP proof");
    jkt.map(|jkt| Some(Binding::Dpop(jkt))).ok_or_else(missing)
}
