//! Redirects.

use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// 303: what was posted is not posted again there (row I16).
pub(crate) fn see_other(uri: &str) -> Response {
    match HeaderValue::try_from(uri) {
        Ok(location) => {
            let uncached = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (StatusCode::SEE_OTHER, [(LOCATION, location), uncached]).into_response()
        }
        // a registered URI is visible ASCII, and what is added to it is encoded
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
