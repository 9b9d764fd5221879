//! Checks of a request's head, so that a backend cannot read it differently.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::path::{MAX_TARGET, PathError};
use crate::refusal::Refusal;
use crate::request_info::is_host;

/// The host of the request: that of the target if it names one, else that of the header, which must occur once (RFC 9112 3.2).
pub(crate) fn host(parts: &Parts) -> Result<HeaderValue, Refusal> {
    let refused = |text| Refusal::new(StatusCode::BAD_REQUEST, text);
    if parts.method == Method::CONNECT {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not supported\n"));
    }
    let mut values = parts.headers.get_all(HOST).iter();
    let header = values.next();
    if values.next().is_some() {
        return Err(refused("more than one Host header\n"));
    }
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = match (target, header) {
        (Some(target), Some(header)) if !target.as_bytes().eq_ignore_ascii_case(header.as_bytes()) => {
            return Err(refused("the Host header contradicts the request target\n"));
        }
        (Some(target), _) => {
            HeaderValue::from_str(target).map_err(|_| refused("invalid host in the request target\n"))?
        }
        (None, Some(header)) => header.clone(),
        (None, None) => return Err(refused("missing Host header\n")),
    };
    if host.to_str().is_ok_and(is_host) { Ok(host) } else { Err(refused("invalid Host header\n")) }
}

/// Checks the length of path and query.
pub(crate) fn check_target(uri: &Uri) -> Result<(), Refusal> {
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length > MAX_TARGET { Err(Refusal::malformed(PathError::TooLong)) } else { Ok(()) }
}

/// Checks that the body is framed in one way. Chunked together with another framing is the means of request smuggling (RFC 9112
/// 6.1).
pub(crate) fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(first) = encodings.next() else { return Ok(()) };
    let is_plain = first.as_bytes().eq_ignore_ascii_case(b"chunked") && encodings.next().is_none();
    if is_plain && !headers.contains_key(CONTENT_LENGTH) {
        Ok(())
    } else {
        Err(Refusal::new(StatusCode::BAD_REQUEST, "the body is framed in more than one way\n"))
    }
}

/// The length in `Content-Length`.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
