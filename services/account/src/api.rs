//! The JSON API behind the pages: the same calls for the same users, for programs. Its OpenAPI document is generated from the handlers,
//! and a copy of it is `docs/openapi/account.json`.

mod account;
mod admin;
mod applications;
mod caller;
mod document;
mod events;
mod password;
mod problem;
mod profile;
mod request;
mod sessions;
mod timestamp;
mod tokens;

use std::future::ready;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;

use crate::http::signed_in::SignedIn;
use crate::state::AccountState;
use caller::{Administrator, User};
use problem::Problem;

/// The path of the document, below the root.
const DOCUMENT: &str = "/api/openapi.json";

/// The routes, below the root. Paths of the API that do not exist answer with a problem, and not with a page.
pub(crate) fn router(state: AccountState) -> Router {
    let document = Bytes::from(openapi_document(state.config.root()));
    let (router, _) = routes().split_for_parts();
    router
        .route(DOCUMENT, get(move |_: User| ready(([(CONTENT_TYPE, "application/json")], document))))
        .route("/api/{*rest}", any(not_found))
        .route("/admin/api/{*rest}", any(no_such_resource_of_administrators))
        .method_not_allowed_fallback(method_not_allowed)
        // answers have secrets, or say who has which
        .layer(map_response(with_headers))
        .with_state(state)
}

/// The OpenAPI document of the API below this root.
pub fn openapi_document(root: &str) -> String {
    document::text(routes().into_openapi(), root)
}

fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::with_openapi(document::frame())
        .merge(account::routes())
        .merge(tokens::routes())
        .merge(sessions::routes())
        .merge(applications::routes())
        .merge(events::routes())
        .merge(profile::routes())
        .merge(password::routes())
        .merge(admin::routes())
}

async fn not_found(_: User) -> Problem {
    Problem::not_found()
}

async fn no_such_resource_of_administrators(_: Administrator) -> Problem {
    Problem::not_found()
}

async fn method_not_allowed(_: User) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the resource has no such method")
}

async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The resource that was created, with its path below the root.
fn created(signed_in: &SignedIn, below: &str, resource: impl Serialize) -> Response {
    let location = [(LOCATION, signed_in.state.path(below))];
    (StatusCode::CREATED, location, Json(resource)).into_response()
}

/// A text that is left out where it is empty.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
