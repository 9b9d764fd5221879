//! Digests under a secret key: names for what must not be kept.

use config::Secret;
use crypto::{HMAC_LEN, HmacKey};

/// HMAC-SHA-256 (RFC 2104).
pub(crate) type Digest = [u8; HMAC_LEN];

/// The key of digests that every replica makes alike: it follows from the family's secret. When that changes, so do they.
pub(crate) fn shared_key(secret: &Secret) -> HmacKey {
    HmacKey::new(&HmacKey::new(secret.expose().as_bytes()).digest(b"doorward auth-basic attempts"))
}
