//! The pushed authorization request endpoint (RFC 9126).

#[cfg(test)]
mod tests;

use oidc::error::ErrorCode;
use serde::Serialize;

use super::pushed_request;
use super::rejection::Rejection;
use super::request::{self, ValidRequest};
use crate::endpoints::IssuerEndpoints;
use crate::engine::client_request::ClientRequest;
use crate::engine::dpop;
use crate::engine::error::OAuthError;
use crate::engine::provider::Provider;

/// Parameters that prove who the client is, and are no part of the request.
const PROOFS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// The response (2.2).
#[derive(Serialize)]
pub(crate) struct PushedResponse {
    request_uri: String,
    expires_in: u64,
}

/// Keeps a request that a client pushes.
///
/// # Errors
/// Those of the authorization endpoint, which are answered to the client itself: nothing is redirected here.
pub(crate) async fn push(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    pushed: &ClientRequest<'_>,
) -> Result<PushedResponse, OAuthError> {
    let ClientRequest { client, form, .. } = pushed;
    let is_proof = |(name, _): &&(String, String)| PROOFS.contains(&name.as_str());
    let mut parameters: Vec<_> = form.pairs().iter().filter(|pair| !is_proof(pair)).cloned().collect();
    if form.get("request_uri").is_some() {
        return Err(OAuthError::invalid("a pushed request has no request_uri"));
    }
    if form.get("client_id").is_none() {
        parameters.push(("client_id".to_owned(), client.id.clone()));
    }
    let request = request::validate(provider, endpoints, parameters, Some(client)).await.map_err(error)?;
    let dpop_jkt = bound_key(provider, endpoints, pushed, request.dpop_jkt.clone()).await?;
    let request = ValidRequest { dpop_jkt, ..request };
    let (request_uri, lifetime) = pushed_request::keep(provider, client, &request.pending()).await?;
    Ok(PushedResponse { request_uri, expires_in: lifetime.as_secs() })
}

/// The key that alone may redeem the code: the one that the client has proved to have, or has named (RFC 9449 10.1).
async fn bound_key(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    ClientRequest { client, proofs, .. }: &ClientRequest<'_>,
    named: Option<String>,
) -> Result<Option<String>, OAuthError> {
    let url = proofs.url(endpoints, endpoints.paths.pushed);
    match (dpop::proof(provider, client, proofs, &url, None).await?, named) {
        (Some(proved), Some(named)) if proved != named => {
            Err(OAuthError::new(ErrorCode::InvalidDpopProof, "dpop_jkt is not the key of the DPoP proof"))
        }
        (proved, named) => Ok(proved.or(named)),
    }
}

fn error(rejection: Rejection) -> OAuthError {
    let error = match rejection {
        Rejection::Page(error) => error,
        Rejection::Client(response) => response.error,
        Rejection::Fault(error) => return error.into(),
    };
    let is_client = error.code == ErrorCode::InvalidClient;
    if is_client { OAuthError::client() } else { OAuthError::new(error.code, error.description) }
}
