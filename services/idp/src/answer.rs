//! How the endpoints that programs call refuse.

use std::borrow::Cow;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use oidc::error::ErrorCode;
use serde::Serialize;
use store::StoreError;

/// A request that is refused: `error` and `error_description` (RFC 6749 5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct Refusal {
    /// The error.
    pub code: ErrorCode,
    /// What is wrong, for the developer of the client; never a secret, never more than the caller may know.
    pub description: Cow<'static, str>,
    /// Where it is answered other than the code says (404, 413, 429 ...).
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

impl Refusal {
    /// A refusal with this code.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        let description = description.into();
        Self { code, description, status: None, challenge: None, retry_after: None }
    }

    /// `invalid_request`
    pub fn invalid(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_grant`
    pub fn grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// `invalid_client`: one text for every reason (RFC 6749 5.2 asks for the challenge).
    pub fn client() -> Self {
        let challenge = Some(HeaderValue::from_static(r#"Basic realm="idp""#));
        Self { challenge, ..Self::new(ErrorCode::InvalidClient, "the client is not known or did not prove who it is") }
    }

    /// A fault of ours; the cause is logged and not told.
    pub fn fault(cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, "a request could not be answered");
        Self::new(ErrorCode::ServerError, "internal error")
    }

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

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            status::Kind::Unavailable => {
                tracing::warn!(%error, "the database is not available");
                Self::new(ErrorCode::TemporarilyUnavailable, "try again later")
            }
            _ => Self::fault(&error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status.unwrap_or_else(|| self.code.kind().http());
        let body = Body { error: self.code.code(), error_description: &self.description };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
