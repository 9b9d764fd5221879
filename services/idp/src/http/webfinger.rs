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

use crate::Config;
use crate::config::webfinger::{ISSUER, PlatformClient};
use crate::endpoints::{EndpointProfile, page};
use crate::engine::provider::Provider;

const CLIENT_ID: &str = "http://opencloud.eu/ns/oidc/client_id";
const SCOPES: &str = "http://opencloud.eu/ns/oidc/scopes";
/// The set of clients that these programs are among.
const CLIENTS: &str = "opencloud";
/// The longest resource that is looked at, in bytes: it comes back in the answer.
const MAX_RESOURCE: usize = 2048;
/// The client of that set that a program of a platform is.
const BUILT_IN: [(&str, &str); 4] =
    [("web", "web"), ("desktop", "OpenCloudDesktop"), ("android", "OpenCloudAndroid"), ("ios", "OpenCloudIOS")];
/// The platform whose program does not stay signed in.
const WEB: &str = "web";
const BRIEF_SCOPES: [&str; 3] = ["openid", "profile", "email"];
const LASTING_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Answers where the layout `opencloud` is served, or another issuer or a client is configured.
pub(crate) fn router(provider: &Provider) -> Router {
    Finger::of(&provider.config).map_or_else(Router::new, routes)
}

fn routes(finger: Finger) -> Router {
    Router::new().route(page::WEBFINGER, get(find)).with_state(Arc::new(finger))
}

/// Warns of configured clients of our own issuer that are not registered here.
pub(crate) async fn warn_of_unknown_clients(provider: &Provider) {
    if !Finger::of(&provider.config).is_some_and(|finger| finger.is_own_issuer) {
        return;
    }
    for (platform, client) in provider.config.webfinger.platforms() {
        if !client.id.is_empty() && matches!(provider.clients.find(client.id).await, Ok(None)) {
            let (setting, id) = (client.key, client.id);
            tracing::warn!(
                platform,
                "webfinger.{setting}: {id:?} is not a registered client; register it, or the program cannot sign in"
            );
        }
    }
}

/// What is answered with.
struct Finger {
    issuer: String,
    /// Whether it is one of this service.
    is_own_issuer: bool,
    answers_issuer: bool,
    origin: Option<Origin>,
    platforms: Vec<Platform>,
}

/// The client of the programs of a platform.
struct Platform {
    name: &'static str,
    client_id: String,
    scopes: Vec<String>,
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
    /// What is answered with these settings; `None` where there is nothing to answer.
    fn of(config: &Config) -> Option<Self> {
        let (settings, sites) = (&config.webfinger, config.sites());
        let configured = settings.oidc_issuer.trim_end_matches('/');
        let named = sites.iter().find(|site| site.issuer == configured);
        let opencloud = sites.iter().find(|site| site.layout == EndpointProfile::OpenCloud);
        let is_foreign = named.is_none() && !configured.is_empty();
        let names_clients = settings.platforms().iter().any(|(_, client)| !client.id.is_empty());
        if opencloud.is_none() && !is_foreign && !names_clients {
            return None;
        }
        let issuer = match named.or(opencloud).or(sites.first()) {
            Some(own) if !is_foreign => own.issuer.clone(),
            _ => settings.oidc_issuer.clone(),
        };
        Some(Self {
            issuer,
            is_own_issuer: !is_foreign,
            answers_issuer: settings.relations.iter().any(|relation| relation == ISSUER),
            origin: Origin::of_site(&config.site()),
            platforms: platforms(config, !is_foreign),
        })
    }

    /// The descriptor (RFC 7033 4.4). It does not depend on whether there is such an account.
    fn descriptor(&self, resource: &str, query: &WebfingerQuery) -> Value {
        // a request that names no relation asks for all
        let wants_issuer = query.relations.is_empty() || query.relations.iter().any(|relation| relation == ISSUER);
        let links = if wants_issuer && self.answers_issuer {
            vec![json!({ "rel": ISSUER, "href": self.issuer })]
        } else {
            Vec::new()
        };
        let mut descriptor = json!({ "subject": resource, "links": links });
        let platform = query.platform.as_deref();
        if let Some(platform) = self.platforms.iter().find(|known| Some(known.name) == platform) {
            descriptor["properties"] = json!({ CLIENT_ID: platform.client_id, SCOPES: platform.scopes });
        }
        descriptor
    }
}

/// The platforms with a client: a configured one, or the built-in one if it is loaded and the issuer is our own.
fn platforms(config: &Config, is_own_issuer: bool) -> Vec<Platform> {
    let knows_clients = is_own_issuer && config.default_clients.iter().any(|set| set == CLIENTS);
    let platform = |(name, client): (&'static str, PlatformClient<'_>)| {
        let built_in = || BUILT_IN.iter().find(|(platform, _)| knows_clients && *platform == name).map(|(_, id)| *id);
        let client_id = Some(client.id).filter(|id| !id.is_empty()).or_else(built_in)?.to_owned();
        let usual: &[&str] = if name == WEB { &BRIEF_SCOPES } else { &LASTING_SCOPES };
        let mut scopes: Vec<String> = client.scopes().map(str::to_owned).collect();
        if scopes.is_empty() {
            scopes = usual.iter().map(|&scope| scope.to_owned()).collect();
        }
        Some(Platform { name, client_id, scopes })
    };
    config.webfinger.platforms().into_iter().filter_map(platform).collect()
}
