//! The issuer tells that somebody has signed out (`OpenID` Connect Back-Channel Logout 1.0): what it names ends here too.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use oidc::jose::{MAX_JWT, UnverifiedJwt};
use serde_json::json;

use super::id_token::Wrong;
use super::{Sessions, digest_of};

/// The longest body: an encoded token and its name.
pub(super) const MAX_BODY: usize = 3 * MAX_JWT + 64;

/// Why nothing is ended.
#[derive(Debug, thiserror::Error)]
enum LogoutError {
    #[error("the request holds no logout token")]
    Request,
    #[error(transparent)]
    Token(#[from] Wrong),
    #[error("it cannot be verified, or is not kept: {0}")]
    Unavailable(String),
}

/// Receives logout tokens.
pub(super) async fn receive(
    State(sessions): State<Arc<Sessions>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let outcome = match token_of(query.as_deref(), &headers, &body) {
        Some(token) => sessions.end_as_told(&token).await,
        None => Err(LogoutError::Request),
    };
    let unkept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let Err(error) = outcome else { return (StatusCode::OK, [unkept]).into_response() };
    tracing::info!(target: "audit", event = "session.end", outcome = "failure", reason = %error);
    let (status, code, told) = match &error {
        LogoutError::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again later".to_owned())
        }
        error => (StatusCode::BAD_REQUEST, "invalid_request", error.to_string()),
    };
    (status, [unkept], Json(json!({"error": code, "error_description": told}))).into_response()
}

impl Sessions {
    async fn end_as_told(&self, token: &str) -> Result<(), LogoutError> {
        let jwt = UnverifiedJwt::parse(token).map_err(|_| Wrong("form"))?;
        let told = self.expected().logout_token(&jwt)?;
        let signed = self.issuer.has_signed(&jwt).await;
        if !signed.map_err(|error| LogoutError::Unavailable(error.to_string()))? {
            return Err(Wrong("signature").into());
        }
        let ended = self.rows.end_by(self.issuer.name(), &digest_of(&told.jti), told.until, &told.ended).await;
        let count = ended.map_err(|error| LogoutError::Unavailable(error.to_string()))?.ok_or(Wrong("jti"))?;
        let subject = told.ended.subject;
        tracing::info!(target: "audit", event = "session.end", outcome = "success", subject, sid = told.ended.sid, count);
        Ok(())
    }
}

/// The one logout token of a form. In a query it would stand in every log on the way.
fn token_of(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if query.is_some_and(|query| !query.is_empty()) || !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) if !token.is_empty() => Some(token.into_owned()),
        _ => None,
    }
}
