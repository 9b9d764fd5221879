//! What clients read to find their way: the metadata of each issuer and the key set. All of it is rendered before anybody
//! asks, and depends on no request (row I42).

mod document;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use self::document::Offered;
use crate::endpoints::IssuerEndpoints;
use crate::engine::document::Rendered;
use crate::engine::levels;
use crate::engine::provider::Provider;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The metadata change with the configuration only.
const METADATA_KEPT: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// Not for longer than the least time for which a key is published before it signs.
const KEYS_KEPT: HeaderValue = HeaderValue::from_static("public, max-age=600");

/// The discovery documents and the key set of each issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    let config = &provider.config;
    let offered = Offered {
        registration: config.registration || config.open_registration,
        verified_certificates: config.mtls.client_ca.is_some(),
        signing: config.algorithms(),
        unsigned_id_tokens: config.unsigned_id_tokens,
        levels: levels::supported(&config.mfa),
        client_documents: config.client_documents.enabled,
        workloads: provider.workloads.is_some(),
    };
    let keys = provider.keys.clone();
    routes(&provider.issuers, &offered, move || keys.published())
}

fn routes(
    issuers: &[IssuerEndpoints],
    offered: &Offered,
    keys: impl Fn() -> Rendered + Clone + Send + Sync + 'static,
) -> Router {
    let mut router = Router::new();
    for endpoints in issuers {
        let metadata = document::metadata(endpoints, offered);
        let metadata = Rendered::new(metadata.to_string());
        if let Some(path) = endpoints.paths.inserted_discovery {
            router = router.route(path, always(metadata.clone()));
        }
        router = router
            .route(endpoints.paths.discovery, always(metadata.clone()))
            .route(endpoints.paths.metadata, always(metadata))
            .route(endpoints.paths.jwks, served(keys.clone(), KEYS_KEPT));
    }
    router
}

fn always(document: Rendered) -> MethodRouter {
    served(move || document.clone(), METADATA_KEPT)
}

/// Serves a document that may be cached as `kept` says.
pub(super) fn served(
    document: impl Fn() -> Rendered + Clone + Send + Sync + 'static,
    kept: HeaderValue,
) -> MethodRouter {
    get(move |request: Request| {
        let response = answer(document(), request.headers(), kept.clone());
        async move { response }
    })
}

fn answer(document: Rendered, asked: &HeaderMap, kept: HeaderValue) -> Response {
    let is_known = asked.get_all(IF_NONE_MATCH).iter().any(|tags| names(tags, &document.etag));
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(document.body) });
    let headers = response.headers_mut();
    // base64 in quotation marks is always a header
    headers.extend(HeaderValue::from_maybe_shared(document.etag).ok().map(|etag| (ETAG, etag)));
    headers.insert(CACHE_CONTROL, kept);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(CONTENT_TYPE, JSON);
    }
    response
}

/// Whether this tag is among those of a header `If-None-Match` (RFC 9110 13.1.2), compared weakly.
fn names(tags: &HeaderValue, etag: &[u8]) -> bool {
    let tags = tags.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.into_iter().any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag)
}
