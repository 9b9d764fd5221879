//! The resources behind the edge for which clients need access tokens: which issuer's, as clients find it out by themselves (RFC 9728),
//! and whether these have to be issued for the resource and count nowhere else.

mod publisher;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use oidc::claims::is_meant_for;
use oidc::jose::UnverifiedJwt;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::builtin_routes::AUTH_APP;
use crate::credential::Credential;
use crate::destination::Destination;
use crate::path::below;
use crate::pattern::Pattern;
use crate::request_info::{RequestInfo, canonical_host};
use crate::site::SIGNING_KEY;

pub(crate) use publisher::Publisher;

/// The path of the metadata of a resource without a path. That of another resource has the resource's path behind it (RFC 9728 3).
pub(crate) const PATH: &str = "/.well-known/oauth-protected-resource";

/// The resources of the edge.
#[derive(Debug, Clone, Default)]
pub struct Resources(Vec<Resource>);

#[derive(Debug, Clone)]
struct Resource {
    /// The requests that its route takes, or all of its host.
    pattern: Pattern,
    /// The host of its URL, in the form of [`canonical_host`].
    host: String,
    /// The path, without a slash at its end: empty for a whole host.
    path: String,
    /// How `aud` names it: by its identifier (RFC 9728 1.2), and without a path also with a slash behind that.
    audiences: Vec<String>,
    /// Whether a route names it, so that it is more than a whole host.
    is_named: bool,
    /// Whether it is the whole site of the edge.
    is_site: bool,
    /// Whether access tokens have to be issued for it.
    needs_audience: bool,
    /// `None` if none is published.
    metadata: Option<Metadata>,
}

/// The metadata of a resource.
#[derive(Debug, Clone)]
struct Metadata {
    path: String,
    url: String,
    /// The scopes that clients should ask for.
    scopes: Vec<String>,
    document: Bytes,
}

impl Resource {
    /// Whether its route serves requests for any host.
    fn is_at_any_host(&self) -> bool {
        self.pattern.host.is_none()
    }

    /// Whether another one has the same place.
    fn is_at(&self, other: &Self) -> bool {
        self.host == other.host && self.is_at_any_host() == other.is_at_any_host() && self.path == other.path
    }

    /// Whether the path and the host of a request are below its URL, or those that its route serves.
    fn has_place_of(&self, info: &RequestInfo<'_>) -> bool {
        below(info.path.decoded(), &self.path).is_some() && (self.is_at_any_host() || info.is_for(&self.host))
    }

    /// Whether an access token with these claims was issued for it.
    fn is_target_of(&self, claims: &Map<String, Value>) -> bool {
        self.audiences.iter().any(|audience| is_meant_for(claims, audience))
    }
}

impl Resources {
    /// Those of routes, in the order of the routes, and behind them hosts as a whole, unless a route has that place. Routes for one
    /// place, like those for different methods, have one resource: if one of them needs the audience, all do.
    fn new(of_routes: impl Iterator<Item = Resource>, hosts: impl Iterator<Item = Resource>) -> Self {
        let mut resources: Vec<Resource> = Vec::new();
        for mut one in of_routes {
            if let Some(other) = resources.iter().find(|other| other.is_at(&one)) {
                one.is_named |= other.is_named;
                one.needs_audience |= other.needs_audience;
            }
            for other in resources.iter_mut().filter(|other| other.is_at(&one)) {
                (other.is_named, other.needs_audience) = (one.is_named, one.needs_audience);
            }
            resources.push(one);
        }
        for host in hosts {
            if !resources.iter().any(|other| other.is_at(&host)) {
                resources.push(host);
            }
        }
        Self(resources)
    }

    /// Those that a request is at, up to that of the route that takes it. Routes before that take other methods or queries, or only what
    /// is below their path.
    fn at(&self, info: &RequestInfo<'_>) -> impl Iterator<Item = &Resource> {
        let mut is_taken = false;
        let up_to_it = move |resource: &&Resource| !std::mem::replace(&mut is_taken, resource.pattern.fits(info));
        self.0.iter().filter(move |resource| resource.has_place_of(info)).take_while(up_to_it)
    }

    /// The resource of a request: the first that needs its audience, else that of the route that takes the request.
    fn of(&self, info: &RequestInfo<'_>) -> Option<&Resource> {
        self.at(info).find(|resource| resource.needs_audience).or_else(|| self.at(info).last())
    }

    /// The resource that serves a request: that of the route that takes it. What Doorward itself answers before all routes, at every
    /// host, belongs to the site.
    fn serving(&self, info: &RequestInfo<'_>) -> Option<&Resource> {
        let path = info.path.decoded();
        let is_own = SIGNING_KEY.contains(&path) || below(path, AUTH_APP).is_some();
        self.0.iter().find(|resource| resource.pattern.fits(info) && (resource.is_site || !is_own))
    }

    /// The URL of the metadata for a challenge (RFC 9728 5.1). It is that of a setting; a host that no setting names has none
    /// (`docs/security-requirements.md#e60`).
    pub(crate) fn metadata_url(&self, info: &RequestInfo<'_>) -> Option<&str> {
        let resource = self.of(info).filter(|resource| info.is_for(&resource.host))?;
        resource.metadata.as_ref().map(|metadata| metadata.url.as_str())
    }

    /// The scopes that clients should ask for at the resource of a request; none if its metadata are not published.
    pub(crate) fn scopes(&self, info: &RequestInfo<'_>) -> &[String] {
        let metadata = self.of(info).and_then(|resource| resource.metadata.as_ref());
        metadata.map_or(&[], |metadata| metadata.scopes.as_slice())
    }

    /// Whether a route names the resource of a request, and its metadata are published.
    pub(crate) fn has_named(&self, info: &RequestInfo<'_>) -> bool {
        self.of(info).is_some_and(|resource| resource.is_named && resource.metadata.is_some())
    }

    /// The metadata at this path, as the client sent it.
    pub(crate) fn document(&self, host: &str, path: &str) -> Option<Bytes> {
        let host = canonical_host(host);
        let resources = self.0.iter().filter(|resource| resource.host == host);
        let mut metadata = resources.filter_map(|resource| resource.metadata.as_ref());
        metadata.find(|metadata| metadata.path == path).map(|metadata| metadata.document.clone())
    }

    /// Whether the credential of a request counts at its resource, and at that of its destination. An access token may have to be issued
    /// for them, and one that was issued for other such resources alone does not count; browser sessions and app tokens are not
    /// concerned. The gateway has accepted the token, so that its signature is not verified again (`docs/security-requirements.md#e61`).
    pub(crate) fn accept(&self, info: &RequestInfo<'_>) -> bool {
        if !self.0.iter().any(|resource| resource.needs_audience) {
            return true;
        }
        let credential = match Credential::of(info) {
            Ok(Some(credential)) if !credential.is_app_token() => credential,
            _ => return true,
        };
        let Credential::Bearer(token) = &credential else { return true };
        let jwt = UnverifiedJwt::parse(token.expose_secret()).ok();
        let claims = jwt.as_ref().map(UnverifiedJwt::claims);
        let counts = |request: &RequestInfo<'_>| self.counts(claims, request);
        // a destination is in the backend of the request, whose route is that of its method
        let counts_there = |request: &RequestInfo<'_>| request.method != info.method || counts(request);
        counts(info)
            && match Destination::of(info) {
                Ok(Some(destination)) => destination.requests(info).iter().all(counts_there),
                _ => true,
            }
    }

    /// Whether an access token was issued for a resource that needs that, and so counts nowhere else: the server that it was sent to must
    /// not reach others by it.
    pub(crate) fn is_confined(&self, token: &str) -> bool {
        UnverifiedJwt::parse(token).is_ok_and(|jwt| self.are_targets_of(jwt.claims()))
    }

    /// Whether an access token with these claims was issued for one that needs that.
    fn are_targets_of(&self, claims: &Map<String, Value>) -> bool {
        self.0.iter().any(|resource| resource.needs_audience && resource.is_target_of(claims))
    }

    /// Whether an access token with these claims, if it is a JWT, counts for a request. It has to be issued for each resource there that
    /// needs that; and if it was issued for any such, also for the one that serves the request.
    fn counts(&self, claims: Option<&Map<String, Value>>, info: &RequestInfo<'_>) -> bool {
        let is_for = |resource: &Resource| claims.is_some_and(|claims| resource.is_target_of(claims));
        let is_confined = || claims.is_some_and(|claims| self.are_targets_of(claims));
        self.at(info).all(|resource| !resource.needs_audience || is_for(resource))
            && (self.serving(info).is_some_and(is_for) || !is_confined())
    }
}
