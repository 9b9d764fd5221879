//! The debug server: health, metrics, and the configuration in force.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use subtle::ConstantTimeEq;

use crate::Metrics;
use crate::readiness::Readiness;
use config::{Debug, Secret};

/// What the debug server tells.
#[derive(Debug)]
pub(crate) struct Insight {
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Metrics,
    /// The configuration in force, secrets redacted; `None` where it is not known.
    pub(crate) shown: Option<String>,
    pub(crate) token: Secret,
}

/// `/healthz` and `/livez` say that the process lives, whatever its database does; `/readyz` says whether it should be
/// sent requests.
pub(crate) fn router(debug: &Debug, insight: Insight) -> axum::Router {
    let mut router = axum::Router::new()
        .route("/healthz", get(alive))
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/config", get(config));
    if debug.pprof {
        router = router.route("/debug/pprof/{*profile}", get(no_profile));
    }
    router.with_state(Arc::new(insight))
}

async fn alive() -> Response {
    text(StatusCode::OK, "OK")
}

async fn ready(State(insight): State<Arc<Insight>>) -> Response {
    let failing = insight.readiness.failing().await;
    if failing.is_empty() {
        return text(StatusCode::OK, "OK");
    }
    text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}", failing.join(", ")))
}

async fn metrics(State(insight): State<Arc<Insight>>, headers: HeaderMap) -> Response {
    if !is_authorized(&insight.token, &headers) {
        let mut refusal = text(StatusCode::UNAUTHORIZED, "unauthorized");
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return refusal;
    }
    let mut response = text(StatusCode::OK, insight.metrics.render());
    let open_metrics = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, open_metrics);
    response
}

async fn config(State(insight): State<Arc<Insight>>) -> Response {
    match &insight.shown {
        Some(shown) => text(StatusCode::OK, shown.clone()),
        None => text(StatusCode::NOT_FOUND, "this service's configuration is not known here"),
    }
}

async fn no_profile() -> Response {
    text(StatusCode::NOT_IMPLEMENTED, "this program is built without a profiler; use perf on its process instead")
}

/// Whether the request bears the token, compared in constant time; without a configured token every request is allowed.
fn is_authorized(token: &Secret, headers: &HeaderMap) -> bool {
    if token.is_empty() {
        return true;
    }
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    shown.is_some_and(|shown| shown.ct_eq(token.expose().as_bytes()).into())
}

fn text(status: StatusCode, body: impl Into<String>) -> Response {
    let plain = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    (status, [plain, (header::CACHE_CONTROL, "no-store")], body.into()).into_response()
}
