//! Writes the metadata of resources.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::json;
use url::Url;

use super::{Metadata, PATH, Resource, Resources};
use crate::config::Config;
use crate::pattern::{PathPattern, Pattern};
use crate::request_info::canonical_host;
use crate::route_resource::{Audience, RouteResource};
use crate::routes::Route;

/// What the resources of the edge have in common, by the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    /// The URL of the edge, without a path.
    origin: String,
    /// Its host, in the form of [`canonical_host`].
    host: String,
    scheme: String,
    /// A colon and the port of the edge, or nothing for that of its scheme.
    port: String,
    /// The issuer of access tokens; `None` if no metadata is published.
    issuer: Option<String>,
    name: String,
    scopes: Vec<String>,
}

impl Publisher {
    /// By this configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let settings = &config.protected_resource;
        let url = Url::parse(&config.url).ok();
        // without a URL there is no metadata, and no access token is for a resource of a route
        let is_on = settings.metadata && !config.issuer.is_empty() && url.is_some();
        let origin = url.as_ref().map(|url| url.origin().ascii_serialization());
        let host = url.as_ref().and_then(Url::host_str).map(|host| canonical_host(host).into_owned());
        let port = url.as_ref().and_then(Url::port).map(|port| format!(":{port}"));
        Self {
            origin: origin.unwrap_or_else(|| config.url.clone()),
            host: host.unwrap_or_default(),
            scheme: url.map_or_else(|| "https".to_owned(), |url| url.scheme().to_owned()),
            port: port.unwrap_or_default(),
            issuer: is_on.then(|| config.issuer.clone()),
            name: config.pages.name.clone(),
            scopes: settings.scopes.clone(),
        }
    }

    /// The resources that routes name, and every host that has a route with authentication.
    pub(crate) fn resources<'a>(&self, routes: impl Iterator<Item = &'a Route> + Clone) -> Resources {
        let of_routes = routes.clone().filter_map(|route| self.of_route(route));
        let hosts = routes.filter(|route| !route.unprotected).filter_map(|route| route.pattern.host.as_deref());
        let hosts: BTreeSet<_> = hosts.chain([self.host.as_str()]).collect();
        let pattern = |host: &str| Pattern { host: Some(host.to_owned()), ..Pattern::default() };
        Resources::new(of_routes, hosts.into_iter().map(|host| self.resource(&pattern(host), "", None)))
    }

    /// The resource that a route names, or the host of which it takes every request, so that resources of later routes are not there.
    fn of_route(&self, route: &Route) -> Option<Resource> {
        let Route { pattern, protected_resource, unprotected, .. } = route;
        if let Some(named) = protected_resource {
            let path = match &pattern.path {
                Some(PathPattern::Prefix(path)) => path.trim_end_matches('/'),
                _ => "",
            };
            return Some(self.resource(pattern, path, Some(named)));
        }
        (is_whole_host(pattern) && !unprotected).then(|| self.resource(pattern, "", None))
    }

    /// The resource at this path of the host of a pattern, which says which requests it takes.
    fn resource(&self, pattern: &Pattern, path: &str, named: Option<&RouteResource>) -> Resource {
        let host = pattern.host.as_deref();
        let is_own = host.is_none_or(|host| host == self.host);
        let host_name = host.unwrap_or(&self.host);
        let origin = if is_own { self.origin.clone() } else { format!("{}://{host_name}{}", self.scheme, self.port) };
        let url = format!("{origin}{path}");
        let metadata = self.issuer.as_deref().map(|issuer| Metadata {
            path: format!("{PATH}{path}"),
            url: format!("{origin}{PATH}{path}"),
            scopes: self.scopes(named).to_vec(),
            document: self.document(&url, issuer, named),
        });
        // clients normalise a URL without a path to one with `/`, which is equivalent (RFC 3986 6.2.3)
        let slashed = path.is_empty().then(|| format!("{url}/"));
        Resource {
            pattern: pattern.clone(),
            host: host_name.to_owned(),
            path: path.to_owned(),
            audiences: std::iter::once(url).chain(slashed).collect(),
            is_named: named.is_some(),
            is_site: is_own && path.is_empty(),
            needs_audience: named.is_some_and(|named| named.audience == Audience::Required),
            metadata,
        }
    }

    /// The scopes that clients should ask for.
    fn scopes<'a>(&'a self, named: Option<&'a RouteResource>) -> &'a [String] {
        named.and_then(|named| named.scopes.as_deref()).unwrap_or(&self.scopes)
    }

    /// The metadata of a resource (RFC 9728 2). It says nothing about `DPoP`: the edge takes no bound tokens.
    fn document(&self, url: &str, issuer: &str, named: Option<&RouteResource>) -> Bytes {
        let name = named.and_then(|named| named.name.as_ref()).unwrap_or(&self.name);
        let document = json!({
            "resource": url,
            "authorization_servers": [issuer],
            "scopes_supported": self.scopes(named),
            "bearer_methods_supported": ["header"],
            "resource_name": name,
        });
        document.to_string().into()
    }
}

/// Whether a pattern matches every request of one host.
fn is_whole_host(pattern: &Pattern) -> bool {
    let Pattern { host, path, within, methods, except_methods, query, networks } = pattern;
    let has_no_methods = methods.is_empty() && except_methods.is_empty();
    let has_conditions = !(has_no_methods && within.is_empty() && query.is_empty() && networks.is_empty());
    let is_every_path = match path {
        None => true,
        Some(PathPattern::Prefix(path)) => path == "/",
        Some(_) => false,
    };
    host.is_some() && is_every_path && !has_conditions
}
