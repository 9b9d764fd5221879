//! How the endpoints that programs call answer errors.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use oidc::error::ErrorCode;
use serde::Serialize;
use store::StoreError;

use crate::engine::error::OAuthError;

/// Where a client gets what its next `DPoP` proof has to hold (RFC 9449 8).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// An error, and how it is answered.
#[derive(Debug)]
pub struct ErrorResponse {
    /// The error.
    pub error: OAuthError,
    /// The status, where it is another than the error's own (404, 413, 429 ...).
    pub status: Option<StatusCode>,
    /// `WWW-Authenticate`, where the caller can try again with another proof.
    pub challenge: Option<HeaderValue>,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
}

impl ErrorResponse {
    /// The same with another HTTP status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }

    /// The same with a challenge.
    #[must_use]
    pub fn with_challenge(self, challenge: HeaderValue) -> Self {
        Self { challenge: Some(challenge), ..self }
    }
}

impl From<OAuthError> for ErrorResponse {
    fn from(error: OAuthError) -> Self {
        // RFC 6749 5.2 asks for the challenge
        let is_client = error.code == ErrorCode::InvalidClient;
        let challenge = is_client.then_some(HeaderValue::from_static(r#"Basic realm="idp""#));
        Self { error, status: None, challenge, retry_after: None }
    }
}

impl From<StoreError> for ErrorResponse {
    fn from(error: StoreError) -> Self {
        OAuthError::from(error).into()
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let OAuthError { code, description, dpop_nonce, .. } = &self.error;
        let status = self.status.unwrap_or_else(|| code.kind().http());
        let body = Body { error: code.code(), error_description: description };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = dpop_nonce.as_deref().and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
            headers.insert(DPOP_NONCE, nonce);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
