//! Clients that register themselves (RFC 7591) and manage what they have registered (RFC 7592). Off unless it is
//! configured; then with an initial access token, or without one where that is configured too (row I33).

pub(crate) mod limiter;
mod response;

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use authn::Peer;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use oidc::error::ErrorCode;
use serde_json::{Map, Value};
use subtle::{Choice, ConstantTimeEq};

use self::limiter::{Limited, Limiter};
use super::error::ErrorResponse;
use crate::endpoints::IssuerEndpoints;
use crate::engine::clients::{Addition, ChangeError, Described, Metadata, Source, secret};
use crate::engine::error::OAuthError;
use crate::engine::provider::Provider;

/// The largest registration, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// What the handlers of one issuer work with.
#[derive(Clone)]
struct Registration {
    provider: Provider,
    endpoints: Arc<IssuerEndpoints>,
    limiter: Limiter,
}

/// The endpoints of every issuer; none where registration is off.
pub(crate) fn router(provider: &Provider) -> Router {
    if !provider.config.registration && !provider.config.open_registration {
        return Router::new();
    }
    let rate = NonZeroU32::new(provider.config.registrations_per_minute).unwrap_or(NonZeroU32::MIN);
    let limiter = Limiter::per_minute(provider, Limited::Registrations, rate);
    let mut all = Router::new();
    for endpoints in &provider.issuers {
        let path = endpoints.paths.registration;
        let (provider, endpoints, limiter) = (provider.clone(), Arc::new(endpoints.clone()), limiter.clone());
        let routes = Router::new()
            .route(path, post(register))
            .route(&format!("{path}/{{id}}"), get(show).put(change).delete(remove))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Registration { provider, endpoints, limiter });
        all = all.merge(routes);
    }
    all
}

/// RFC 7591 3.
async fn register(
    State(registration): State<Registration>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ErrorResponse> {
    let source = peer.and_then(|Extension(peer)| peer.source);
    registration.limiter.take(source).await?;
    let initial = registration.initial_token(&headers)?;
    let metadata = Metadata::of_stranger(members(&headers, body)?).map_err(ChangeError::from).map_err(refused)?;
    registration.check_strict(&metadata)?;
    registration.provider.clients.check_stranger(&metadata).map_err(ChangeError::from).map_err(refused)?;
    if let Some(token) = initial {
        registration.use_up(token).await?;
    }
    let by = Addition::ByItself { secret_lifetime: registration.secret_lifetime() };
    let made = registration.provider.clients.add(metadata, by).await.map_err(refused)?;
    let client = &made.described.client;
    tracing::info!(client = client.id, name = client.presentation.name, ?source, "a client has registered itself");
    Ok(response::made(StatusCode::CREATED, &registration.endpoints, &made))
}

/// RFC 7592 2.1. The secret is not returned again: only its digest is stored.
async fn show(
    State(registration): State<Registration>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ErrorResponse> {
    let described = registration.managed(&id, &headers).await?;
    Ok(response::shown(&registration.endpoints, &described))
}

/// RFC 7592 2.2.
async fn change(
    State(registration): State<Registration>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ErrorResponse> {
    let described = registration.managed(&id, &headers).await?;
    let mut members = members(&headers, body)?;
    check_unchanged(&described, &mut members)?;
    let new = Metadata::of_stranger(members).map_err(ChangeError::from).map_err(refused)?;
    registration.check_strict(&new)?;
    let lifetime = registration.secret_lifetime();
    let change = |stored: Metadata| new.clone().with_ours_of(&stored);
    let made = registration.provider.clients.change(&id, lifetime, change).await.map_err(refused)?;
    tracing::info!(client = id, "a client has changed its registration");
    Ok(response::made(StatusCode::OK, &registration.endpoints, &made))
}

/// RFC 7592 2.3.
async fn remove(
    State(registration): State<Registration>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ErrorResponse> {
    registration.managed(&id, &headers).await?;
    registration.provider.clients.remove(&id).await.map_err(refused)?;
    tracing::info!(client = id, "a client has removed itself");
    Ok(response::uncached(StatusCode::NO_CONTENT.into_response()))
}

impl Registration {
    /// A strict issuer registers no client for what it would not answer.
    fn check_strict(&self, metadata: &Metadata) -> Result<(), ErrorResponse> {
        if self.endpoints.is_strict() && !metadata.is_for_codes_only() {
            let problem = "this issuer takes response_type code only";
            return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, problem).into());
        }
        Ok(())
    }

    /// The initial access token (RFC 7591 3), if one is needed.
    fn initial_token<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, ErrorResponse> {
        if self.provider.config.open_registration {
            return Ok(None);
        }
        bearer(headers).map(Some).ok_or_else(|| unauthorized(false))
    }

    async fn use_up(&self, token: &str) -> Result<(), ErrorResponse> {
        let digest = secret::digest(token);
        let is_good = self.provider.store.use_initial_access(digest, self.provider.clock.now()).await?;
        if is_good { Ok(()) } else { Err(unauthorized(true)) }
    }

    fn secret_lifetime(&self) -> Option<Duration> {
        Some(self.provider.config.lifetimes.dynamic_client_secret).filter(|lifetime| !lifetime.is_zero())
    }

    /// The client, if the caller may manage it. That there is none looks the same as that the token is wrong (RFC 7592 2.1).
    async fn managed(&self, id: &str, headers: &HeaderMap) -> Result<Described, ErrorResponse> {
        let token = secret::digest(bearer(headers).ok_or_else(|| unauthorized(false))?);
        let described = self.provider.clients.describe(id).await?;
        let described = described.filter(|described| described.client.source == Source::Registered);
        let is_own = |described: &Described| {
            described.client.management.is_some_and(|own| bool::from(own.as_slice().ct_eq(&token)))
        };
        described.filter(is_own).ok_or_else(|| unauthorized(true))
    }
}

/// The members of the body.
fn members(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Map<String, Value>, ErrorResponse> {
    let body = body.map_err(|rejection| {
        let error = OAuthError::new(ErrorCode::InvalidClientMetadata, "the body cannot be read");
        ErrorResponse::from(error).with_status(rejection.into_response().status())
    })?;
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, "the body is application/json").into());
    }
    serde_json::from_slice(&body)
        .map_err(|_| OAuthError::new(ErrorCode::InvalidClientMetadata, "the body is not a JSON object").into())
}

/// Takes out what a client sends along of what it was given, which has to be what it is (RFC 7592 2.2).
fn check_unchanged(described: &Described, members: &mut Map<String, Value>) -> Result<(), ErrorResponse> {
    let wrong = |problem: String| Err(OAuthError::new(ErrorCode::InvalidClientMetadata, problem).into());
    for name in
        ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"]
    {
        if members.contains_key(name) {
            return wrong(format!("{name} is not for the client to say"));
        }
    }
    if members.get("client_id").and_then(Value::as_str) != Some(&described.client.id) {
        return wrong("client_id is not that of the client".to_owned());
    }
    match members.remove("client_secret") {
        None => Ok(()),
        Some(Value::String(text)) if is_secret_of(described, &text) => Ok(()),
        Some(_) => wrong("client_secret is not that of the client".to_owned()),
    }
}

fn is_secret_of(described: &Described, text: &str) -> bool {
    let digest = secret::digest(text);
    let same = described.client.secrets.iter().map(|secret| secret.digest.as_slice().ct_eq(&digest));
    same.fold(Choice::from(0), |any, one| any | one).into()
}

/// The token of `Authorization: Bearer`. Two headers are refused, since it is not known which one counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, another) = (values.next()?.to_str().ok()?, values.next());
    let (scheme, token) = first.split_once(' ')?;
    (another.is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

fn unauthorized(had_token: bool) -> ErrorResponse {
    let challenge = if had_token { r#"Bearer realm="idp", error="invalid_token""# } else { r#"Bearer realm="idp""# };
    let error = OAuthError::new(ErrorCode::InvalidToken, "a token that is good for this is needed");
    ErrorResponse::from(error).with_challenge(HeaderValue::from_static(challenge))
}

fn refused(error: ChangeError) -> ErrorResponse {
    match error {
        ChangeError::Metadata(error) => OAuthError::new(error.code(), error.to_string()).into(),
        ChangeError::Store(error) => error.into(),
        // removed by another request in the meantime
        ChangeError::Unknown => unauthorized(true),
        ChangeError::Concurrent => OAuthError::new(ErrorCode::TemporarilyUnavailable, error.to_string()).into(),
        ChangeError::Taken | ChangeError::Fixed(_) | ChangeError::NoSecret => OAuthError::fault(&error).into(),
    }
}
