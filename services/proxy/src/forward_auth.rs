//! `/verify`: the entrypoint for proxies that ask before they forward a request (nginx `auth_request`, Caddy and Traefik
//! `forward_auth`, `HAProxy`, Envoy's `ext_authz` over HTTP).
//!
//! Its own query and body are ignored (`docs/security-requirements.md#e6`). The original request is read only from where the
//! configured proxy writes it: in the headers of other proxies, clients may write what they like
//! (`docs/security-requirements.md#e7`).

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use runtime::FromTrustedProxy;
use web::header::single;

use crate::entrypoint::Entrypoint;
use crate::identity_headers::IdentityHeaders;
use crate::path::Path;
use crate::refusal::Refusal;
use crate::request_info::{RequestInfo, is_host, source};
use crate::transactions::TransactionHeader;
use crate::verdict::Verdict;

/// The path of this entrypoint.
pub const PATH: &str = "/verify";

/// Where a proxy writes the original request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestSource {
    /// In `X-Original-*`, which its configuration sets: nginx, `HAProxy`.
    OriginalHeaders,
    /// In `X-Forwarded-*`: Caddy, Traefik.
    ForwardedHeaders,
    /// In the request itself, behind the path of this entrypoint: Envoy.
    RequestLine,
}

/// The original request, as the proxy describes it.
struct OriginalRequest<'a> {
    method: Method,
    target: &'a str,
    host: &'a str,
    is_https: bool,
}

impl RequestSource {
    /// That of the proxy with this name; `None` if it is unknown or empty.
    pub fn of(proxy: &str) -> Option<Self> {
        match proxy {
            "nginx" | "haproxy" => Some(Self::OriginalHeaders),
            "caddy" | "traefik" => Some(Self::ForwardedHeaders),
            "envoy" => Some(Self::RequestLine),
            _ => None,
        }
    }

    fn read<'a>(self, method: &Method, uri: &'a Uri, headers: &'a HeaderMap) -> Option<OriginalRequest<'a>> {
        let [target, original_method, host, proto] = match self {
            Self::OriginalHeaders => ["x-original-uri", "x-original-method", "x-original-host", "x-original-proto"],
            Self::ForwardedHeaders => {
                ["x-forwarded-uri", "x-forwarded-method", "x-forwarded-host", "x-forwarded-proto"]
            }
            Self::RequestLine => {
                let target = uri.path_and_query()?.as_str().strip_prefix(PATH)?;
                let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| single(headers, &HOST))?;
                let proto = single(headers, &HeaderName::from_static("x-forwarded-proto"));
                let is_https = proto.and_then(is_encrypted).unwrap_or(false);
                return Some(OriginalRequest { method: method.clone(), target, host, is_https });
            }
        }
        .map(HeaderName::from_static);
        let is_https = is_encrypted(single(headers, &proto)?)?;
        let method = Method::from_bytes(single(headers, &original_method)?.as_bytes()).ok()?;
        Some(OriginalRequest { method, target: single(headers, &target)?, host: single(headers, &host)?, is_https })
    }

    /// The response to a request that must not pass. nginx and `HAProxy` evaluate only the status, and redirect by their own
    /// configuration.
    fn refused(self, refusal: Refusal) -> Refusal {
        if self == Self::OriginalHeaders { refusal.without_redirect() } else { refusal }
    }

    /// The response to a request that cannot be parsed. nginx takes a status other than 401 and 403 for a failure of the edge.
    fn malformed(self, refusal: Refusal) -> Refusal {
        if self == Self::OriginalHeaders { Refusal { status: StatusCode::FORBIDDEN, ..refusal } } else { refusal }
    }
}

/// Whether a scheme means TLS; `None` for one that HTTP clients do not use. Schemes ignore case (RFC 3986 3.1), and some proxies use
/// those of `WebSocket` (RFC 6455 3).
pub(crate) fn is_encrypted(scheme: &str) -> Option<bool> {
    let is_one_of = |names: [&str; 2]| names.iter().any(|name| name.eq_ignore_ascii_case(scheme));
    if is_one_of(["https", "wss"]) {
        Some(true)
    } else if is_one_of(["http", "ws"]) {
        Some(false)
    } else {
        None
    }
}

/// The entrypoint.
pub struct ForwardAuth {
    /// Decides.
    pub entrypoint: Arc<Entrypoint>,
    /// Where the proxy writes the original request.
    pub source: RequestSource,
    /// The headers of a positive response.
    pub identity_headers: Arc<IdentityHeaders>,
    /// The transaction token of a positive response.
    pub(crate) transaction_header: TransactionHeader,
}

impl ForwardAuth {
    /// Whether this path is served.
    pub(crate) fn is_at(&self, path: &str) -> bool {
        let rest = path.strip_prefix(PATH);
        let has_target = self.source == RequestSource::RequestLine;
        rest.is_some_and(|rest| rest.is_empty() || (has_target && rest.starts_with('/')))
    }

    /// Answers a trusted proxy whether a request may pass, and as which user. Other addresses get 404, since the response holds
    /// the internal token of the user (`docs/security-requirements.md#e15`).
    pub(crate) async fn respond(self: Arc<Self>, request: Request) -> Result<Response, Infallible> {
        let (parts, _) = request.into_parts();
        if parts.extensions.get::<FromTrustedProxy>().is_none() {
            return Ok(Refusal::not_found().into_response());
        }
        Ok(self.authorize(&parts).await.unwrap_or_else(Refusal::into_response))
    }

    async fn authorize(&self, parts: &Parts) -> Result<Response, Refusal> {
        let Parts { method, uri, headers, .. } = parts;
        let incomplete = || Refusal::new(StatusCode::FORBIDDEN, "the proxy does not describe the original request\n");
        let OriginalRequest { method, target, host, is_https } =
            self.source.read(method, uri, headers).ok_or_else(incomplete)?;
        if !is_host(host) {
            return Err(self.source.malformed(Refusal::new(StatusCode::BAD_REQUEST, "invalid Host header\n")));
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let malformed = |error| self.source.malformed(Refusal::malformed(error));
        let path = Path::parse(path, self.entrypoint.leniency).map_err(malformed)?;
        let source = source(parts);
        let info = RequestInfo { method: &method, is_https, host, path: &path, query, headers, source };
        let verdict = self.entrypoint.decide(&info).await;
        if let Some(refusal) = self.entrypoint.refusal(&verdict, &info) {
            return Err(self.source.refused(refusal));
        }
        let mut response = Response::default();
        if let Verdict::Allowed(Some(identity)) = &verdict {
            let headers = self.identity_headers.of(identity).map_err(|refusal| self.source.refused(refusal))?;
            response.headers_mut().extend(headers.iter().cloned());
            let transaction = self.transaction_header.of(&info, identity).await;
            response.headers_mut().extend(transaction.map_err(|refusal| self.source.refused(refusal))?);
        }
        Ok(response)
    }
}
