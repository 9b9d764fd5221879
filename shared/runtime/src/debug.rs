//! The debug server: health, metrics, the configuration in force, profiles, and spans.

mod profile;
mod zpages;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use subtle::ConstantTimeEq;

use crate::Metrics;
use crate::readiness::Readiness;
use crate::telemetry::RecentSpans;
use config::{Debug, Secret};

/// What the debug server tells.
#[derive(Debug)]
pub(crate) struct Insight {
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Metrics,
    /// The configuration in force, secrets redacted.
    pub(crate) shown: String,
    pub(crate) token: Secret,
    /// The spans of the process, where it keeps them.
    pub(crate) spans: Option<RecentSpans>,
}

/// `/healthz` and `/livez` say that the process lives, whatever its database does; `/readyz` says whether it should be
/// sent requests. What tells more than that and the configuration requires the token.
pub(crate) fn router(debug: &Debug, mut insight: Insight) -> axum::Router {
    let spans = insight.spans.take();
    let insight = Arc::new(insight);
    let mut guarded = axum::Router::new().route("/metrics", get(metrics));
    if debug.pprof {
        guarded = guarded.merge(profile::router());
    }
    if debug.zpages {
        guarded = guarded.merge(zpages::router(spans));
    }
    guarded
        .route_layer(from_fn_with_state(Arc::clone(&insight), require_token))
        .route("/healthz", get(alive))
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/config", get(config))
        .with_state(insight)
}

/// The time until an answer begins: a profile takes as long as was asked for.
pub(crate) fn timeout(debug: &Debug) -> Duration {
    const ANSWER: Duration = Duration::from_secs(5);
    if debug.pprof { ANSWER + Duration::from_secs(profile::MAX_SECONDS) } else { ANSWER }
}

/// Refuses requests without the token.
async fn require_token(State(insight): State<Arc<Insight>>, request: Request, next: Next) -> Response {
    if is_authorized(&insight.token, request.headers()) {
        return next.run(request).await;
    }
    let mut refusal = text(StatusCode::UNAUTHORIZED, "unauthorized");
    refusal.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refusal
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

/// `OpenMetrics`, unless a client accepts the text format of Prometheus and not that.
async fn metrics(State(insight): State<Arc<Insight>>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (exposition, kind) = if accepted.contains("text/plain") && !accepted.contains("openmetrics-text") {
        (insight.metrics.render_text(), "text/plain; version=0.0.4; charset=utf-8")
    } else {
        (insight.metrics.render(), "application/openmetrics-text; version=1.0.0; charset=utf-8")
    };
    let mut response = text(StatusCode::OK, exposition);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

async fn config(State(insight): State<Arc<Insight>>) -> Response {
    text(StatusCode::OK, insight.shown.clone())
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
