//! Digests under a key, for what must be found or compared again, but must not be stored or guessed.

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key, Tag, sign, verify};

/// The length of a keyed digest, in bytes.
pub const HMAC_LEN: usize = 32;

/// Makes and verifies digests by HMAC-SHA-256 (RFC 2104).
#[derive(Debug, Clone)]
pub struct HmacKey(Key);

impl HmacKey {
    /// Digests under this key. It should be random and have 32 bytes.
    pub fn new(key: &[u8]) -> Self {
        Self(Key::new(HMAC_SHA256, key))
    }

    /// The digest of a text.
    pub fn digest(&self, text: &[u8]) -> [u8; HMAC_LEN] {
        array(&sign(&self.0, text))
    }

    /// The digest of several parts. The length precedes each part, so that no two lists of parts are the same text.
    pub fn digest_of_parts(&self, parts: &[&[u8]]) -> [u8; HMAC_LEN] {
        let mut context = Context::with_key(&self.0);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        array(&context.sign())
    }

    /// Whether a text has this digest, compared in constant time.
    pub fn verify(&self, text: &[u8], digest: &[u8; HMAC_LEN]) -> bool {
        verify(&self.0, text, digest).is_ok()
    }
}

fn array(tag: &Tag) -> [u8; HMAC_LEN] {
    tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted() {
        let key = HmacKey::new(&[1; HMAC_LEN]);
        assert_eq!(key.digest_of_parts(&[b"a", b"bc"]), key.digest_of_parts(&[b"a", b"bc"]));
        assert_ne!(key.digest_of_parts(&[b"a", b"bc"]), key.digest_of_parts(&[b"ab", b"c"]));
        assert_ne!(key.digest_of_parts(&[b"a", b"bc"]), HmacKey::new(&[2; HMAC_LEN]).digest_of_parts(&[b"a", b"bc"]));
    }

    #[test]
    fn digest_verifies_with_its_text_and_key_only() {
        let key = HmacKey::new(&[1; HMAC_LEN]);
        let digest = key.digest(b"text");
        assert!(key.verify(b"text", &digest));
        assert!(!key.verify(b"other", &digest));
        assert!(!HmacKey::new(&[2; HMAC_LEN]).verify(b"text", &digest));
    }
}
