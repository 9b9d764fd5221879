//! Responses to browsers: pages and redirects.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::policy::Policy;

/// Two years, which the preload lists of browsers require.
const HSTS: &str = "max-age=63072000";

/// What the headers of a page depend on.
#[derive(Clone, Copy)]
pub struct PageHeaders<'a> {
    /// The language tag of the page (RFC 5646).
    pub language: &'static str,
    /// Whether browsers reach the site by https.
    pub is_https: bool,
    /// What the browser may do with the page.
    pub policy: &'a Policy<'a>,
}

/// A page, with the headers of pages (`docs/security-requirements.md#i18`).
pub fn page(status: StatusCode, template: &impl Template, page: &PageHeaders<'_>) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_LANGUAGE, page.language),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !page.policy.framed {
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if page.is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    headers.insert(CONTENT_SECURITY_POLICY, page.policy.header());
    response
}

/// The same response, with the seconds to wait.
pub fn with_retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Redirects a browser by 303, so that it does not repeat a form there (`docs/security-requirements.md#i16`).
pub fn see_other(uri: &str) -> Response {
    match HeaderValue::try_from(uri) {
        Ok(location) => {
            let uncached = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (StatusCode::SEE_OTHER, [(LOCATION, location), uncached]).into_response()
        }
        // A URL is visible ASCII, and what is added to it is encoded.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
