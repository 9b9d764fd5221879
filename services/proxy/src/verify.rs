//! `/verify`: the door for proxies that ask before they pass a request on (nginx `auth_request`, Caddy and Traefik
//! `forward_auth`, `HAProxy`, Envoy's `ext_authz` over HTTP).
//!
//! Its own query and body are ignored (row E6). What the client asked for is read from where the configured proxy writes it and
//! nowhere else: the headers that other proxies write it to come from the client as it likes (row E7).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header::HOST;
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use runtime::FromTrustedProxy;

use crate::answer::Refusal;
use crate::asked::{Asked, is_host, single};
use crate::door::Door;
use crate::path::Path;
use crate::told::Answered;
use crate::verdict::Verdict;

/// The path of this door.
pub const PATH: &str = "/verify";

/// Where a proxy writes what the client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outer {
    /// In headers that its configuration sets: nginx, `HAProxy`.
    Original,
    /// In `X-Forwarded-*`, which it writes itself: Caddy, Traefik.
    Forwarded,
    /// In the request itself, behind this door's path: Envoy.
    Itself,
}

/// What the client asked for, as the proxy tells it.
struct Told<'a> {
    method: Method,
    target: &'a str,
    host: &'a str,
    is_https: bool,
}

impl Outer {
    /// How a proxy of this name writes; `None` if none is known.
    pub fn of(proxy: &str) -> Option<Self> {
        match proxy {
            "nginx" | "haproxy" => Some(Self::Original),
            "caddy" | "traefik" => Some(Self::Forwarded),
            "envoy" => Some(Self::Itself),
            _ => None,
        }
    }

    fn told<'a>(self, method: &Method, uri: &'a Uri, headers: &'a HeaderMap) -> Option<Told<'a>> {
        let [target, original_method, host, proto] = match self {
            Self::Original => ["x-original-uri", "x-original-method", "x-original-host", "x-original-proto"],
            Self::Forwarded => ["x-forwarded-uri", "x-forwarded-method", "x-forwarded-host", "x-forwarded-proto"],
            Self::Itself => {
                let target = uri.path_and_query()?.as_str().strip_prefix(PATH)?;
                let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| single(headers, &HOST))?;
                let proto = single(headers, &HeaderName::from_static("x-forwarded-proto"));
                let is_https = proto.and_then(is_encrypted).unwrap_or(false);
                return Some(Told { method: method.clone(), target, host, is_https });
            }
        }
        .map(HeaderName::from_static);
        let is_https = is_encrypted(single(headers, &proto)?)?;
        let method = Method::from_bytes(single(headers, &original_method)?.as_bytes()).ok()?;
        Some(Told { method, target: single(headers, &target)?, host: single(headers, &host)?, is_https })
    }

    /// What a request is answered with that may not pass. nginx and `HAProxy` know only status codes, and send people on
    /// themselves.
    fn refused(self, refusal: Refusal) -> Refusal {
        if self == Self::Original { refusal.without_redirect() } else { refusal }
    }

    /// What a request is answered with that cannot be read. nginx takes any other refusal for a failure of ours.
    fn malformed(self, refusal: Refusal) -> Refusal {
        if self == Self::Original { Refusal { status: StatusCode::FORBIDDEN, ..refusal } } else { refusal }
    }
}

/// Whether a scheme is one with TLS; `None` for one that no HTTP client uses. Schemes compare without case (RFC 3986 3.1), and
/// some proxies call a request for a `WebSocket` by that one's scheme (RFC 6455 3).
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

/// What the door needs.
#[derive(Clone)]
pub struct Verify {
    /// Who decides.
    pub door: Arc<Door>,
    /// Where the proxy writes.
    pub outer: Outer,
    /// What it is answered.
    pub answered: Arc<Answered>,
}

/// Answers the configured proxies whether a request may pass, and as whom. Other addresses get 404.
pub async fn verify(verify: Verify, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    // the answer holds the internal token of a user (row E15)
    if parts.extensions.get::<FromTrustedProxy>().is_none() {
        return Refusal::new(StatusCode::NOT_FOUND, "no route matches\n").into_response();
    }
    let source = parts.extensions.get::<authn::Peer>().and_then(|peer| peer.source);
    let answered = verify.answer(&parts.method, &parts.uri, &parts.headers, source).await;
    answered.unwrap_or_else(Refusal::into_response)
}

impl Verify {
    /// Whether a path is this door's.
    pub(crate) fn is_at(&self, path: &str) -> bool {
        let rest = path.strip_prefix(PATH);
        rest.is_some_and(|rest| rest.is_empty() || (self.outer == Outer::Itself && rest.starts_with('/')))
    }

    async fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        source: Option<IpAddr>,
    ) -> Result<Response, Refusal> {
        let unstated = || Refusal::new(StatusCode::FORBIDDEN, "the proxy does not say what is asked for\n");
        let Told { method, target, host, is_https } = self.outer.told(method, uri, headers).ok_or_else(unstated)?;
        if !is_host(host) {
            return Err(self.outer.malformed(Refusal::new(StatusCode::BAD_REQUEST, "invalid Host header\n")));
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let malformed = |error| self.outer.malformed(Refusal::malformed(error));
        let path = Path::parse(path, self.door.leniency).map_err(malformed)?;
        let asked = Asked { method: &method, is_https, host, path: &path, query, headers, source };
        let verdict = self.door.edge.decide(&asked, false).await;
        if let Some(refusal) = self.door.refusal(&verdict, &asked) {
            return Err(self.outer.refused(refusal));
        }
        let mut response = Response::default();
        if let Verdict::Allowed(Some(identity)) = &verdict {
            let told = self.answered.of(identity).map_err(|refusal| self.outer.refused(refusal))?;
            response.headers_mut().extend(told.iter().cloned());
        }
        Ok(response)
    }
}
