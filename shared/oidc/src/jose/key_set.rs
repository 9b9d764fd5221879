use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::public::has_private_part;
use super::{Algorithm, KeyError, VerifyingKey};
use crate::certificate;

/// The most keys of a set, those that are skipped included.
pub const MAX_KEYS: usize = 100;

/// The public keys of a client (RFC 7517 5).
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    /// The thumbprints of the certificates of all keys, those included that are of no other use here.
    certificates: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Map<String, Value>>,
}

impl KeySet {
    /// Reads a key set. Keys of unknown types, that are not for signatures, or that cannot be read are skipped (RFC 7517
    /// 5): a set may hold keys for something else. A set that holds anything private is refused, because that key is no
    /// secret any more.
    ///
    /// # Errors
    /// [`KeyError::Malformed`], [`KeyError::TooMany`] and [`KeyError::PrivatePart`].
    pub fn parse(json: &[u8]) -> Result<Self, KeyError> {
        let Document { keys } = serde_json::from_slice(json).map_err(|_| KeyError::Malformed)?;
        if keys.len() > MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        if keys.iter().any(has_private_part) {
            return Err(KeyError::PrivatePart);
        }
        let certificates = keys.iter().filter_map(certificate_of).collect();
        Ok(Self { keys: keys.iter().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok()).collect(), certificates })
    }

    /// The key for a token that names this key and this algorithm. A token that names no key is meant for the only one
    /// that is for the algorithm; if there are several, it has to name one (OpenID Connect Core 10.1).
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&VerifyingKey> {
        let mut fitting =
            self.keys.iter().filter(|key| key.is_for(algorithm) && kid.is_none_or(|kid| key.kid() == Some(kid)));
        let first = fitting.next()?;
        let is_clear = kid.is_some() || fitting.next().is_none();
        is_clear.then_some(first)
    }

    /// Whether a key of this name is among them, whatever it is for.
    pub fn has_kid(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == Some(kid))
    }

    /// Whether the certificate with this thumbprint stands with one of the keys (`x5c`, RFC 8705 2.2.2).
    pub fn has_certificate(&self, thumbprint: &str) -> bool {
        self.certificates.iter().any(|known| known == thumbprint)
    }

    /// Whether none of the keys is of any use here.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.certificates.is_empty()
    }
}

/// The thumbprint of a key's own certificate, which is the first of its chain (RFC 7517 4.7).
fn certificate_of(jwk: &Map<String, Value>) -> Option<String> {
    let text = jwk.get("x5c")?.as_array()?.first()?.as_str()?;
    let der = STANDARD.decode(text).ok()?;
    certificate::Certificate::parse(&der).is_ok().then(|| certificate::thumbprint(&der))
}
