//! The few pages that the edge shows itself.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use web::policy::{Forms, Policy};
use web::response::see_other;

/// A form may lead to the issuer, so its target is left open; nothing else is loaded or framed.
const POLICY: Policy<'static> = Policy { has_style: false, forms: Forms::Anywhere, ..Policy::here() };

/// A page with a title and what is below it, which is HTML.
pub(super) fn page(status: StatusCode, title: &str, below: &str) -> Response {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head>\n<body><h1>{title}</h1>\n{below}\n</body></html>\n"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.header());
    // without a referrer, browsers would hide where the form comes from
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sends the browser to a URL that holds nothing but what may stand in a header.
pub(super) fn redirect(to: &str) -> Response {
    let mut response = see_other(to);
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
