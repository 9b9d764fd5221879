//! The introspection endpoint (RFC 7662).

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::Response;
use axum::routing::post;

use super::client_request::{Received, document};
use super::error::ErrorResponse;
use super::issuer::{IssuerState, at_every_issuer};
use crate::engine::document::Document;
use crate::engine::error::OAuthError;
use crate::engine::introspection;
use crate::engine::provider::Provider;

/// The media type of a signed response (RFC 9701 5).
const SIGNED: &str = "application/token-introspection+jwt";

/// The introspection endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    at_every_issuer(provider, |paths| paths.introspection, &post(introspect))
}

async fn introspect(State(state): State<IssuerState>, request: Request) -> Result<Response, ErrorResponse> {
    let received = Received::read(request).await?;
    let response = respond(&state, &received).await.map_err(|error| received.refuse(error))?;
    Ok(document(response, SIGNED))
}

async fn respond(state: &IssuerState, received: &Received) -> Result<Document, OAuthError> {
    let IssuerState { provider, endpoints, .. } = state;
    let request = received.authenticate(state, endpoints.paths.introspection).await?;
    introspection::introspect(provider, endpoints, &request, wants_signed(&received.parts.headers)).await
}

fn wants_signed(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(SIGNED)
    })
}
