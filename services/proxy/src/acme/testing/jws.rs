//! What a client of ACME signs (RFC 8555 6.2), read as its authority does.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// An account: its public key, the thumbprint of that, and where its owner is reached.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) key: Vec<u8>,
    pub(super) thumbprint: String,
    pub(super) contact: Value,
}

/// The account of a public key.
pub(super) fn account_of(jwk: &Value) -> Account {
    let coordinate = |name: &str| jwk[name].as_str().unwrap_or_default();
    let decoded = |name: &str| URL_SAFE_NO_PAD.decode(coordinate(name)).unwrap_or_default();
    let key = [&[4][..], &decoded("x"), &decoded("y")].concat();
    let (x, y) = (coordinate("x"), coordinate("y"));
    // RFC 7638 3
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()));
    Account { key, thumbprint, contact: Value::Null }
}

/// A signed request, in parts.
pub(super) struct Jws {
    pub(super) header: Value,
    pub(super) payload: Value,
    pub(super) signed: String,
    pub(super) signature: Vec<u8>,
}

impl Jws {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        Self::of(&serde_json::from_slice(body).ok()?)
    }

    pub(super) fn of(value: &Value) -> Option<Self> {
        let (protected, payload) = (value["protected"].as_str()?, value["payload"].as_str()?);
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        Some(Self {
            header: serde_json::from_slice(&decoded(protected)?).ok()?,
            payload: serde_json::from_slice(&decoded(payload)?).unwrap_or_default(),
            signed: format!("{protected}.{payload}"),
            signature: decoded(value["signature"].as_str()?)?,
        })
    }
}
