//! Keys from passphrases that people choose.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::KEY_LEN;

/// The length of a salt, in bytes.
pub const PASSPHRASE_SALT_LEN: usize = 16;

/// The memory, in KiB, the passes and the lanes of the second recommended option of RFC 9106 section 4.
const COST: (u32, u32, u32) = (64 * 1024, 3, 4);

/// Derives the key of a passphrase by argon2id (RFC 9106). The salt must be random, and is stored with what is sealed. Takes 64 MiB
/// of memory and a good part of a second, so that guessing is slow.
pub fn key_of_passphrase(passphrase: &[u8], salt: &[u8; PASSPHRASE_SALT_LEN]) -> Zeroizing<[u8; KEY_LEN]> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, Some(KEY_LEN)).expect("the cost is within the bounds");
    let mut key = Zeroizing::new([0_u8; KEY_LEN]);
    let outcome =
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(passphrase, salt, &mut *key);
    outcome.expect("a passphrase that fits in memory has a key");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_depends_on_passphrase_and_salt() {
        let key = |passphrase: &str, salt| *key_of_passphrase(passphrase.as_bytes(), &[salt; PASSPHRASE_SALT_LEN]);
        let one = key("correct horse battery staple", 1);
        assert_eq!(one, key("correct horse battery staple", 1));
        assert_ne!(one, key("correct horse battery stapler", 1));
        assert_ne!(one, key("correct horse battery staple", 2));
    }
}
