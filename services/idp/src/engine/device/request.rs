//! What a device asks for (RFC 8628 3.1 and 3.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::error::ErrorCode;
use oidc::scope::{self, Scopes};
use serde::{Deserialize, Serialize};
use store::StoreError;

use super::user_code::UserCode;
use crate::endpoints::{EndpointProfile, IssuerEndpoints, page};
use crate::engine::client_request::ClientRequest;
use crate::engine::clients::{Client, GrantType};
use crate::engine::error::OAuthError;
use crate::engine::provider::Provider;
use crate::model::loses_api_scopes;
use crate::store::StoredDevice;

/// The prefix of device codes, by which they are found where they should not be.
const PREFIX: &str = "dwd_";
/// Seconds between two polls of a device.
const INTERVAL: u32 = 5;
/// How often another user code is tried if one is taken.
const TRIES: usize = 3;
/// The most resources of one request (RFC 8707), and the longest of them in bytes.
const MAX_RESOURCES: usize = 8;
const MAX_RESOURCE: usize = 512;

/// What a device asks for, as it is kept until the user decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviceRequest {
    /// The issuer that received the request.
    #[serde(rename = "l")]
    pub(crate) layout: EndpointProfile,
    /// For what, in the form of the parameter `scope`.
    #[serde(rename = "o")]
    pub(crate) scope: String,
    /// What its tokens shall be for (RFC 8707).
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) resources: Vec<String>,
    /// Whether it requested scopes of the API, and may have none of them: see [`Grant::limited`](crate::model::Grant::limited).
    #[serde(rename = "y", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) limited: bool,
}

impl DeviceRequest {
    /// The scope that it asks for.
    pub(crate) fn scopes(&self) -> Scopes {
        // it was written by us
        self.scope.parse().unwrap_or_default()
    }
}

/// The device authorization response (3.2).
#[derive(Serialize)]
pub(crate) struct DeviceAuthorization {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u32,
}

/// Takes up the request of a device.
///
/// # Errors
/// `unauthorized_client`, `invalid_scope` and `invalid_target`.
pub(crate) async fn authorize(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    request: &ClientRequest<'_>,
) -> Result<DeviceAuthorization, OAuthError> {
    let ClientRequest { client, form, .. } = request;
    if !client.may(GrantType::DeviceCode) {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "the client is not registered for devices"));
    }
    let (scope, limited) = scope(client, form.get("scope").unwrap_or_default())?;
    let resources: Vec<String> = form.all("resource").map(str::to_owned).collect();
    if resources.len() > MAX_RESOURCES || !resources.iter().all(|uri| is_resource(uri)) {
        return Err(OAuthError::new(ErrorCode::InvalidTarget, "resource is an absolute URI without a fragment"));
    }
    if !resources.iter().all(|uri| provider.clients.may_target(client, uri)) {
        return Err(OAuthError::new(ErrorCode::InvalidTarget, "this client may not ask for tokens for that resource"));
    }
    let request = DeviceRequest { layout: endpoints.layout, scope: scope.to_string(), resources, limited };
    let (device_code, user_code) = add(provider, client, &request).await?;
    let (user_code, verification_uri) = (user_code.to_string(), endpoints.url(page::DEVICE));
    Ok(DeviceAuthorization {
        device_code,
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        user_code,
        verification_uri,
        expires_in: provider.config.lifetimes.device_code.as_secs(),
        interval: INTERVAL,
    })
}

/// The digest by which a device code is found; `None` for a text that is no device code.
pub(crate) fn digest(device_code: &str) -> Option<[u8; 32]> {
    let is_one = device_code.starts_with(PREFIX) && device_code.len() <= 64;
    is_one.then(|| crypto::fingerprint(device_code.as_bytes()))
}

/// The scopes that can be granted of the requested ones, and whether scopes of the API were requested in vain.
fn scope(client: &Client, asked: &str) -> Result<(Scopes, bool), OAuthError> {
    let asked: Scopes =
        asked.parse().map_err(|error: scope::ScopeError| OAuthError::new(error.code(), error.to_string()))?;
    let granted = grantable(&asked, |token| client.may_be_granted(token), client.may(GrantType::RefreshToken));
    if granted.is_empty() && !asked.is_empty() {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "the client may have nothing of that scope"));
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

/// Keeps the request under two new codes.
async fn add(provider: &Provider, client: &Client, request: &DeviceRequest) -> Result<(String, UserCode), OAuthError> {
    let device_code = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(provider.random.bytes::<32>()));
    let mut tries = 1..=TRIES;
    loop {
        let user_code = UserCode::generate(&provider.random);
        let device = StoredDevice {
            digest: digest(&device_code).unwrap_or_default(),
            user_code: user_code.as_str().to_owned(),
            request: serde_json::to_string(request).map_err(|error| OAuthError::fault(&error))?,
            client: client.id.clone(),
            expires: provider.clock.now() + provider.config.lifetimes.device_code,
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
    fn a_request_is_read_as_it_is_written() {
        let request = DeviceRequest {
            layout: EndpointProfile::Cells,
            scope: "openid".to_owned(),
            resources: vec!["urn:x".to_owned()],
            limited: true,
        };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<DeviceRequest>(&text).unwrap(), request);
    }
}
