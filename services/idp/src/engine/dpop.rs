//! Proofs of a key that come with a request (RFC 9449), and what they bind.

use oidc::dpop::Proof;
use oidc::error::ErrorCode;

use super::client_request::ClientRequest;
use super::error::OAuthError;
use super::proofs::{Header, Proofs};
use super::provider::Provider;
use super::replay_guard::{self, Kind};
use crate::endpoints::IssuerEndpoints;
use crate::model::Binding;

/// The thumbprint of the key whose proof comes with a request to this URL, with this access token if there is one; none if
/// there is no proof. The proof is used up.
///
/// # Errors
/// `invalid_dpop_proof`.
pub(crate) async fn proof(
    provider: &Provider,
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
    let proof = Proof::verify(text, proofs.method, url, access_token, provider.clock.now())
        .map_err(|error| OAuthError::new(error.code(), error.to_string()))?;
    let first = replay_guard::first_time(provider, Kind::Dpop, &proof.jkt, &proof.jti, proof.forget_at()).await?;
    if first { Ok(Some(proof.jkt)) } else { Err(refuse("the proof was used before")) }
}

/// What the tokens are bound to that a request to the token endpoint asks for.
///
/// # Errors
/// `invalid_dpop_proof`, also where a client whose tokens are bound sends none; `invalid_request` for a client whose tokens
/// are bound to its certificate (RFC 8705 3) and that has shown none.
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
    let jkt = proof(provider, proofs, &proofs.url(endpoints, endpoints.paths.token), None).await?;
    let missing = || OAuthError::new(ErrorCode::InvalidDpopProof, "this client has to send a DPoP proof");
    jkt.map(|jkt| Some(Binding::Dpop(jkt))).ok_or_else(missing)
}
