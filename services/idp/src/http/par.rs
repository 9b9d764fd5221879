//! The pushed authorization request endpoint (RFC 9126).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use super::client_request::{Received, UNCACHED, nonce_header};
use super::error::ErrorResponse;
use super::issuer::{IssuerState, at_every_issuer};
use crate::engine::authorize::par::{self, PushedResponse};
use crate::engine::dpop;
use crate::engine::error::OAuthError;
use crate::engine::provider::Provider;

/// The endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    at_every_issuer(provider, |paths| paths.pushed, &post(push))
}

async fn push(State(state): State<IssuerState>, request: Request) -> Result<Response, ErrorResponse> {
    let received = Received::read(request).await?;
    let (response, nonce) = keep(&state, &received).await.map_err(|error| received.refuse(error))?;
    Ok((StatusCode::CREATED, UNCACHED, nonce_header(nonce.as_deref()), Json(response)).into_response())
}

/// The response, and the nonce for the client's next proof.
async fn keep(state: &IssuerState, received: &Received) -> Result<(PushedResponse, Option<String>), OAuthError> {
    let IssuerState { provider, endpoints, .. } = state;
    let request = received.authenticate(state, endpoints.paths.pushed).await?;
    let pushed = par::push(provider, endpoints, &request).await;
    let response = request.answered(provider, pushed).await?;
    Ok((response, dpop::next_nonce(provider, &request.client, &request.proofs)))
}
