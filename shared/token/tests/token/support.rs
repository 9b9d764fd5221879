//! What the tests share: one secret, one moment, one user, and a forge.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authn::{Authenticated, User, UserId, UserType};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use secrecy::SecretString;
use serde_json::{Value, json};
use token::{KeyRing, Verifier};

/// The secret of [`ring`].
pub(crate) const SECRET: &str = "a secret for tests, 32 bytes and more";
/// The moment at which the tests happen, in seconds since the epoch.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn ring() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(&SecretString::from(SECRET), None).unwrap())
}

pub(crate) fn verifier() -> Verifier {
    Verifier::new(ring())
}

pub(crate) fn alan() -> Authenticated {
    let id = UserId {
        idp: "https://idp.example.org".to_owned(),
        opaque_id: "b1f74ec4".to_owned(),
        kind: UserType::Primary,
        ..UserId::default()
    };
    Authenticated::full(Arc::new(User { id, username: "alan".to_owned(), ..User::default() }), "pwd")
}

/// A token with these claims and a valid signature.
pub(crate) fn forge(claims: &Value) -> String {
    forge_with(&json!({"alg": "HS256", "typ": "JWT"}), claims, SECRET)
}

/// A token with these claims and this header, signed by HMAC-SHA256 whatever the header says.
pub(crate) fn forge_with(header: &Value, claims: &Value, secret: &str) -> String {
    signed(&header.to_string(), &claims.to_string(), secret)
}

pub(crate) fn signed(header: &str, claims: &str, secret: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}
