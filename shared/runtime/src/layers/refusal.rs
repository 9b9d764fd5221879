//! Responses in place of a handler.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use status::Kind;

use super::body::Body;
use crate::metrics::Protocol;

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";

/// The response for an error of this kind, in this protocol.
pub(super) fn of<B>(kind: Kind, protocol: Protocol) -> Response<Body<B>> {
    let text = match kind {
        Kind::ResourceExhausted => "too many requests at the same time",
        Kind::DeadlineExceeded => "the request took too long",
        _ => "internal error",
    };
    if protocol == Protocol::Grpc {
        let (parts, ()) = status::grpc(kind, text).into_http::<()>().into_parts();
        return Response::from_parts(parts, Body::empty());
    }
    http(kind.http(), text)
}

/// The response after the timeout if the client has not sent its request to the end (RFC 9110 15.5.9).
pub(super) fn of_stalled<B>(protocol: Protocol) -> Response<Body<B>> {
    if protocol == Protocol::Grpc {
        return of(Kind::DeadlineExceeded, protocol);
    }
    http(StatusCode::REQUEST_TIMEOUT, "the request did not come to its end in time")
}

fn http<B>(status: StatusCode, text: &'static str) -> Response<Body<B>> {
    let mut response = Response::new(Body::text(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The `grpc-status` in headers or trailers.
pub(super) fn grpc_code(headers: &HeaderMap) -> Option<u16> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

/// Corrects the status for a message that is too long: tonic uses `OUT_OF_RANGE`, gRPC and Go `RESOURCE_EXHAUSTED`.
pub(super) fn correct_oversized(headers: &mut HeaderMap) {
    const OUT_OF_RANGE: &[u8] = b"11";
    // The message is percent-encoded, so that a blank may be %20.
    const TOO_LARGE: &[u8] = b"too%20large";
    if headers.get(GRPC_STATUS).is_none_or(|code| code.as_bytes() != OUT_OF_RANGE) {
        return;
    }
    let is_about_length = headers.get(GRPC_MESSAGE).is_some_and(|message| {
        let message = message.as_bytes();
        [TOO_LARGE, b"too large"].iter().any(|words| message.windows(words.len()).any(|window| window == *words))
    });
    if is_about_length {
        let code = Kind::ResourceExhausted.grpc() as i32;
        headers.insert(GRPC_STATUS, HeaderValue::from(code));
    }
}
