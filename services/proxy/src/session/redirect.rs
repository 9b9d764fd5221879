//! Redirects of a sign-in and sign-out.

use axum::response::Response;
use http::HeaderValue;
use http::header::REFERRER_POLICY;
use web::response::see_other;

/// Sends the browser to a URL that holds nothing but what may stand in a header.
pub(super) fn redirect(to: &str) -> Response {
    let mut response = see_other(to);
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
