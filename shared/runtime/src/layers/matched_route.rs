//! The route of a request, as metrics and traces name it.

use std::sync::{Arc, OnceLock};

use axum::extract::MatchedPath;
use http::{Method, Request};
use tower::util::MapRequestLayer;
use tracing::Span;

use crate::telemetry;

/// The method and the path template of a request: `GET /tokens/{id}`. It stands in the extensions of an HTTP request until the
/// service that answers it records the route.
#[derive(Clone, Debug, Default)]
pub struct MatchedRoute(Arc<OnceLock<String>>);

impl MatchedRoute {
    /// Records the route of a request by its path template. Only the first record counts. A template must not hold parts of
    /// the path, which may be secret and would let clients make up metrics.
    pub fn record<A>(request: &Request<A>, template: &str) {
        if let Some(Self(recorded)) = request.extensions().get() {
            let route = format!("{} {template}", method_name(request.method()));
            telemetry::rename(&Span::current(), &route);
            let _ = recorded.set(route);
        }
    }

    pub(super) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// The method, or `OTHER` for an unknown one: clients must not be able to make up names.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const STANDARD: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    STANDARD.into_iter().find(|name| *name == method.as_str()).unwrap_or("OTHER")
}

/// Has a router record the route of each request.
pub(crate) fn recording_routes(router: axum::Router) -> axum::Router {
    router.layer(MapRequestLayer::new(|request: axum::extract::Request| {
        if let Some(path) = request.extensions().get::<MatchedPath>() {
            MatchedRoute::record(&request, path.as_str());
        }
        request
    }))
}
