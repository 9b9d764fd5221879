use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use authn::BoxError;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use secrecy::{ExposeSecret, SecretString};

/// Shortest secret that is accepted, in bytes: the size of the hash (RFC 7518 section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// A secret or an algorithm that must not be used. Never shows the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A secret that could be guessed.
    #[error("{variable}: a secret of at least {MIN_SECRET_BYTES} bytes is required, this one has {length}")]
    TooShort {
        /// The environment variable that sets it in all services.
        variable: &'static str,
        /// Its length, in bytes.
        length: usize,
    },
    /// An algorithm that transaction tokens are not signed with.
    #[error("transaction tokens are signed with ES256 or EdDSA, not with {0}")]
    Algorithm(&'static str),
}

impl KeyError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> status::Kind {
        match self {
            Self::TooShort { .. } | Self::Algorithm(_) => status::Kind::FailedPrecondition,
        }
    }
}

/// The secrets of the moment.
struct Keys {
    mint: EncodingKey,
    current: DecodingKey,
    previous: Option<DecodingKey>,
}

impl Keys {
    fn new(current: &SecretString, previous: Option<&SecretString>) -> Result<Self, KeyError> {
        let secret = bytes(current, "OCIS_JWT_SECRET")?;
        let previous = previous
            .filter(|secret| !secret.expose_secret().is_empty())
            .map(|secret| bytes(secret, "OCIS_JWT_SECRET_PREVIOUS"))
            .transpose()?;
        Ok(Self {
            mint: EncodingKey::from_secret(secret),
            current: DecodingKey::from_secret(secret),
            previous: previous.map(DecodingKey::from_secret),
        })
    }
}

/// The bytes of a secret that is long enough; `variable` sets it.
pub(crate) fn bytes<'a>(secret: &'a SecretString, variable: &'static str) -> Result<&'a [u8], KeyError> {
    let bytes = secret.expose_secret().as_bytes();
    if bytes.len() < MIN_SECRET_BYTES {
        return Err(KeyError::TooShort { variable, length: bytes.len() });
    }
    Ok(bytes)
}

/// The secrets that sign tokens: the current one, and the previous one as long as tokens of it live.
pub struct KeyRing {
    keys: ArcSwap<Keys>,
    generation: AtomicU64,
}

impl KeyRing {
    /// A ring of the current secret and the one before it, if any; an empty previous secret is none.
    pub fn new(current: &SecretString, previous: Option<&SecretString>) -> Result<Self, KeyError> {
        Ok(Self { keys: ArcSwap::from_pointee(Keys::new(current, previous)?), generation: AtomicU64::new(0) })
    }

    /// Replaces both secrets at once; calls under way finish with the ones they began with. On an error the old ones stay.
    pub fn replace(&self, current: &SecretString, previous: Option<&SecretString>) -> Result<(), KeyError> {
        self.keys.store(Keys::new(current, previous)?.into());
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Accepts both secrets from now on, and signs by the previous one until [`replace`](Self::replace): those that verify tokens may not
    /// have read the current one yet. On an error the old ones stay.
    pub fn introduce(&self, current: &SecretString, previous: &SecretString) -> Result<(), KeyError> {
        let mint = EncodingKey::from_secret(bytes(previous, "OCIS_JWT_SECRET_PREVIOUS")?);
        self.keys.store(Keys { mint, ..Keys::new(current, Some(previous))? }.into());
        Ok(())
    }

    /// How often the secrets have been replaced: what was signed by another generation is better not handed out any more.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The signature of `message`, base64url; by the current secret.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String, BoxError> {
        Ok(crypto::sign(message, &self.keys.load().mint, Algorithm::HS256)?)
    }

    /// Whether `signature` (base64url) is one of `message` by the current or the previous secret; compared in constant time.
    pub(crate) fn accepts(&self, message: &[u8], signature: &str) -> bool {
        let keys = self.keys.load();
        let by = |key: &DecodingKey| crypto::verify(signature, message, key, Algorithm::HS256).unwrap_or(false);
        by(&keys.current) || keys.previous.as_ref().is_some_and(by)
    }
}
