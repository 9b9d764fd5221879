//! The compact form of a JWT that is made here (RFC 7515 7.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, crypto};
use serde::Serialize;

use super::Algorithm;

/// Room for the claims of most tokens, in bytes, so that writing them seldom has to ask for more.
const CLAIMS: usize = 768;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    typ: &'a str,
}

/// The header, encoded.
pub(super) fn header(algorithm: Algorithm, kid: Option<&str>, typ: &str) -> String {
    let header = Header { alg: algorithm.name(), kid, typ };
    URL_SAFE_NO_PAD.encode(json(&header))
}

/// What is signed: the encoded header and the claims; with room behind it for a signature of `signature` bytes.
pub(super) fn message(header: &str, claims: &impl Serialize, signature: usize) -> String {
    let claims = json(claims);
    // four characters hold three bytes
    let encoded = |bytes: usize| bytes.div_ceil(3) * 4;
    let mut message = String::with_capacity(header.len() + encoded(claims.len()) + encoded(signature) + 2);
    message.push_str(header);
    message.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut message);
    message
}

/// The JWT: what was signed, and the signature.
pub(super) fn signed(mut message: String, signature: &[u8]) -> String {
    message.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut message);
    message
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::with_capacity(CLAIMS);
    serde_json::to_writer(&mut json, value).expect("claims have names that are texts");
    json
}

/// A JWT that is signed with a shared secret.
///
/// # Panics
/// If the claims cannot be written as JSON, as maps cannot whose keys are no texts.
pub fn hs256_jwt(secret: &[u8], typ: &str, claims: &impl Serialize) -> String {
    let mut message = message(&header(Algorithm::Hs256, None, typ), claims, 32);
    let signature = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::Hs256.into());
    message.push('.');
    message.push_str(&signature.expect("a secret of any length signs"));
    message
}
