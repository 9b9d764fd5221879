//! The keys under which secrets are digested. A secret has 178 random bits, so a fast keyed hash is as safe as a slow one;
//! who gets hold of the database alone can neither use nor verify anything.

use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::constant_time;
use config::Secret;
use crypto::HmacKey;

use crate::model::Fingerprint;

/// The current key, and the one before it while tokens are changed over.
pub struct DigestKeys {
    current: DigestKey,
    previous: Option<DigestKey>,
}

struct DigestKey {
    id: Arc<str>,
    key: HmacKey,
}

impl DigestKeys {
    /// The keys; an empty previous one is none.
    pub fn new(current: &Secret, previous: &Secret) -> Self {
        let previous = (!previous.is_empty()).then(|| DigestKey::new(previous));
        Self { current: DigestKey::new(current), previous }
    }

    /// The fingerprint under the current key.
    pub fn fingerprint(&self, secret: &str) -> Fingerprint {
        self.current.fingerprint(secret)
    }

    /// The fingerprints under every key that is accepted, the current one first.
    pub fn fingerprints(&self, secret: &str) -> Vec<Fingerprint> {
        let keys = std::iter::once(&self.current).chain(&self.previous);
        keys.map(|key| key.fingerprint(secret)).collect()
    }
}

impl DigestKey {
    fn new(secret: &Secret) -> Self {
        let key = HmacKey::new(secret.expose().as_bytes());
        // identifies a key without revealing anything about it
        let digest = key.digest(b"doorward app token key id");
        let id = digest.iter().take(6).fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        });
        Self { id: id.into(), key }
    }

    fn fingerprint(&self, secret: &str) -> Fingerprint {
        Fingerprint { key_id: Arc::clone(&self.id), digest: self.key.digest(secret.as_bytes()) }
    }
}

/// Whether two fingerprints are equal, in a time that does not depend on where they differ.
pub fn same(one: &Fingerprint, other: &Fingerprint) -> bool {
    one.key_id == other.key_id && constant_time::verify_slices_are_equal(&one.digest, &other.digest).is_ok()
}
