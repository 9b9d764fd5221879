use serde::Deserialize;
use serde_json::{Map, Value};

use super::public::has_private_part;
use super::{Algorithm, KeyError, VerifyingKey};

/// The most keys of a set, those that are skipped included.
pub const MAX_KEYS: usize = 100;

/// The public keys of a client (RFC 7517 5).
#[derive(Debug, Default)]
pub struct KeySet(Vec<VerifyingKey>);

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
        Ok(Self(keys.iter().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok()).collect()))
    }

    /// The key for a token that names this key and this algorithm. A token that names no key is meant for the only one
    /// that is for the algorithm; if there are several, it has to name one (OpenID Connect Core 10.1).
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&VerifyingKey> {
        let mut fitting =
            self.0.iter().filter(|key| key.is_for(algorithm) && kid.is_none_or(|kid| key.kid() == Some(kid)));
        let first = fitting.next()?;
        let is_clear = kid.is_some() || fitting.next().is_none();
        is_clear.then_some(first)
    }

    /// Whether a key of this name is among them, whatever it is for.
    pub fn has_kid(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid() == Some(kid))
    }

    /// Whether none of the keys is of any use here.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
