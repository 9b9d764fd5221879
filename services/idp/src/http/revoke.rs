//! The revocation endpoint (RFC 7009): a client revokes a token that it does not need any more.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::audit;
use super::client_request::Received;
use super::error::ErrorResponse;
use super::issuer::{IssuerState, at_every_issuer};
use crate::engine::error::OAuthError;
use crate::engine::provider::Provider;
use crate::engine::revocation;

/// The revocation endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    at_every_issuer(provider, |paths| paths.revocation, &post(revoke))
}

async fn revoke(State(state): State<IssuerState>, request: Request) -> Result<Response, ErrorResponse> {
    let received = Received::read(request).await?;
    take_back(&state, &received).await.map_err(|error| received.refuse(error))?;
    // also for a token that is unknown or another client's, so that tokens cannot be probed
    Ok((StatusCode::OK, [(CACHE_CONTROL, "no-store")]).into_response())
}

async fn take_back(state: &IssuerState, received: &Received) -> Result<(), OAuthError> {
    let IssuerState { provider, endpoints, .. } = state;
    let request = received.authenticate(state, endpoints.paths.revocation).await?;
    if let Some(subject) = revocation::revoke(provider, endpoints, &request).await? {
        audit::done("revoke", &request.client.id, &subject, &received.parts);
    }
    Ok(())
}
