//! The endpoint of the metadata of protected resources (RFC 9728 3).

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST,
};
use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode};
use web::header::single;

use crate::entrypoint::Entrypoint;
use crate::path::{Leniency, Path, below};
use crate::protected_resource::PATH;
use crate::refusal::Refusal;
use crate::request_info::{RequestInfo, is_preflight};
use crate::routes::Route;
use crate::routing::Routing;

/// Its methods.
const METHODS: &str = "GET, HEAD";
/// Paths that no route takes which is meant for the metadata.
const OTHERS: [&str; 2] = ["/", "/-"];

/// The metadata that a request is for; `None` if there is none there, or if a backend answers itself.
pub(crate) fn document(entrypoint: &Entrypoint, request: &Request) -> Option<Bytes> {
    let (uri, headers) = (request.uri(), request.headers());
    below(uri.path(), PATH)?;
    let host = uri.authority().map(Authority::as_str).or_else(|| single(headers, &HOST))?;
    let path = Path::parse(uri.path(), Leniency::default()).ok()?;
    let (method, is_https, query) = (request.method(), entrypoint.is_https, uri.query());
    let info = RequestInfo { method, is_https, host, path: &path, query, headers, source: None };
    let routing = entrypoint.routing.current();
    published(&routing, &info)
}

/// The metadata at the path of a request, unless an unprotected route is meant for this path.
fn published(routing: &Routing, info: &RequestInfo<'_>) -> Option<Bytes> {
    let is_of_backend = routing.route(info).is_some_and(|(route, _)| is_of_backend(route));
    if is_of_backend { None } else { routing.rules.resources.document(info.host, info.path.raw()) }
}

/// Whether the backend of the route of a path of metadata authenticates clients and publishes its own. A route that takes other paths
/// too, like that of a web client at `/`, says nothing about this one.
fn is_of_backend(route: &Route) -> bool {
    let takes_others = route.pattern.path.as_ref().is_none_or(|path| OTHERS.iter().any(|other| path.fits(other)));
    route.unprotected && !takes_others
}

/// The response with the metadata, which any site's page may read (`docs/security-requirements.md#e62`). A client in a browser sends
/// headers of its own, like `MCP-Protocol-Version`, for which the browser asks by a preflight.
pub(crate) fn respond(request: &Request, document: Bytes) -> Response {
    let method = request.method();
    if is_preflight(method, request.headers()) {
        return preflight();
    }
    if ![Method::GET, Method::HEAD].contains(method) {
        return Refusal::method_not_allowed(METHODS).into_response();
    }
    let length = HeaderValue::from(document.len());
    let body = if *method == Method::HEAD { Body::empty() } else { Body::from(document) };
    let mut response = Response::new(body);
    response.headers_mut().extend([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (CONTENT_LENGTH, length),
    ]);
    response
}

/// The response to a preflight: the metadata is the same whatever headers the request has. It grants no credentials of the browser.
fn preflight() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().extend([
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS)),
        // the asterisk is for every header but this one
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*, Authorization")),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600")),
    ]);
    response
}

#[cfg(test)]
mod tests;
