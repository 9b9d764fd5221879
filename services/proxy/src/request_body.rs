//! Reading a request's body into memory.

use std::error::Error;

use axum::body::{Body, Bytes, to_bytes};
use http_body::Body as _;
use http_body_util::LengthLimitError;

use crate::refusal::Refusal;

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 for a longer one, 400 for one that the client does not send to its end.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::body_too_long());
    }
    to_bytes(body, limit).await.map_err(|error| {
        let is_too_long = error.source().is_some_and(<dyn Error + 'static>::is::<LengthLimitError>);
        if is_too_long { Refusal::body_too_long() } else { Refusal::incomplete_body() }
    })
}
