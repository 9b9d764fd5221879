//! `OpenID` Connect Back-Channel Logout 1.0, as the relying party: validates logout tokens (2.6) and receives them (2.5, 2.8).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::audit::Event;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use oidc::claims::{LEEWAY, check_times, identifier, is_meant_for, time};
use oidc::jose::{Algorithm, MAX_JWT, UnverifiedJwt};
use outbound::issuer::cache::VerifyError;
use serde_json::{Value, json};
use tracing::field::display;

use crate::authenticator::Bearer;
use crate::issuer::Issuer;
use crate::sessions::Logout;

#[cfg(test)]
mod tests;

/// The path of the back-channel logout endpoint.
pub const PATH: &str = "/backchannel_logout";
/// The event that a logout token announces.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The longest body: an encoded token and its name.
const MAX_BODY: usize = 3 * MAX_JWT + 64;
/// The longest that a `jti` is kept to detect a replay; what the token ended stays ended.
const SEEN_FOR: Duration = Duration::from_hours(1);

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
}

/// A logout token whose signature was not checked yet.
struct Unchecked {
    logout: Logout,
    jti: String,
    until: SystemTime,
}

/// Checks a logout token against the rules of section 2.6, except for the signature.
fn read(jwt: &UnverifiedJwt<'_>, issuer: &Issuer, now: SystemTime) -> Result<Unchecked, LogoutError> {
    let bad = LogoutError::Token;
    let said = jwt.claims();
    if !jwt.algorithm().is_some_and(Algorithm::is_asymmetric) {
        return Err(bad("alg"));
    }
    // the type is only recommended (2.4), but a token with another one is not a logout token
    if !(jwt.is_typ("logout+jwt") || jwt.is_typ("JWT") || jwt.typ().is_none()) {
        return Err(bad("typ"));
    }
    let ours = audiences(issuer);
    if !said.contains_key("aud") || !(ours.is_empty() || ours.iter().any(|audience| is_meant_for(said, audience))) {
        return Err(bad("aud"));
    }
    let at = time(said, "iat").ok().flatten().ok_or(bad("iat"))?;
    let until = check_times(said, now, issuer.settings.rules.leeway).map_err(|_| bad("exp"))?.ok_or(bad("exp"))?;
    let is_event = said.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object);
    if !is_event {
        return Err(bad("events"));
    }
    if said.contains_key("nonce") {
        return Err(bad("nonce"));
    }
    let named = |name| identifier(said, name).map_err(|_| bad(name));
    let (subject, session, jti) = (named("sub")?, named("sid")?, named("jti")?.ok_or(bad("jti"))?);
    if subject.is_none() && session.is_none() {
        return Err(bad("sub"));
    }
    let logout = Logout { issuer: issuer.name().to_owned(), subject, session, at };
    Ok(Unchecked { logout, jti, until: (until + LEEWAY).min(now + SEEN_FOR) })
}

/// The audiences that are accepted in logout tokens: the clients whose tokens are accepted, and the service's own client.
fn audiences(issuer: &Issuer) -> Vec<&str> {
    let rules = &issuer.settings.rules;
    let ours = issuer.settings.client.iter().map(|client| client.id.as_str());
    rules.authorized_parties.iter().chain(&rules.audiences).map(String::as_str).chain(ours).collect()
}

impl Bearer {
    /// Ends the sessions that a logout token names.
    ///
    /// # Errors
    /// [`LogoutError`].
    pub async fn end_session(&self, token: &str) -> Result<(), LogoutError> {
        let now = self.clock.now();
        let jwt = UnverifiedJwt::parse(token).map_err(|_| LogoutError::Token("form"))?;
        let issuer = jwt.claims().get("iss").and_then(Value::as_str).and_then(|name| self.issuers.named(name));
        let issuer = issuer.ok_or(LogoutError::Token("iss"))?;
        let Unchecked { logout, jti, until } = read(&jwt, issuer, now)?;
        issuer.keys.verify(&jwt).await.map_err(|error| match error {
            VerifyError::NoKey | VerifyError::Jwt(_) => LogoutError::Token("signature"),
            VerifyError::Unavailable(_) => LogoutError::Unavailable,
        })?;
        if !self.sessions.is_new(issuer.name(), &jti, until, now) {
            return Err(LogoutError::Token("jti"));
        }
        self.sessions.end(&logout, issuer.longest_life(), now);
        let (issuer, subject, session) = (issuer.name(), logout.subject, logout.session);
        Event { issuer: &issuer, subject: &subject, session: &session, ..Event::new("session.end", "success") }.log();
        Ok(())
    }
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
        LogoutError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
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
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) if !token.is_empty() => Ok(token.into_owned()),
        _ => Err(LogoutError::Request),
    }
}
