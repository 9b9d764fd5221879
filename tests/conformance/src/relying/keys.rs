//! The relying party's own keys, and JWTs that it writes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

use crate::{
    outcome::{Needed, Verdict},
    random::random,
};

/// An RSA key with a `kid`.
#[derive(Clone)]
pub(crate) struct SigningKey {
    kid: String,
    key: EncodingKey,
}

impl SigningKey {
    /// Makes a new one.
    pub(crate) fn generate() -> Verdict<Self> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).needed("a key could not be made")?;
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).needed("a key could not be read")?;
        Ok(Self { kid: random(12), key })
    }

    /// The set that is published.
    pub(crate) fn set(&self) -> Verdict<Value> {
        let mut key = Jwk::from_encoding_key(&self.key, Algorithm::RS256).needed("a public key")?;
        key.common.key_id = Some(self.kid.clone());
        let mut key = serde_json::to_value(key).needed("a public key")?;
        if let Some(members) = key.as_object_mut() {
            members.insert("use".to_owned(), json!("sig"));
        }
        Ok(json!({ "keys": [key] }))
    }

    /// A JWT signed with RS256.
    pub(crate) fn sign(&self, claims: &Value) -> Verdict<String> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
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
