//! A JWT that a check may change before it is written.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::keys::SigningKey;
use crate::{outcome::Verdict, random::random};

/// How it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signature {
    Good,
    /// Of another text.
    Broken,
    /// `alg` is `none`.
    None,
}

/// Header, claims and key.
#[derive(Debug, Clone)]
pub(crate) struct Jwt {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    key: SigningKey,
    signature: Signature,
}

impl Jwt {
    /// With a key that its header names by `kid`.
    pub(crate) fn new(key: &SigningKey) -> Self {
        let jwt = Self { header: Map::new(), claims: Map::new(), key: key.clone(), signature: Signature::Good };
        jwt.by(key)
    }

    /// Signed by another key, which the header names.
    pub(crate) fn by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self.header("alg", key.algorithm()).header("kid", key.kid())
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Without a claim.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Without a member of the header.
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.claims.contains_key(name)
    }

    /// With a signature of another text.
    pub(crate) fn broken(mut self) -> Self {
        self.signature = Signature::Broken;
        self
    }

    /// With `alg: none`.
    pub(crate) fn unsigned(mut self) -> Self {
        self.signature = Signature::None;
        self.header("alg", "none")
    }

    /// With another `jti`, if it has one.
    pub(crate) fn renewed(self) -> Self {
        if self.has("jti") { self.claim("jti", random(16)) } else { self }
    }

    /// Its text.
    pub(crate) fn write(&self) -> Verdict<String> {
        let part = |members: &Map<String, Value>| URL_SAFE_NO_PAD.encode(json!(members).to_string());
        let message = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = match self.signature {
            Signature::Good => self.key.signature(&message)?,
            Signature::Broken => self.key.signature(&format!("{message}."))?,
            Signature::None => String::new(),
        };
        Ok(format!("{message}.{signature}"))
    }
}
