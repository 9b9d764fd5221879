use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::*;

mod keys;
mod rfc;
mod tokens;

/// Key pairs to test with; made once, because RSA takes its time.
static PAIRS: LazyLock<[SigningKey; 4]> =
    LazyLock::new(|| Algorithm::SIGNING.map(|algorithm| SigningKey::generate(algorithm, "k1").expect("is made")));

fn pair(algorithm: Algorithm) -> &'static SigningKey {
    PAIRS.iter().find(|pair| pair.algorithm() == algorithm).expect("one for each")
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).expect("an object")
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// A token with any header and any signature.
fn raw(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn without(jwk: &Map<String, Value>, member: &str) -> Map<String, Value> {
    let mut jwk = jwk.clone();
    jwk.remove(member);
    jwk
}

fn with(jwk: &Map<String, Value>, member: &str, value: Value) -> Map<String, Value> {
    let mut jwk = jwk.clone();
    jwk.insert(member.to_owned(), value);
    jwk
}

fn set(keys: &[Map<String, Value>]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}
