//! `WebFinger` (RFC 7033): programs that know no more than where the installation is ask for its issuer, and which client
//! they are.
//!
//! The answer is `application/json`, because that is what `OpenCloud`'s desktop program looks for.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::endpoints::{EndpointProfile, page};
use crate::engine::provider::Provider;

const ISSUER: &str = "http://openid.net/specs/connect/1.0/issuer";
const CLIENT_ID: &str = "http://opencloud.eu/ns/oidc/client_id";
const SCOPES: &str = "http://opencloud.eu/ns/oidc/scopes";
/// The set of clients that these programs are among.
const CLIENTS: &str = "opencloud";
/// The longest resource that is looked at, in bytes: it comes back in the answer.
const MAX_RESOURCE: usize = 2048;
/// Which client a program of a platform is, and whether it stays signed in.
const PLATFORMS: [(&str, &str, bool); 4] = [
    ("web", "web", false),
    ("desktop", "OpenCloudDesktop", true),
    ("android", "OpenCloudAndroid", true),
    ("ios", "OpenCloudIOS", true),
];
const BRIEF_SCOPES: [&str; 3] = ["openid", "profile", "email"];
const LASTING_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Answers where the layout `opencloud` is served.
pub(crate) fn router(provider: &Provider) -> Router {
    let Some(endpoints) = provider.endpoints(EndpointProfile::OpenCloud) else { return Router::new() };
    let knows_clients = provider.config.default_clients.iter().any(|set| set == CLIENTS);
    routes(Finger { issuer: endpoints.issuer.clone(), origin: Origin::of_site(endpoints.origin()), knows_clients })
}

fn routes(finger: Finger) -> Router {
    Router::new().route(page::WEBFINGER, get(find)).with_state(Arc::new(finger))
}

/// What is answered with.
struct Finger {
    issuer: String,
    origin: Option<Origin>,
    knows_clients: bool,
}

/// A scheme, a host in lower case, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    fn of_site(site: &str) -> Option<Self> {
        let uri: Uri = site.parse().ok()?;
        let scheme = uri.scheme_str()?.to_owned();
        let usual = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        Some(Self { scheme, host: uri.host()?.to_ascii_lowercase(), port: uri.port_u16().unwrap_or(usual) })
    }

    /// Whether a resource is here: a URL below this origin, or an account at its host.
    fn has(&self, resource: &str) -> bool {
        match resource.strip_prefix("acct:") {
            Some(account) => {
                let host = account.rsplit_once('@').map(|(_, host)| host);
                host.is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
            }
            None => Self::of_site(resource).is_some_and(|origin| origin == *self),
        }
    }
}

#[derive(Debug, Default)]
struct WebfingerQuery {
    resource: Option<String>,
    relations: Vec<String>,
    platform: Option<String>,
}

impl WebfingerQuery {
    fn read(text: &str) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match name.as_ref() {
                "resource" => query.resource = Some(value.into_owned()),
                "rel" => query.relations.push(value.into_owned()),
                "platform" => query.platform = Some(value.into_owned()),
                _ => {}
            }
        }
        query
    }
}

async fn find(State(finger): State<Arc<Finger>>, RawQuery(query): RawQuery) -> Response {
    let query = WebfingerQuery::read(&query.unwrap_or_default());
    let resource = query.resource.as_deref().filter(|resource| !resource.is_empty() && resource.len() <= MAX_RESOURCE);
    let Some(resource) = resource else { return StatusCode::BAD_REQUEST.into_response() };
    if !finger.origin.as_ref().is_some_and(|origin| origin.has(resource)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let kept = [(CACHE_CONTROL, "public, max-age=3600")];
    (kept, Json(finger.descriptor(resource, &query))).into_response()
}

impl Finger {
    /// The descriptor (RFC 7033 4.4). It does not depend on whether there is such an account.
    fn descriptor(&self, resource: &str, query: &WebfingerQuery) -> Value {
        // a request that names no relation asks for all
        let wants_issuer = query.relations.is_empty() || query.relations.iter().any(|relation| relation == ISSUER);
        let links = if wants_issuer { vec![json!({ "rel": ISSUER, "href": self.issuer })] } else { Vec::new() };
        let mut descriptor = json!({ "subject": resource, "links": links });
        let platform = query.platform.as_deref().filter(|_| self.knows_clients);
        if let Some((_, client, lasts)) = PLATFORMS.iter().find(|(name, ..)| Some(*name) == platform) {
            let scopes: &[&str] = if *lasts { &LASTING_SCOPES } else { &BRIEF_SCOPES };
            descriptor["properties"] = json!({ CLIENT_ID: client, SCOPES: scopes });
        }
        descriptor
    }
}
