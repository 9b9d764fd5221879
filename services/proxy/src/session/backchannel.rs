//! Receives logout tokens of the issuer (`OpenID` Connect Back-Channel Logout 1.0), and ends the sessions that they name.

use authn::audit::Event;
use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use oidc::jose::{MAX_JWT, UnverifiedJwt};
use outbound::issuer::cache::VerifyError;
use serde_json::json;
use tracing::field::display;

use super::id_token::Wrong;
use super::{Sessions, digest_of};
use crate::request_body::read_body;

/// The longest body in bytes: an encoded token and its name.
pub(crate) const MAX_BODY: usize = 3 * MAX_JWT + 64;

/// Why no session has ended.
#[derive(Debug, thiserror::Error)]
enum LogoutError {
    #[error("the request has no logout token")]
    Request,
    #[error(transparent)]
    Token(#[from] Wrong),
    #[error("the token cannot be verified or stored: {0}")]
    Unavailable(String),
}

/// Receives logout tokens.
pub(super) async fn receive(sessions: &Sessions, query: &str, headers: &HeaderMap, body: Body) -> Response {
    let body = match read_body(body, MAX_BODY).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let outcome = match token_of(query, headers, &body) {
        Some(token) => sessions.end_by_token(&token).await,
        None => Err(LogoutError::Request),
    };
    let no_store = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let Err(error) = outcome else { return (StatusCode::OK, [no_store]).into_response() };
    Event { reason: &display(&error), ..Event::new("session.end", "failure") }.log();
    let (status, code, description) = match &error {
        LogoutError::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again later".to_owned())
        }
        error => (StatusCode::BAD_REQUEST, "invalid_request", error.to_string()),
    };
    (status, [no_store], Json(json!({"error": code, "error_description": description}))).into_response()
}

impl Sessions {
    async fn end_by_token(&self, token: &str) -> Result<(), LogoutError> {
        let jwt = UnverifiedJwt::parse(token).map_err(|_| Wrong("form"))?;
        let logout = self.expected().logout_token(&jwt)?;
        self.issuer.verify(&jwt).await.map_err(|error| match error {
            VerifyError::Unavailable(error) => LogoutError::Unavailable(error.to_string()),
            VerifyError::NoKey | VerifyError::Jwt(_) => Wrong("signature").into(),
        })?;
        let issuer = self.issuer.source().name();
        let ended = self.rows.end_by(issuer, &digest_of(&logout.jti), logout.until, &logout.ended).await;
        let count = ended.map_err(|error| LogoutError::Unavailable(error.to_string()))?.ok_or(Wrong("jti"))?;
        Event {
            subject: &logout.ended.subject,
            sid: &logout.ended.sid,
            count: &count,
            ..Event::new("session.end", "success")
        }
        .log();
        Ok(())
    }
}

/// The only logout token of a form. One in the query is refused, as proxies log queries.
fn token_of(query: &str, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !query.is_empty() || !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) if !token.is_empty() => Some(token.into_owned()),
        _ => None,
    }
}
