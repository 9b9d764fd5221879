//! Plain HTTP at a port of HTTPS, as browsers speak it where a user leaves the scheme out: the answer is a redirect to HTTPS.

use std::convert::Infallible;

use axum::body::Body;
use http::header::{CONNECTION, HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::ConnectionLimits;
use super::listener::Stream;

/// The most that is read of a request, in bytes.
const MAX_HEAD: usize = 8 * 1024;

/// Whether the client begins with a method instead of a TLS handshake. Nothing is read.
pub(super) async fn is_spoken(stream: &Stream) -> bool {
    let Stream::Left(tcp) = stream else { return false };
    let mut first = [0];
    matches!(tcp.peek(&mut first).await, Ok(1)) && first[0].is_ascii_uppercase()
}

/// Answers one request with a redirect, and closes the connection (`docs/security-requirements.md#e17`).
pub(super) async fn redirect(stream: Stream, limits: ConnectionLimits) {
    let service = service_fn(|request: Request<_>| async move { Ok::<_, Infallible>(answer(&request)) });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_buf_size(MAX_HEAD).keep_alive(false);
    let served = timeout(limits.headers * 2, builder.serve_connection(TokioIo::new(stream), service)).await;
    if let Ok(Err(problem)) = served {
        tracing::debug!(%problem, "a request by plain HTTP failed");
    }
}

fn answer<B>(request: &Request<B>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match location(request) {
        Some(location) => {
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(LOCATION, location);
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The same URL with https; `None` without a valid host or path.
fn location<B>(request: &Request<B>) -> Option<HeaderValue> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let host: Authority = host.to_str().ok()?.parse().ok()?;
    let is_host = !host.as_str().contains('@') && !host.host().is_empty();
    let is_same = request.uri().authority().is_none_or(|authority| *authority == host);
    let target = request.uri().path_and_query()?.as_str();
    if !is_host || !is_same || !target.starts_with('/') {
        return None;
    }
    HeaderValue::try_from(format!("https://{host}{target}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(uri: &str, hosts: &[&str]) -> Option<String> {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().expect("a URI");
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_str(host).expect("a value"));
        }
        location(&request).map(|value| value.to_str().expect("text").to_owned())
    }

    /// `docs/security-requirements.md#e17`
    #[test]
    fn redirect_leads_to_the_same_host_and_path() {
        assert_eq!(to("/a?b=c", &["localhost:9200"]).as_deref(), Some("https://localhost:9200/a?b=c"));
        assert_eq!(to("//evil.example/", &["a.example"]).as_deref(), Some("https://a.example//evil.example/"));
        assert_eq!(to("http://[::1]:9200/x", &["[::1]:9200"]).as_deref(), Some("https://[::1]:9200/x"));
        for hosts in [&[][..], &["a", "b"], &["user@evil.example"], &[""], &["a b"], &["a/b"], &["a\"b"], &[":9200"]] {
            assert_eq!(to("/", hosts), None, "{hosts:?}");
        }
        assert_eq!(to("http://evil.example/", &["a.example"]), None);
        assert_eq!(to("*", &["a.example"]), None);
        assert_eq!(to("a.example:443", &["a.example:443"]), None, "CONNECT");
    }
}
