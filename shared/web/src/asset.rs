//! Files that pages load: the stylesheet, the icon and the script. Browsers cache each without limit at the URL of its version.

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};

/// A file, at a path.
#[derive(Debug, Clone)]
pub struct Asset {
    path: String,
    media_type: &'static str,
    content: Bytes,
    /// The query that names this version.
    query: String,
}

impl Asset {
    /// A file with this content.
    pub fn new(path: String, media_type: &'static str, content: impl Into<Bytes>) -> Self {
        let content = content.into();
        let query = format!("v={}", URL_SAFE_NO_PAD.encode(&digest(&SHA256, &content).as_ref()[..12]));
        Self { path, media_type, content, query }
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL of this version.
    pub fn url(&self) -> String {
        format!("{}?{}", self.path, self.query)
    }

    /// Serves the file.
    pub fn router(&self) -> Router {
        let asset = self.clone();
        let respond =
            async move |RawQuery(query): RawQuery, headers: HeaderMap| asset.respond(query.as_deref(), &headers);
        Router::new().route(&self.path, get(respond))
    }

    /// The response to a GET: cached without limit at the URL of this version, and revalidated at any other.
    pub fn respond(&self, query: Option<&str>, request: &HeaderMap) -> Response {
        let is_current = query == Some(&*self.query);
        let caching = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
        let tag = format!("\"{}\"", self.query.trim_start_matches("v="));
        let is_known = request.get_all(IF_NONE_MATCH).iter().any(|known| known.as_bytes() == tag.as_bytes());
        let mut response =
            if is_known { StatusCode::NOT_MODIFIED.into_response() } else { self.content.clone().into_response() };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // of an image that is opened by itself, nothing is loaded or run
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        // base64url between quotation marks is always an entity tag
        headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn fetched(asset: &Asset, address: &str, tag: Option<&HeaderValue>) -> Response {
        let mut request = Request::get(address);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        asset.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn current_version_is_cached_without_limit_and_another_one_is_not() {
        let asset = Asset::new("/a/icon.svg".to_owned(), "image/svg+xml", "<svg/>");
        let response = fetched(&asset, &asset.url(), None).await;
        assert_eq!(response.headers()[CONTENT_TYPE], "image/svg+xml");
        assert_eq!(response.headers()[CONTENT_SECURITY_POLICY], "default-src 'none'");
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        let tag = response.headers()[ETAG].clone();
        assert_eq!(to_bytes(response.into_body(), 1 << 20).await.unwrap(), "<svg/>");

        let again = fetched(&asset, asset.path(), Some(&tag)).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[CACHE_CONTROL], "no-cache");
        let changed = fetched(&asset, asset.path(), Some(&"\"old\"".parse().unwrap())).await;
        assert_eq!(changed.status(), StatusCode::OK);
        let other = Asset::new("/a/icon.svg".to_owned(), "image/svg+xml", "<svg><g/></svg>");
        assert_ne!(other.url(), asset.url());
    }
}
