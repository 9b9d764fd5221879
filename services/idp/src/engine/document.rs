//! Documents that are answered.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

/// What a client gets as JSON, or as a JWT where it asks or is registered for one.
#[derive(Debug)]
pub enum Document {
    /// A JSON object.
    Json(Vec<u8>),
    /// A signed JWT.
    Jwt(String),
}

/// A document that is rendered once and served often.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The JSON.
    pub body: Bytes,
    /// Its entity tag, in quotation marks.
    pub etag: Bytes,
}

impl Rendered {
    /// A document with the tag that follows from its text.
    pub(crate) fn new(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let hash = digest(&SHA256, &body);
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])).into();
        Self { body, etag }
    }
}
