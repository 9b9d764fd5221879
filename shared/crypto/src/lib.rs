#![doc = include_str!("../README.md")]

mod derivation;
mod sealing;

pub use derivation::{KEY_LEN, KeyDerivation};
pub use sealing::{NONCE_LEN, SealingKey};
