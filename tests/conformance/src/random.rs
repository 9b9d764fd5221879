//! Values that cannot be guessed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// That many random bytes, in base64url.
pub(crate) fn random(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut buffer).expect("the system's randomness");
    URL_SAFE_NO_PAD.encode(buffer)
}
