//! The stylesheet of pages.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};

const STYLE: &str = include_str!("../static/style.css");

/// Identifies this version.
static VERSION: LazyLock<String> =
    LazyLock::new(|| URL_SAFE_NO_PAD.encode(&digest(&SHA256, STYLE.as_bytes()).as_ref()[..12]));
static QUERY: LazyLock<String> = LazyLock::new(|| format!("v={}", *VERSION));
static TAG: LazyLock<String> = LazyLock::new(|| format!("\"{}\"", *VERSION));

/// The URL of this version, for a stylesheet that is served at this path.
pub fn url(path: &str) -> String {
    format!("{path}?{}", *QUERY)
}

/// Serves the stylesheet at this path.
pub fn router(path: &str) -> Router {
    Router::new().route(path, get(style))
}

/// Cached without limit at the URL of this version, and revalidated at any other.
async fn style(RawQuery(query): RawQuery, request: HeaderMap) -> Response {
    let caching = if query.as_deref() == Some(&**QUERY) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_known = request.get_all(IF_NONE_MATCH).iter().any(|tag| tag.as_bytes() == TAG.as_bytes());
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { STYLE.into_response() };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // base64url between quotation marks is always an entity tag
    headers.extend(HeaderValue::from_str(&TAG).ok().map(|tag| (ETAG, tag)));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    /// The path of a service.
    const PATH: &str = "/style.css";

    async fn fetched(address: &str, tag: Option<&HeaderValue>) -> Response {
        let mut request = Request::get(address);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        router(PATH).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn the_stylesheet_is_kept_for_good_and_another_version_is_not() {
        let response = fetched(&url(PATH), None).await;
        assert_eq!(response.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        let tag = response.headers()[ETAG].clone();
        assert_eq!(to_bytes(response.into_body(), 1 << 20).await.unwrap(), STYLE);

        let again = fetched(PATH, Some(&tag)).await;
        assert_eq!(
            (again.status(), &again.headers()[CACHE_CONTROL]),
            (StatusCode::NOT_MODIFIED, &"no-cache".parse().unwrap())
        );
        let changed = fetched(PATH, Some(&"\"old\"".parse().unwrap())).await;
        assert_eq!(changed.status(), StatusCode::OK);
    }

    #[test]
    fn the_stylesheet_loads_nothing() {
        for word in ["@import", "url(", "http:", "https:", "expression("] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
