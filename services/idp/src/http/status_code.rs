//! `status_code` in JSON errors at the paths of Cells, as Hydra has it there: programs of Cells take an error for a success
//! unless it says a status above 299.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// What all paths of Cells begin with.
const CELLS: &str = "/oidc/";
/// The longest error of ours, in bytes.
const MAX_ERROR: usize = 64 * 1024;

/// Adds the HTTP status as `status_code` to every JSON error under [`CELLS`]. Everything else stays as it is.
pub(crate) async fn add(request: Request, next: Next) -> Response {
    let is_cells = request.uri().path().starts_with(CELLS);
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if is_cells && is_error && is_json(response.headers()) {
        with_status_code(response, status).await
    } else {
        response
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

async fn with_status_code(response: Response, status: StatusCode) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, MAX_ERROR).await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let Ok(mut members) = serde_json::from_slice::<Map<String, Value>>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    members.insert("status_code".to_owned(), status.as_u16().into());
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(Value::Object(members).to_string()))
}
