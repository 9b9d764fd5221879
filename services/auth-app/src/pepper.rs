//! The keys under which secrets are digested. A secret has 178 random bits, so a fast keyed hash is as safe as a slow one;
//! who gets hold of the database alone can neither use nor verify anything.

use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::{constant_time, hmac};
use runtime::config::Secret;

use crate::model::Fingerprint;

/// The current key, and the one before it while tokens are changed over.
pub struct Peppers {
    current: Pepper,
    previous: Option<Pepper>,
}

struct Pepper {
    id: Arc<str>,
    key: hmac::Key,
}

impl Peppers {
    /// The keys; an empty previous one is none.
    pub fn new(current: &Secret, previous: &Secret) -> Self {
        let previous = (!previous.is_empty()).then(|| Pepper::new(previous));
        Self { current: Pepper::new(current), previous }
    }

    /// The fingerprint under the current key.
    pub fn fingerprint(&self, secret: &str) -> Fingerprint {
        self.current.fingerprint(secret)
    }

    /// The fingerprints under every key that is accepted, the current one first.
    pub fn fingerprints(&self, secret: &str) -> Vec<Fingerprint> {
        let peppers = std::iter::once(&self.current).chain(&self.previous);
        peppers.map(|pepper| pepper.fingerprint(secret)).collect()
    }
}

impl Pepper {
    fn new(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        // tells the keys apart without telling anything of them
        let tag = hmac::sign(&key, b"doorward app token key id");
        let id = tag.as_ref().iter().take(6).fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        });
        Self { id: id.into(), key }
    }

    fn fingerprint(&self, secret: &str) -> Fingerprint {
        let tag = hmac::sign(&self.key, secret.as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        Fingerprint { key_id: Arc::clone(&self.id), digest }
    }
}

/// Whether two fingerprints are equal, in a time that does not tell where they differ.
pub fn same(one: &Fingerprint, other: &Fingerprint) -> bool {
    one.key_id == other.key_id && constant_time::verify_slices_are_equal(&one.digest, &other.digest).is_ok()
}
