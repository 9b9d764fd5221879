//! The relying party's own keys, and JWTs that it writes.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto, encode, jwk::Jwk};
use serde_json::{Value, json};

use crate::{
    outcome::{Needed, Verdict},
    random::random,
};

/// A key with a `kid`.
#[derive(Clone)]
pub(crate) struct SigningKey {
    kid: String,
    key: EncodingKey,
    algorithm: Algorithm,
}

impl SigningKey {
    /// Makes a new one for RS256.
    pub(crate) fn generate() -> Verdict<Self> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).needed("a key could not be made")?;
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).needed("a key could not be read")?;
        Ok(Self { kid: random(12), key, algorithm: Algorithm::RS256 })
    }

    /// Makes a new one for ES256.
    pub(crate) fn elliptic() -> Verdict<Self> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).needed("a key could not be made")?;
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).needed("a key could not be read")?;
        Ok(Self { kid: random(12), key, algorithm: Algorithm::ES256 })
    }

    /// The same key for another algorithm of its kind.
    pub(crate) fn by(&self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self.clone() }
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm, as it stands in a header.
    pub(crate) fn algorithm(&self) -> String {
        format!("{:?}", self.algorithm)
    }

    /// The public key alone, without its name and algorithm.
    pub(crate) fn public(&self) -> Verdict<Value> {
        let key = Jwk::from_encoding_key(&self.key, self.algorithm).needed("a public key")?;
        let mut key = serde_json::to_value(key).needed("a public key")?;
        if let Some(members) = key.as_object_mut() {
            members.retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()));
        }
        Ok(key)
    }

    /// The public key with its name, for a set.
    pub(crate) fn named(&self) -> Verdict<Value> {
        let mut key = self.public()?;
        if let Some(members) = key.as_object_mut() {
            members.extend([("kid".to_owned(), json!(self.kid)), ("use".to_owned(), json!("sig"))]);
        }
        Ok(key)
    }

    /// The thumbprint of an elliptic key (RFC 7638).
    pub(crate) fn thumbprint(&self) -> Verdict<String> {
        let key = self.public()?;
        let [x, y] = ["x", "y"].map(|name| key.get(name).cloned().unwrap_or_default());
        // the order of the members is that of RFC 7638 3.2
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{x},"y":{y}}}"#);
        Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes())))
    }

    /// The signature of a text, in base64url.
    pub(crate) fn signature(&self, message: &str) -> Verdict<String> {
        crypto::sign(message.as_bytes(), &self.key, self.algorithm).needed("a JWT could not be signed")
    }

    /// The set that is published.
    pub(crate) fn set(&self) -> Verdict<Value> {
        let mut key = Jwk::from_encoding_key(&self.key, self.algorithm).needed("a public key")?;
        key.common.key_id = Some(self.kid.clone());
        let mut key = serde_json::to_value(key).needed("a public key")?;
        if let Some(members) = key.as_object_mut() {
            members.insert("use".to_owned(), json!("sig"));
        }
        Ok(json!({ "keys": [key] }))
    }

    /// A JWT signed with it.
    pub(crate) fn sign(&self, claims: &Value) -> Verdict<String> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).needed("a JWT could not be signed")
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "SigningKey({})", self.kid)
    }
}

/// A JWT with `alg: none` (RFC 7519 6).
pub(crate) fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none" })), part(claims))
}
