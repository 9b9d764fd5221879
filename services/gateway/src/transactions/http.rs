//! The keys of transaction tokens by HTTP, for services that verify tokens without a gRPC client.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::fingerprint;
use token::transaction::names::{KEY_SET_CACHE_CONTROL, KEY_SET_PATH};

use super::Transactions;

const KEPT: HeaderValue = HeaderValue::from_static(KEY_SET_CACHE_CONTROL);
const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Transactions {
    /// The routes of the HTTP listener: the key set, and nothing else.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        let transactions = Arc::clone(self);
        let key_set = move |headers: HeaderMap| {
            let response = answer(&transactions.key_set(), &headers);
            async move { response }
        };
        Router::new().route(KEY_SET_PATH, get(key_set))
    }
}

fn answer(key_set: &[u8], headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(fingerprint(key_set)));
    let is_known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| names(tags, &tag));
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(key_set.to_vec()) });
    let headers = response.headers_mut();
    // base64 in quotation marks is always a header
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    headers.insert(CACHE_CONTROL, KEPT);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(CONTENT_TYPE, JSON);
    }
    response
}

/// Whether this tag is among those of a header `If-None-Match` (RFC 9110 13.1.2), compared weakly.
fn names(tags: &HeaderValue, tag: &str) -> bool {
    let mut tags = tags.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|other| other == b"*" || other.strip_prefix(b"W/").unwrap_or(other) == tag.as_bytes())
}
