//! Receives logout tokens of the issuer (`OpenID` Connect Back-Channel Logout 1.0), and ends the sessions that they name.

use std::time::Duration;

use authn::audit::Event;
use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use oidc::claims::{LEEWAY, is_meant_for};
use oidc::jose::{MAX_JWT, UnverifiedJwt};
use oidc::logout_token::{self, LogoutToken};
use oidc::relying_party::{Expected, InvalidToken};
use outbound::issuer::cache::VerifyError;
use serde_json::json;
use tracing::field::display;
use web::form::is_form;

use super::{Sessions, digest_of};
use crate::request_body::read_body;
use crate::store::Ended;

/// The longest body in bytes: an encoded token and its name.
pub(crate) const MAX_BODY: usize = 3 * MAX_JWT + 64;
/// The longest that a `jti` is stored to detect a replay.
const REPLAY_WINDOW: Duration = Duration::from_hours(1);

/// Why no session has ended.
#[derive(Debug, thiserror::Error)]
enum LogoutError {
    #[error("the request has no logout token")]
    Request,
    #[error(transparent)]
    Token(#[from] InvalidToken),
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
        let jwt = UnverifiedJwt::parse(token).map_err(|_| InvalidToken("form"))?;
        let logout = read(&jwt, &self.expected(), &self.client.id)?;
        self.issuer.verify(&jwt).await.map_err(|error| match error {
            VerifyError::Unavailable(error) => LogoutError::Unavailable(error.to_string()),
            VerifyError::NoKey | VerifyError::Jwt(_) => InvalidToken("signature").into(),
        })?;
        let (jti, until, ended) = (digest_of(&logout.jti), logout.accepted_until, ended_by(logout));
        let count = self.rows.end_by(self.issuer.source().name(), &jti, until, &ended).await;
        let count = count.map_err(|error| LogoutError::Unavailable(error.to_string()))?.ok_or(InvalidToken("jti"))?;
        Event { subject: &ended.subject, sid: &ended.sid, count: &count, ..Event::new("session.end", "success") }.log();
        Ok(())
    }
}

/// Checks and reads a logout token, except for the signature.
fn read(jwt: &UnverifiedJwt<'_>, expected: &Expected<'_>, client: &str) -> Result<LogoutToken, InvalidToken> {
    LogoutToken::read(jwt, expected, Some(REPLAY_WINDOW), |claims| is_meant_for(claims, client))
}

/// The sessions that a logout token ends.
fn ended_by(token: LogoutToken) -> Ended {
    Ended { subject: token.subject, sid: token.session, at: token.issued + LEEWAY }
}

/// The only logout token of a form. One in the query is refused, as proxies log queries.
fn token_of(query: &str, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    if query.is_empty() && is_form(headers) { logout_token::of_form(body) } else { None }
}

#[cfg(test)]
mod tests;
