#![doc = include_str!("../README.md")]

mod derivation;
mod fingerprint;
mod hmac;
mod passphrase;
mod sealing;

pub use derivation::{KEY_LEN, KeyDerivation};
pub use fingerprint::{FINGERPRINT_LEN, Fingerprinter, fingerprint, fingerprint_of_parts};
pub use hmac::{HMAC_LEN, HmacKey};
pub use passphrase::{PASSPHRASE_SALT_LEN, key_of_passphrase};
pub use sealing::{NONCE_LEN, SealingKey};
