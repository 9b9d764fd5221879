//! Proofs of a key that come with a request (RFC 9449), and what they bind.

use axum::http::{HeaderMap, HeaderName, Method};
use oidc::dpop::Proof;
use oidc::error::ErrorCode;

use super::asked::Asked;
use super::certificate;
use super::seen::{self, Kind};
use crate::answer::Refusal;
use crate::endpoints::Site;
use crate::model::Binding;
use crate::provider::Provider;

/// Where a client proves that it has a key (RFC 9449 4.1).
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
/// Where it is told what to put into its next proof (RFC 9449 8).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The thumbprint of the key whose proof comes with a request to this URL, with this access token if there is one; none if
/// there is no proof. The proof is used up.
///
/// # Errors
/// `invalid_dpop_proof`.
pub(crate) async fn proof(
    provider: &Provider,
    headers: &HeaderMap,
    method: &Method,
    url: &str,
    access_token: Option<&str>,
) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(DPOP).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let refuse = |reason: &'static str| Refusal::new(ErrorCode::InvalidDpopProof, reason);
    if values.next().is_some() {
        return Err(refuse("there is more than one proof"));
    }
    let text = value.to_str().map_err(|_| refuse("the proof is no JWT"))?;
    let proof = Proof::verify(text, method.as_str(), url, access_token, provider.clock.now())
        .map_err(|error| Refusal::new(error.code(), error.to_string()))?;
    let first = seen::first_time(provider, Kind::Dpop, &proof.jkt, &proof.jti, proof.forget_at()).await?;
    if first { Ok(Some(proof.jkt)) } else { Err(refuse("the proof was used before")) }
}

/// What the tokens are bound to that a request to the token endpoint asks for.
///
/// # Errors
/// `invalid_dpop_proof`, also where a client whose tokens are bound sends none; `invalid_request` for a client whose tokens
/// are bound to its certificate (RFC 8705 3) and that has shown none.
pub(super) async fn binding(provider: &Provider, site: &Site, asked: &Asked) -> Result<Option<Binding>, Refusal> {
    if asked.client.binds_certificate {
        let missing = || Refusal::invalid("this client's tokens are bound to its certificate, and it has shown none");
        return certificate::binding(&asked.parts.extensions).map(Some).ok_or_else(missing);
    }
    let headers = &asked.parts.headers;
    if !headers.contains_key(DPOP) && !asked.client.needs_dpop {
        return Ok(None);
    }
    let url = certificate::called(site, &asked.parts.extensions, site.paths.token);
    let jkt = proof(provider, headers, &asked.parts.method, &url, None).await?;
    let missing = || Refusal::new(ErrorCode::InvalidDpopProof, "this client has to send a DPoP proof");
    jkt.map(|jkt| Some(Binding::Dpop(jkt))).ok_or_else(missing)
}
