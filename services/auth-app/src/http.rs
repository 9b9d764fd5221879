//! `/auth-app/tokens`: the documented calls, which take all parameters from the query, and one resource for each token.

mod answer;
mod body;
mod collection;
mod document;
mod item;
mod params;
mod principal;
mod query;
mod schemas;

use std::sync::Arc;

use ::token::Verifier;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::routing::get;
use runtime::Clock;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::applications::Applications;
pub use document::openapi_document;

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
    let (router, _) = routes().split_for_parts();
    router.with_state(api)
}

fn routes() -> OpenApiRouter<Api> {
    // responses have secrets, or say which user has which token
    let no_store = SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // the same as without the `/` at the end, and described there
    let with_slash = get(collection::list).post(collection::create).delete(collection::revoke);
    OpenApiRouter::with_openapi(document::frame())
        .routes(routes!(collection::list, collection::create, collection::revoke))
        .route("/auth-app/tokens/", with_slash)
        .routes(routes!(item::show, item::revoke, item::rename))
        .layer(no_store)
        .routes(routes!(document::show))
}
