//! Authenticated encryption. SIV, because nonces are random: even should one come twice, nothing is revealed but that two texts
//! are equal.

use aws_lc_rs::aead::{self, AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::KEY_LEN;

/// The length of a nonce, in bytes.
pub const NONCE_LEN: usize = aead::NONCE_LEN;

/// Seals and opens by AES-256-GCM-SIV (RFC 8452).
pub struct SealingKey {
    key: LessSafeKey,
    prefix: Vec<u8>,
}

impl SealingKey {
    /// Seals under this key. Every sealed value begins with the prefix, and only such values are opened; the prefix is not
    /// authenticated.
    pub fn new(key: &[u8; KEY_LEN], prefix: &[u8]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key).expect("the key has the algorithm's length");
        Self { key: LessSafeKey::new(key), prefix: prefix.to_vec() }
    }

    /// Seals for a purpose. The nonce must be random.
    pub fn seal(&self, nonce: [u8; NONCE_LEN], purpose: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut text = plain.to_vec();
        let outcome =
            self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut text);
        outcome.expect("a text of this length can be sealed");
        [&self.prefix[..], &nonce, &text].concat()
    }

    /// Opens a value; `None` if it was not sealed under this key for this purpose, or was changed.
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.strip_prefix(&self.prefix[..])?.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let plain = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose), &mut text).ok()?;
        let length = plain.len();
        text.truncate(length);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyDerivation;

    #[test]
    fn sealed_value_opens_with_its_key_prefix_and_purpose_only() {
        let key = |secret: &[u8], info: &[u8]| KeyDerivation::new(b"salt", secret).key(info);
        let sealing = SealingKey::new(&key(b"secret", b"info"), b"p");
        let sealed = sealing.seal([7; NONCE_LEN], b"purpose", b"text");
        assert_eq!(sealed[..=NONCE_LEN], [&b"p"[..], &[7; NONCE_LEN]].concat());
        assert_eq!(sealing.open(b"purpose", &sealed).as_deref(), Some(&b"text"[..]));
        assert_eq!(sealing.open(b"other", &sealed), None);
        let others = [
            SealingKey::new(&key(b"secret", b"info"), b"q"),
            SealingKey::new(&key(b"secret", b"other"), b"p"),
            SealingKey::new(&key(b"other", b"info"), b"p"),
        ];
        for other in others {
            assert_eq!(other.open(b"purpose", &sealed), None);
        }
    }
}
