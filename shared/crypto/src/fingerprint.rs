//! Fingerprints: SHA-256 (FIPS 180-4) of what must be found or compared again, but not stored.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};

/// The length of a fingerprint, in bytes.
pub const FINGERPRINT_LEN: usize = SHA256_OUTPUT_LEN;

/// The SHA-256 of a text. Secrets must be long and random for it, since it has no key.
pub fn fingerprint(text: &[u8]) -> [u8; FINGERPRINT_LEN] {
    digest(&SHA256, text).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The SHA-256 of several parts. The length precedes each part, so that no two lists of parts are the same text.
pub fn fingerprint_of_parts(parts: &[&str]) -> [u8; FINGERPRINT_LEN] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The SHA-256 of a text that is too long to be in memory at once: that of all its parts, one after the other.
#[derive(Clone)]
pub struct Fingerprinter(Context);

impl Fingerprinter {
    /// Begins with no text.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds a part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The fingerprint of the parts.
    pub fn finish(self) -> [u8; FINGERPRINT_LEN] {
        self.0.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_parts_has_the_fingerprint_of_the_whole() {
        let mut parts = Fingerprinter::new();
        for part in ["a", "", "bc"] {
            parts.update(part.as_bytes());
        }
        assert_eq!(parts.finish(), fingerprint(b"abc"));
    }

    #[test]
    fn parts_are_fingerprinted_with_their_lengths() {
        assert_eq!(fingerprint_of_parts(&["ab", "c"]), fingerprint(b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x01c"));
        assert_ne!(fingerprint_of_parts(&["ab", "c"]), fingerprint_of_parts(&["a", "bc"]));
    }
}
