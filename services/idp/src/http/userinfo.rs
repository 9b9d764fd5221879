//! The userinfo endpoint (`OpenID` Connect Core 5.3): takes the access token out of the request (RFC 6750 2, RFC 9449 7).

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use oidc::error::ErrorCode;
use web::form::is_form;

use super::client_request::{document, nonce_header, proofs, read_form};
use super::error::ErrorResponse;
use super::issuer::{IssuerState, at_every_issuer};
use crate::engine::error::OAuthError;
use crate::engine::proofs::Header;
use crate::engine::provider::Provider;
use crate::engine::userinfo::{self, Credential, Scheme, UserinfoResponse};

const NO_TOKEN: HeaderValue = HeaderValue::from_static(r#"Bearer realm="idp", DPoP algs="ES256 EdDSA RS256 PS256""#);
const INVALID_TOKEN: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="idp", error="invalid_token", DPoP error="invalid_token""#);
const INVALID_PROOF: HeaderValue = HeaderValue::from_static(r#"DPoP error="invalid_dpop_proof""#);
const NO_NONCE: HeaderValue =
    HeaderValue::from_static(r#"DPoP error="use_dpop_nonce", algs="ES256 EdDSA RS256 PS256""#);
const NO_OPENID: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="idp", error="insufficient_scope", scope="openid""#);

/// The userinfo endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    at_every_issuer(provider, |paths| paths.userinfo, &get(claims).post(claims))
}

async fn claims(State(state): State<IssuerState>, request: Request) -> Result<Response, ErrorResponse> {
    let IssuerState { provider, endpoints, .. } = &state;
    let (parts, body) = request.into_parts();
    let (scheme, token) = read(&parts, body).await?;
    let credential = Credential { scheme, token, proofs: proofs(&parts) };
    let UserinfoResponse { claims, dpop_nonce } =
        userinfo::userinfo(provider, endpoints, &credential).await.map_err(challenged)?;
    Ok((nonce_header(dpop_nonce.as_deref()), document(claims, "application/jwt")).into_response())
}

/// The error with the challenge that says how to try again. Where a token is presented, the proof is part of the credential
/// (RFC 9449 7.1).
fn challenged(error: OAuthError) -> ErrorResponse {
    let code = error.code;
    let response = ErrorResponse::from(error);
    match code {
        ErrorCode::InvalidToken => response.with_challenge(INVALID_TOKEN),
        ErrorCode::InsufficientScope => response.with_challenge(NO_OPENID),
        ErrorCode::InvalidDpopProof => response.with_status(StatusCode::UNAUTHORIZED).with_challenge(INVALID_PROOF),
        ErrorCode::UseDpopNonce => response.with_status(StatusCode::UNAUTHORIZED).with_challenge(NO_NONCE),
        _ => response,
    }
}

fn unauthenticated() -> ErrorResponse {
    let error = OAuthError::new(ErrorCode::InvalidToken, "an access token is needed");
    ErrorResponse::from(error).with_challenge(NO_TOKEN)
}

/// Takes the token out of the header, or out of a form. In the URL it is refused.
///
/// # Errors
/// 400 for two tokens or one in the URL, 401 for none.
async fn read(parts: &Parts, body: Body) -> Result<(Scheme, String), ErrorResponse> {
    let query = parts.uri.query().unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token") {
        return Err(OAuthError::invalid("an access token may not stand in the URL").into());
    }
    let from_header = of_header(proofs(parts).authorization)?;
    let mut from_form = None;
    if parts.method == Method::POST && is_form(&parts.headers) {
        from_form = read_form(&parts.headers, body).await?.get("access_token").map(str::to_owned);
    }
    match (from_header, from_form) {
        (Some(_), Some(_)) => Err(OAuthError::invalid("there is more than one access token").into()),
        (Some(found), None) => Ok(found),
        (None, Some(token)) => Ok((Scheme::Bearer, token)),
        (None, None) => Err(unauthenticated()),
    }
}

fn of_header(authorization: Header<'_>) -> Result<Option<(Scheme, String)>, ErrorResponse> {
    let value = match authorization {
        Header::Missing => return Ok(None),
        Header::Repeated => return Err(OAuthError::invalid("there is more than one Authorization header").into()),
        Header::Unreadable => return Err(unauthenticated()),
        Header::Once(value) => value,
    };
    let (scheme, token) = value.split_once(' ').ok_or_else(unauthenticated)?;
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Err(unauthenticated());
    };
    Ok(Some((scheme, token.trim().to_owned())))
}
