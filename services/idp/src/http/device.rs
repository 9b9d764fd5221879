//! The device authorization endpoint (RFC 8628 3.1).

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use super::client_request::{Received, UNCACHED};
use super::error::ErrorResponse;
use super::issuer::{IssuerState, at_every_issuer};
use crate::engine::device::request::{self, DeviceAuthorization};
use crate::engine::error::OAuthError;
use crate::engine::provider::Provider;

/// The endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    at_every_issuer(provider, |paths| paths.device, &post(authorize))
}

async fn authorize(State(state): State<IssuerState>, request: Request) -> Result<Response, ErrorResponse> {
    let received = Received::read(request).await?;
    let response = respond(&state, &received).await.map_err(|error| received.refuse(error))?;
    Ok((UNCACHED, Json(response)).into_response())
}

async fn respond(state: &IssuerState, received: &Received) -> Result<DeviceAuthorization, OAuthError> {
    let IssuerState { provider, endpoints, .. } = state;
    let request = received.authenticate(state, endpoints.paths.device).await?;
    request::authorize(provider, endpoints, &request).await
}
