//! The token endpoint (RFC 6749 3.2).

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use super::audit;
use super::client_request::{Received, UNCACHED, nonce_header};
use super::error::ErrorResponse;
use super::issuer::{IssuerState, at_every_issuer};
use crate::engine::dpop;
use crate::engine::error::OAuthError;
use crate::engine::grants;
use crate::engine::grants::token_request::TokenRequest;
use crate::engine::grants::token_response::TokenResponse;
use crate::engine::provider::Provider;

/// The token endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    at_every_issuer(provider, |paths| paths.token, &post(token))
}

async fn token(State(state): State<IssuerState>, request: Request) -> Result<Response, ErrorResponse> {
    let received = Received::read(request).await?;
    let (response, nonce) = issue(&state, &received).await.map_err(|error| received.refuse(error))?;
    Ok((UNCACHED, nonce_header(nonce.as_deref()), Json(response)).into_response())
}

/// The response, and the nonce for the client's next proof.
async fn issue(state: &IssuerState, received: &Received) -> Result<(TokenResponse, Option<String>), OAuthError> {
    let IssuerState { provider, endpoints, .. } = state;
    let client_request = received.authenticate(state, endpoints.paths.token).await?;
    let request = TokenRequest { provider, endpoints, client_request: &client_request, now: provider.clock.now() };
    let issued = grants::issue(&request).await;
    let response = client_request.answered(provider, issued).await?;
    if let Some(grant) = &response.audit {
        audit::issued(grant, &client_request.client.id, &received.parts);
    }
    if let Some(transaction) = &response.transaction {
        audit::transaction(transaction, &client_request.client.id, &received.parts);
    }
    Ok((response, dpop::next_nonce(provider, &client_request.client, &client_request.proofs)))
}
