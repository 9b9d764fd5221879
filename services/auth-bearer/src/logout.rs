//! `OpenID` Connect Back-Channel Logout 1.0, as the relying party: receives logout tokens (2.5, 2.8) and ends what they name.

use std::sync::Arc;
use std::time::SystemTime;

use authn::audit::Event;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use oidc::claims::{is_meant_for, time};
use oidc::jose::{MAX_JWT, UnverifiedJwt};
use oidc::logout_token::{self, LogoutToken};
use oidc::relying_party::{Expected, InvalidToken};
use outbound::issuer::cache::VerifyError;
use serde_json::{Value, json};
use tracing::field::display;

use crate::authenticator::Bearer;
use crate::issuer::Issuer;
use crate::logouts::RecordError;
use crate::sessions::{AT_MOST, Logout, Name, ends};

#[cfg(test)]
mod tests;

/// The path of the back-channel logout endpoint.
pub const PATH: &str = "/backchannel_logout";
/// The longest body: an encoded token and its name.
const MAX_BODY: usize = 3 * MAX_JWT + 64;

/// Why a logout token ends nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoutError {
    /// The request is not a form with one logout token.
    #[error("the request holds no logout token")]
    Request,
    /// It is not a logout token, or not a valid one.
    #[error("the logout token is not valid: {0}")]
    Token(&'static str),
    /// Its issuer's keys are not available at present.
    #[error("the issuer's keys are not known")]
    Unavailable,
    /// What it ends cannot be stored at present, so that it would not end everywhere.
    #[error("the end of the session cannot be stored")]
    NotStored,
}

impl From<InvalidToken> for LogoutError {
    fn from(InvalidToken(part): InvalidToken) -> Self {
        Self::Token(part)
    }
}

/// Checks and reads a logout token, except for the signature.
fn read(jwt: &UnverifiedJwt<'_>, issuer: &Issuer, now: SystemTime) -> Result<LogoutToken, InvalidToken> {
    // the common rules report a malformed `iat` as `exp`
    time(jwt.claims(), "iat").ok().flatten().ok_or(InvalidToken("iat"))?;
    let expected = Expected { issuer: issuer.name(), now, leeway: issuer.settings.rules.leeway };
    let ours = audiences(issuer);
    LogoutToken::read(jwt, &expected, None, |claims| {
        ours.is_empty() || ours.iter().any(|audience| is_meant_for(claims, audience))
    })
}

/// The audiences that are accepted in logout tokens: the clients whose tokens are accepted, and the service's own client.
fn audiences(issuer: &Issuer) -> Vec<&str> {
    let rules = &issuer.settings.rules;
    let ours = issuer.settings.client.iter().map(|client| client.id.as_str());
    rules.authorized_parties.iter().chain(&rules.audiences).map(String::as_str).chain(ours).collect()
}

impl Bearer {
    /// Ends the sessions that a logout token names, at every replica: what is answered with success is stored.
    ///
    /// # Errors
    /// [`LogoutError`].
    pub async fn end_session(&self, token: &str) -> Result<(), LogoutError> {
        let now = self.clock.now();
        let jwt = UnverifiedJwt::parse(token).map_err(|_| LogoutError::Token("form"))?;
        let issuers = self.issuers.current();
        let issuer = jwt.claims().get("iss").and_then(Value::as_str).and_then(|name| issuers.named(name));
        let issuer = issuer.ok_or(LogoutError::Token("iss"))?;
        let LogoutToken { subject, session, jti, issued, accepted_until } = read(&jwt, issuer, now)?;
        issuer.keys.verify(&jwt).await.map_err(|error| match error {
            VerifyError::NoKey | VerifyError::Jwt(_) => LogoutError::Token("signature"),
            VerifyError::Unavailable(_) => LogoutError::Unavailable,
        })?;
        let logout = Logout { issuer: issuer.name().to_owned(), subject, session, at: issued };
        let (token, expires) = (Name::of_token(issuer.name(), &jti), accepted_until.min(now + AT_MOST));
        let ends = ends(&logout, issuer.longest_life(), now);
        let is_new = self.logouts.record(token, expires, ends, now).await.map_err(|error| not_stored(&error))?;
        if !is_new {
            return Err(LogoutError::Token("jti"));
        }
        let (issuer, subject, session) = (issuer.name(), logout.subject, logout.session);
        Event { issuer: &issuer, subject: &subject, session: &session, ..Event::new("session.end", "success") }.log();
        Ok(())
    }
}

/// The reason is for the operator alone.
fn not_stored(error: &RecordError) -> LogoutError {
    tracing::warn!(%error, "a logout token is refused, as what it ends cannot be stored");
    LogoutError::NotStored
}

/// Receives logout tokens.
pub fn router(bearer: Arc<Bearer>) -> Router {
    Router::new().route(PATH, post(receive)).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(bearer)
}

async fn receive(
    State(bearer): State<Arc<Bearer>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let outcome = match token_of(query.as_deref(), &headers, &body) {
        Ok(token) => bearer.end_session(&token).await,
        Err(error) => Err(error),
    };
    let unkept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let Err(error) = outcome else { return (StatusCode::OK, [unkept]).into_response() };
    Event { reason: &display(&error), ..Event::new("session.end", "failure") }.log();
    let (status, code) = match error {
        LogoutError::Request | LogoutError::Token(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        LogoutError::Unavailable | LogoutError::NotStored => {
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
    };
    let told = json!({"error": code, "error_description": error.to_string()});
    (status, [unkept], Json(told)).into_response()
}

/// The only logout token of a form. A query is not read, as it would appear in the logs of every intermediary.
fn token_of(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<String, LogoutError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form =
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    if query.is_some_and(|query| !query.is_empty()) || !is_form {
        return Err(LogoutError::Request);
    }
    logout_token::of_form(body).ok_or(LogoutError::Request)
}
