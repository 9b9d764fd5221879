//! Digests under a secret key: names for what must not be kept.

use aws_lc_rs::hmac;
use config::Secret;
use runtime::Random;

/// HMAC-SHA256 (RFC 2104).
pub(crate) type Digest = [u8; 32];

/// Makes digests.
#[derive(Debug, Clone)]
pub(crate) struct Digester(hmac::Key);

impl Digester {
    pub(crate) fn new(random: &Random) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random.bytes::<32>()))
    }

    /// Digests that every replica makes alike: their key follows from the family's secret. When that changes, so do they.
    pub(crate) fn shared(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, b"doorward auth-basic attempts").as_ref()))
    }

    /// The digest of these parts, each preceded by its length so that no two lists of parts are the same.
    pub(crate) fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted() {
        let digester = Digester::new(&Random::seeded(1));
        assert_eq!(digester.digest(&[b"a", b"bc"]), digester.digest(&[b"a", b"bc"]));
        assert_ne!(digester.digest(&[b"a", b"bc"]), digester.digest(&[b"ab", b"c"]));
        assert_ne!(digester.digest(&[b"a", b"bc"]), Digester::new(&Random::seeded(2)).digest(&[b"a", b"bc"]));
    }
}
