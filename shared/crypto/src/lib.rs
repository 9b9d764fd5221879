#![doc = include_str!("../README.md")]

mod derivation;
mod fingerprint;
mod hmac;
mod sealing;

pub use derivation::{KEY_LEN, KeyDerivation};
pub use fingerprint::{FINGERPRINT_LEN, fingerprint, fingerprint_of_parts};
pub use hmac::{HMAC_LEN, HmacKey};
pub use sealing::{NONCE_LEN, SealingKey};
