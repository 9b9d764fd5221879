//! Pushed authorization requests (RFC 9126): the client sends the request itself, proves who it is, and sends the browser with
//! a name for it that is answered once.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::error::ErrorCode;
use store::StoreError;

use super::flow::PendingRequest;
use super::rejection::Rejection;
use crate::engine::clients::Client;
use crate::engine::provider::Provider;

/// The prefix of the names.
pub(super) const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The longest lifetime for clients that follow FAPI 2.0: less than ten minutes (Security Profile 5.3.2.2).
const OF_FAPI2: Duration = Duration::from_secs(599);

/// Keeps a request of a client; answers its `request_uri`, and how long that is known.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn keep(
    provider: &Provider,
    client: &Client,
    request: &PendingRequest,
) -> Result<(String, Duration), StoreError> {
    let name = URL_SAFE_NO_PAD.encode(provider.random.bytes::<32>());
    let text = serde_json::to_string(request).map_err(|error| StoreError::internal(error.to_string()))?;
    let configured = provider.config.lifetimes.pushed_request;
    let lifetime = if client.is_fapi2() { configured.min(OF_FAPI2) } else { configured };
    let end = provider.clock.now() + lifetime;
    provider.store.push_request(digest_of(&name), &client.id, &text, end).await?;
    Ok((format!("{PREFIX}{name}"), lifetime))
}

/// The parameters of a request that this client has pushed, until it is answered (row I28).
///
/// # Errors
/// [`Rejection`] if there is no such request, or no longer.
pub(super) async fn load(provider: &Provider, client: &str, name: &str) -> Result<Vec<(String, String)>, Rejection> {
    let found = provider.store.pushed_request(digest_of(name), client, provider.clock.now()).await?;
    let pending: PendingRequest = serde_json::from_str(&found.ok_or_else(used)?).map_err(|_| used())?;
    let mut parameters = pending.parameters;
    parameters.extend(pending.resources.into_iter().map(|uri| ("resource".to_owned(), uri)));
    parameters.extend(pending.dpop_jkt.map(|jkt| ("dpop_jkt".to_owned(), jkt)));
    Ok(parameters)
}

/// Uses up the pushed request with this name, if there is one, as its response is about to be issued (RFC 9126 4).
///
/// # Errors
/// [`Rejection`] if it was answered before, by this flow or by another one that began with it.
pub(super) async fn use_up(provider: &Provider, name: Option<&str>) -> Result<(), Rejection> {
    let Some(name) = name else { return Ok(()) };
    // whichever flow began with it, it cannot continue for longer
    let lifetimes = &provider.config.lifetimes;
    let kept = provider.clock.now() + lifetimes.pushed_request + lifetimes.interaction;
    if provider.store.use_up_request(digest_of(name), kept).await? { Ok(()) } else { Err(used()) }
}

fn used() -> Rejection {
    Rejection::page(ErrorCode::InvalidRequestUri, "request_uri is not known, was used, or has expired")
}

/// By what a pushed request is found.
fn digest_of(name: &str) -> [u8; 32] {
    crypto::fingerprint(name.as_bytes())
}
