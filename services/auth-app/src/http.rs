//! `/auth-app/tokens`: the documented calls, which take all parameters from the query, and one resource for each token.

mod answer;
mod body;
mod collection;
mod item;
mod params;
mod principal;

use std::sync::Arc;

use ::token::Verifier;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use runtime::Clock;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::applications::Applications;

/// The contract, as it is served and as it stands in the documentation.
pub const OPENAPI: &str = include_str!("../../../docs/openapi/auth-app.json");

/// What the handlers work with.
#[derive(Clone)]
pub struct Api {
    applications: Arc<Applications>,
    verifier: Verifier,
    clock: Clock,
    /// The path below which everything is served, without a `/` at its end.
    root: Arc<str>,
}

impl Api {
    /// Answers with these applications to callers whose internal token the verifier accepts. `root` is where the router is
    /// mounted, for links.
    pub fn new(applications: Arc<Applications>, verifier: Verifier, clock: Clock, root: &str) -> Self {
        Self { applications, verifier, clock, root: root.trim_end_matches('/').into() }
    }

    fn link(&self, rest: &str) -> String {
        format!("{}/auth-app/tokens{rest}", self.root)
    }
}

/// The routes.
pub fn router(api: Api) -> Router {
    let tokens = get(collection::list).post(collection::create).delete(collection::revoke);
    let token = get(item::show).delete(item::revoke).patch(item::rename);
    // answers hold secrets, or say who has which
    let unkept = SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Router::new()
        .route("/auth-app/tokens", tokens.clone())
        .route("/auth-app/tokens/", tokens)
        .route("/auth-app/tokens/{id}", token)
        .with_state(api)
        .layer(unkept)
        .route("/auth-app/openapi.json", get(openapi))
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}
