//! Keys from a secret.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use zeroize::Zeroizing;

/// The length of every derived key, in bytes.
pub const KEY_LEN: usize = 32;

/// Derives keys from one secret by HKDF-SHA-256 (RFC 5869).
pub struct KeyDerivation(Prk);

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

impl KeyDerivation {
    /// Extracts the secret. The salt separates services that have the same secret.
    pub fn new(salt: &[u8], secret: &[u8]) -> Self {
        Self(Salt::new(HKDF_SHA256, salt).extract(secret))
    }

    /// The key for one use. It is erased when it is dropped.
    pub fn key(&self, info: &[u8]) -> Zeroizing<[u8; KEY_LEN]> {
        let mut key = Zeroizing::new([0_u8; KEY_LEN]);
        let info = [info];
        let output = self.0.expand(&info, KeyLength).and_then(|output| output.fill(&mut *key));
        output.expect("so short a key can be derived");
        key
    }
}
