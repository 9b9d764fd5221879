//! Pushed authorization requests (RFC 9126): the client hands the request in itself, proves who it is, and sends the
//! browser with a name for it that is good once.

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::error::ErrorCode;
use serde_json::json;

use super::AtSite;
use super::request::{self, Stop};
use crate::answer::Refusal;
use crate::provider::Provider;
use crate::token::asked::Asked;

/// What the names begin with.
pub(super) const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// Parameters that prove who the client is, and are no part of the request.
const PROOFS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// The endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    let mut router = Router::new();
    for site in &provider.sites {
        let at = AtSite { provider: provider.clone(), site: site.clone() };
        router = router.merge(Router::new().route(site.paths.pushed, post(push)).with_state(at));
    }
    router
}

async fn push(State(at): State<AtSite>, request: Request) -> Response {
    keep(&at, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn keep(at: &AtSite, request: Request) -> Result<Response, Refusal> {
    let AtSite { provider, site } = at;
    let Asked { client, form, .. } = Asked::read(provider, site, request, site.paths.pushed).await?;
    let is_proof = |(name, _): &&(String, String)| PROOFS.contains(&name.as_str());
    let mut parameters: Vec<_> = form.pairs().iter().filter(|pair| !is_proof(pair)).cloned().collect();
    if form.get("request_uri").is_some() {
        return Err(Refusal::invalid("a pushed request has no request_uri"));
    }
    if form.get("client_id").is_none() {
        parameters.push(("client_id".to_owned(), client.id.clone()));
    }
    let checked = request::resolve(provider, site, parameters, Some(&client)).await.map_err(refusal)?;
    let name = URL_SAFE_NO_PAD.encode(provider.random.bytes::<32>());
    let waiting = serde_json::to_string(&checked.waiting()).map_err(|error| Refusal::fault(&error))?;
    let life = provider.config.lives.pushed_request;
    provider.store.push_request(digest_of(&name), &client.id, &waiting, provider.clock.now() + life).await?;
    let answer = json!({ "request_uri": format!("{PREFIX}{name}"), "expires_in": life.as_secs() });
    let unkept = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")].map(|(k, v)| (k, HeaderValue::from_static(v)));
    Ok((StatusCode::CREATED, unkept, Json(answer)).into_response())
}

/// By what a pushed request is found.
pub(super) fn digest_of(name: &str) -> [u8; 32] {
    digest(&SHA256, name.as_bytes()).as_ref().try_into().unwrap_or([0; 32])
}

/// Here nothing is redirected: the client itself is told.
fn refusal(stop: Stop) -> Refusal {
    let error = match stop {
        Stop::Page(error) => error,
        Stop::Answer(answered) => answered.error,
        Stop::Fault(error) => return error.into(),
    };
    let is_client = error.code == ErrorCode::InvalidClient;
    if is_client { Refusal::client() } else { Refusal::new(error.code, error.description) }
}
