//! What the token endpoint answers (RFC 6749 5.1).

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::model::Seconds;

/// Tokens. They are not printed.
#[derive(Serialize)]
pub(super) struct Answer {
    pub(super) access_token: String,
    pub(super) token_type: &'static str,
    pub(super) expires_in: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issued_token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let unkept =
            [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (PRAGMA, HeaderValue::from_static("no-cache"))];
        (unkept, Json(self)).into_response()
    }
}
