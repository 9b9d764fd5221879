//! Reading a request's head so that the backend cannot read it differently.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::answer::Refusal;
use crate::asked::is_host;
use crate::path::{MAX_TARGET, PathError};

/// The host that is asked: of the target if it names one, else of the header, which must be there once (RFC 9112 3.2).
pub(super) fn host(parts: &Parts) -> Result<HeaderValue, Refusal> {
    let refused = |text| Refusal::new(StatusCode::BAD_REQUEST, text);
    if parts.method == Method::CONNECT {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "no tunnels\n"));
    }
    let mut stated = parts.headers.get_all(HOST).iter();
    let header = stated.next();
    if stated.next().is_some() {
        return Err(refused("there is more than one host\n"));
    }
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = match (target, header) {
        (Some(target), Some(header)) if !target.as_bytes().eq_ignore_ascii_case(header.as_bytes()) => {
            return Err(refused("the hosts contradict each other\n"));
        }
        (Some(target), _) => HeaderValue::from_str(target).map_err(|_| refused("the host is none\n"))?,
        (None, Some(header)) => header.clone(),
        (None, None) => return Err(refused("there is no host\n")),
    };
    if host.to_str().is_ok_and(is_host) { Ok(host) } else { Err(refused("the host is none\n")) }
}

/// Whether the target as a whole is one to pass on.
pub(super) fn check_target(uri: &Uri) -> Result<(), Refusal> {
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length > MAX_TARGET { Err(Refusal::malformed(PathError::TooLong)) } else { Ok(()) }
}

/// Whether a body is framed in one way. Chunked beside anything else is what requests are smuggled with (RFC 9112 6.1).
pub(super) fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(first) = encodings.next() else { return Ok(()) };
    let is_plain = first.as_bytes().eq_ignore_ascii_case(b"chunked") && encodings.next().is_none();
    if is_plain && !headers.contains_key(CONTENT_LENGTH) {
        Ok(())
    } else {
        Err(Refusal::new(StatusCode::BAD_REQUEST, "the body is framed in more than one way\n"))
    }
}

/// The length that a client states.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
