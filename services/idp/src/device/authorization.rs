//! The device authorization endpoint (RFC 8628 3.1 and 3.2).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::error::ErrorCode;
use oidc::scope::{self, Scopes};
use serde::{Deserialize, Serialize};
use store::StoreError;

use super::user_code::UserCode;
use super::{PREFIX, digest};
use crate::answer::Refusal;
use crate::clients::{Client, GrantType};
use crate::endpoints::{Layout, Site, page};
use crate::model::loses_api_scopes;
use crate::provider::Provider;
use crate::store::StoredDevice;
use crate::token::asked::Asked;

/// Seconds between two questions of a device.
const INTERVAL: u32 = 5;
/// How often another user code is tried if one is taken.
const TRIES: usize = 3;
/// The most resources of one request (RFC 8707), and the longest of them in bytes.
const MAX_RESOURCES: usize = 8;
const MAX_RESOURCE: usize = 512;
/// What a device asks for, as it is kept until somebody decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wish {
    /// The issuer that it asked.
    #[serde(rename = "l")]
    pub(super) layout: Layout,
    /// For what, in the form of the parameter `scope`.
    #[serde(rename = "o")]
    pub(super) scope: String,
    /// What its tokens shall be for (RFC 8707).
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) resources: Vec<String>,
    /// Whether it asked for scopes of the API, and may have none of them: see [`Grant::limited`](crate::model::Grant::limited).
    #[serde(rename = "y", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) limited: bool,
}

/// The answer (3.2).
#[derive(Serialize)]
struct Answer<'a> {
    device_code: &'a str,
    user_code: &'a str,
    verification_uri: &'a str,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u32,
}

#[derive(Clone)]
struct Endpoint {
    provider: Provider,
    site: Arc<Site>,
}

pub(super) fn router(provider: &Provider) -> Router {
    let mut router = Router::new();
    for site in &provider.sites {
        let endpoint = Endpoint { provider: provider.clone(), site: Arc::new(site.clone()) };
        router = router.merge(Router::new().route(site.paths.device, post(authorize)).with_state(endpoint));
    }
    router
}

async fn authorize(State(Endpoint { provider, site }): State<Endpoint>, request: Request) -> Result<Response, Refusal> {
    let Asked { client, form, .. } = Asked::read(&provider, &site, request, site.paths.device).await?;
    if !client.may(GrantType::DeviceCode) {
        return Err(Refusal::new(ErrorCode::UnauthorizedClient, "the client is not registered for devices"));
    }
    let (scope, limited) = scope(&client, form.get("scope").unwrap_or_default())?;
    let resources: Vec<String> = form.all("resource").map(str::to_owned).collect();
    if resources.len() > MAX_RESOURCES || !resources.iter().all(|uri| is_resource(uri)) {
        return Err(Refusal::new(ErrorCode::InvalidTarget, "resource is an absolute URI without a fragment"));
    }
    if !resources.iter().all(|uri| client.may_target(uri)) {
        return Err(Refusal::new(ErrorCode::InvalidTarget, "this client may not ask for tokens for that resource"));
    }
    let wish = Wish { layout: site.layout, scope: scope.to_string(), resources, limited };
    let (device_code, user_code) = add(&provider, &client, &wish).await?;
    let (shown, uri) = (user_code.to_string(), site.url(page::DEVICE));
    let answer = Json(Answer {
        device_code: &device_code,
        user_code: &shown,
        verification_uri: &uri,
        verification_uri_complete: format!("{uri}?user_code={shown}"),
        expires_in: provider.config.lives.device_code.as_secs(),
        interval: INTERVAL,
    });
    let unkept =
        [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (PRAGMA, HeaderValue::from_static("no-cache"))];
    Ok((unkept, answer).into_response())
}

/// What can be granted of what is asked for, and whether scopes of the API were asked for in vain.
fn scope(client: &Client, asked: &str) -> Result<(Scopes, bool), Refusal> {
    let asked: Scopes =
        asked.parse().map_err(|error: scope::ScopeError| Refusal::new(error.code(), error.to_string()))?;
    let granted = grantable(&asked, |token| client.may_be_granted(token), client.may(GrantType::RefreshToken));
    if granted.is_empty() && !asked.is_empty() {
        return Err(Refusal::new(ErrorCode::InvalidScope, "the client may have nothing of that scope"));
    }
    let limited = loses_api_scopes(&asked, &granted);
    Ok((granted, limited))
}

fn grantable(asked: &Scopes, may_be_granted: impl Fn(&str) -> bool, offline: bool) -> Scopes {
    let known = |token: &&str| may_be_granted(token);
    let may = |token: &&str| offline || !matches!(*token, scope::OFFLINE_ACCESS | scope::OFFLINE);
    // a part of a set that was read is one itself
    Scopes::of(asked.iter().filter(known).filter(may)).unwrap_or_default()
}

fn is_resource(uri: &str) -> bool {
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    let has_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    has_scheme && uri.len() <= MAX_RESOURCE && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Writes the device down under two new codes.
async fn add(provider: &Provider, client: &Client, wish: &Wish) -> Result<(String, UserCode), Refusal> {
    let device_code = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(provider.random.bytes::<32>()));
    let mut tries = 1..=TRIES;
    loop {
        let user_code = UserCode::generate(&provider.random);
        let device = StoredDevice {
            digest: digest(&device_code).unwrap_or_default(),
            user_code: user_code.as_str().to_owned(),
            request: serde_json::to_string(wish).map_err(|error| Refusal::fault(&error))?,
            client: client.id.clone(),
            expires: provider.clock.now() + provider.config.lives.device_code,
            interval: INTERVAL,
        };
        match provider.store.add_device(&device).await {
            Ok(()) => return Ok((device_code, user_code)),
            // the user code is another device's
            Err(StoreError::Conflict(_)) if tries.next().is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_may_have_of_what_it_asks_for() {
        let set = |text: &str| text.parse::<Scopes>().unwrap();
        let asked = set("openid profile offline_access admin");
        let granted = |registered: &str, offline| {
            let registered = set(registered);
            grantable(&asked, |token| registered.contains(token), offline)
        };
        assert_eq!(granted("openid offline_access", true), set("openid offline_access"));
        assert_eq!(granted("openid offline_access", false), set("openid"), "it gets no refresh token");
        assert_eq!(granted("openid admin", true), set("openid admin"));
        assert_eq!(granted("email", true), set(""));
    }

    #[test]
    fn a_resource_is_an_absolute_uri_without_a_fragment() {
        for good in ["https://api.example/", "urn:x:y"] {
            assert!(is_resource(good), "{good}");
        }
        for bad in ["", "api", "/api", ":x", "1:x", "https://api.example/#x", "https://api.example/ x"] {
            assert!(!is_resource(bad), "{bad}");
        }
    }

    #[test]
    fn a_wish_is_read_as_it_is_written() {
        let wish = Wish {
            layout: Layout::Cells,
            scope: "openid".to_owned(),
            resources: vec!["urn:x".to_owned()],
            limited: true,
        };
        let text = serde_json::to_string(&wish).unwrap();
        assert_eq!(serde_json::from_str::<Wish>(&text).unwrap(), wish);
    }
}
