//! Pushed authorization requests (RFC 9126): the client hands the request in itself, proves who it is, and sends the
//! browser with a name for it that is answered once.

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::error::ErrorCode;
use serde_json::json;

use super::AtSite;
use super::request::{self, Checked, Stop};
use crate::answer::Refusal;
use crate::provider::Provider;
use crate::token::asked::Asked;
use crate::token::{certificate, dpop};

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
    let asked = Asked::read(provider, site, request, site.paths.pushed).await?;
    let Asked { client, form, .. } = &asked;
    let is_proof = |(name, _): &&(String, String)| PROOFS.contains(&name.as_str());
    let mut parameters: Vec<_> = form.pairs().iter().filter(|pair| !is_proof(pair)).cloned().collect();
    if form.get("request_uri").is_some() {
        return Err(Refusal::invalid("a pushed request has no request_uri"));
    }
    if form.get("client_id").is_none() {
        parameters.push(("client_id".to_owned(), client.id.clone()));
    }
    let checked = request::resolve(provider, site, parameters, Some(client)).await.map_err(refusal)?;
    let dpop_jkt = bound_key(at, &asked, checked.dpop_jkt.clone()).await?;
    let checked = Checked { dpop_jkt, ..checked };
    let name = URL_SAFE_NO_PAD.encode(provider.random.bytes::<32>());
    let waiting = serde_json::to_string(&checked.waiting()).map_err(|error| Refusal::fault(&error))?;
    let life = provider.config.lives.pushed_request;
    provider.store.push_request(digest_of(&name), &client.id, &waiting, provider.clock.now() + life).await?;
    let answer = json!({ "request_uri": format!("{PREFIX}{name}"), "expires_in": life.as_secs() });
    let unkept = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")].map(|(k, v)| (k, HeaderValue::from_static(v)));
    Ok((StatusCode::CREATED, unkept, Json(answer)).into_response())
}

/// The key that alone may redeem the code: the one that the client has proved to have, or has named (RFC 9449 10.1).
async fn bound_key(at: &AtSite, asked: &Asked, named: Option<String>) -> Result<Option<String>, Refusal> {
    let AtSite { provider, site } = at;
    let Parts { headers, method, extensions, .. } = &asked.parts;
    let url = certificate::called(site, extensions, site.paths.pushed);
    match (dpop::proof(provider, headers, method, &url, None).await?, named) {
        (Some(proved), Some(named)) if proved != named => {
            Err(Refusal::new(ErrorCode::InvalidDpopProof, "dpop_jkt is not the key of the DPoP proof"))
        }
        (proved, named) => Ok(proved.or(named)),
    }
}

/// Uses a pushed request up, as its answer is about to be issued (RFC 9126 4).
///
/// # Errors
/// [`Stop`] if it was answered before, by this flow or by another one that began with it.
pub(super) async fn use_up(provider: &Provider, checked: &Checked) -> Result<(), Stop> {
    let Some(name) = &checked.pushed else { return Ok(()) };
    // whichever flow began with it, it cannot go on for longer
    let lives = &provider.config.lives;
    let kept = provider.clock.now() + lives.pushed_request + lives.interaction;
    if provider.store.use_up_request(digest_of(name), kept).await? { Ok(()) } else { Err(used()) }
}

/// What is answered where there is no such pushed request (any more).
pub(super) fn used() -> Stop {
    Stop::page(ErrorCode::InvalidRequestUri, "request_uri is not known, was used, or is over")
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
