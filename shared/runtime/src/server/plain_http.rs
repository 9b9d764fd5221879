//! Plain HTTP: at a port of HTTPS, as browsers speak it where a user leaves the scheme out, and at a port of its own. The answer is a
//! redirect to HTTPS, or that to a challenge of ACME (RFC 8555 8.3).

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::ConnectionLimits;
use super::listener::Stream;
use crate::IssuedCertificate;
use crate::access_log::{AccessDetails, AccessLine, LoggedRequests, RequestEnd};
use crate::layers::method_name;

/// The most that is read of a request, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// The path of challenges, before the token.
const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// What the access log has for a path of challenges, and for any other.
const CHALLENGE: &str = "/.well-known/acme-challenge/{token}";
const OTHER: &str = "other";
/// The port of https.
const HTTPS: u16 = 443;

/// The port of the URLs that clients are redirected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectPort {
    /// That of the request.
    Same,
    /// This one, whatever the request has.
    Of(u16),
}

/// Whether the client begins with a method instead of a TLS handshake. Nothing is read.
pub(super) async fn is_spoken(stream: &Stream) -> bool {
    let Stream::Left(tcp) = stream else { return false };
    let mut first = [0];
    matches!(tcp.peek(&mut first).await, Ok(1)) && first[0].is_ascii_uppercase()
}

/// Plain HTTP on one connection.
pub(super) struct PlainHttp<'a> {
    /// The service whose listener it is.
    pub(super) service: &'static str,
    pub(super) port: RedirectPort,
    pub(super) issued: Option<&'a IssuedCertificate>,
    pub(super) logged: LoggedRequests,
    /// The address of the peer.
    pub(super) source: Option<IpAddr>,
}

impl PlainHttp<'_> {
    /// Answers one request, and closes the connection (`docs/security-requirements.md#e17`).
    pub(super) async fn serve(&self, stream: Stream, limits: ConnectionLimits) {
        let service = service_fn(move |request: Request<Incoming>| async move {
            let request = request.map(drop);
            Ok::<_, Infallible>(self.respond(&request).await)
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_buf_size(MAX_HEAD).keep_alive(false);
        let served = timeout(limits.headers * 2, builder.serve_connection(TokioIo::new(stream), service)).await;
        if let Ok(Err(problem)) = served {
            tracing::debug!(%problem, "a request by plain HTTP failed");
        }
    }

    async fn respond(&self, request: &Request<()>) -> Response<Body> {
        let started = Instant::now();
        let response = answer(request, self.port, self.issued).await;
        if self.logged != LoggedRequests::None {
            self.log(request, response.status(), started.elapsed());
        }
        response
    }

    /// Writes the line of the access log. The path may hold a secret: the user has typed it for HTTPS.
    fn log(&self, request: &Request<()>, status: StatusCode, took: Duration) {
        let (method, details) = (method_name(request.method()), AccessDetails::default());
        let line = AccessLine { method, request_id: None, source: self.source, trace_id: None, details };
        let path = if request.uri().path().starts_with(CHALLENGES) { CHALLENGE } else { OTHER };
        let status = Some(status.as_u16());
        let (service, protocol) = (self.service, "http");
        line.write(&RequestEnd { service, protocol, path, status, grpc_status: None, took });
    }
}

async fn answer(request: &Request<()>, port: RedirectPort, issued: Option<&IssuedCertificate>) -> Response<Body> {
    let mut response = match (issued, request.uri().path().strip_prefix(CHALLENGES)) {
        (Some(issued), Some(token)) => challenge(request.method(), token, issued).await,
        _ => redirect(request, port),
    };
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn redirect(request: &Request<()>, port: RedirectPort) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match location(request, port) {
        Some(location) => {
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(LOCATION, location);
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

/// Answers the tokens of the running order. Any other is not found, and never redirected: another server must not answer for this
/// one (`docs/security-requirements.md#e41`).
async fn challenge(method: &Method, token: &str, issued: &IssuedCertificate) -> Response<Body> {
    let authorization = if *method == Method::GET { issued.http_answer(token).await } else { None };
    let mut response = Response::new(Body::empty());
    let Some(authorization) = authorization else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    *response.body_mut() = authorization.into();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same URL with https; `None` without a valid host or path.
fn location(request: &Request<()>, port: RedirectPort) -> Option<HeaderValue> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let host: Authority = host.to_str().ok()?.parse().ok()?;
    let is_host = !host.as_str().contains('@') && !host.host().is_empty();
    let is_same = request.uri().authority().is_none_or(|authority| *authority == host);
    let target = request.uri().path_and_query()?.as_str();
    if !is_host || !is_same || !target.starts_with('/') {
        return None;
    }
    let url = match port {
        RedirectPort::Same => format!("https://{host}{target}"),
        RedirectPort::Of(HTTPS) => format!("https://{}{target}", host.host()),
        RedirectPort::Of(port) => format!("https://{}:{port}{target}", host.host()),
    };
    HeaderValue::try_from(url).ok()
}

#[cfg(test)]
mod tests;
