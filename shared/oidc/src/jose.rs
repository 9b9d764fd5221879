//! Signed tokens (RFC 7515, 7517, 7518, 7519, 7638, 8037): keys, key sets and compact JWTs.
//!
//! `jsonwebtoken` reads public keys, makes their thumbprints and verifies signatures. An [`UnverifiedJwt`] is parsed here,
//! once, because issuer and key follow from its claims, and because `jsonwebtoken` accepts `crit`, which is refused. No time
//! is checked by it: [`claims`](crate::claims) does that, with the caller's clock. A [`SigningKey`] is of `aws-lc-rs`, which
//! holds a key pair parsed; `jsonwebtoken` parses it for each signature, which takes as long as the signature. A
//! [`VerifyingKey`] knows which algorithms it is for, and a token is verified only with a key that is for the algorithm
//! of its header: what a token says of itself never decides how a key is used. Shared secrets have a function of their
//! own and are no keys here, so that no public key can be taken for one (RFC 8725 3.1).

mod algorithm;
mod compact;
mod error;
mod jwt;
mod key_set;
mod public;
mod signing;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use compact::hs256_jwt;
pub use error::{JwtError, KeyError};
pub use jwt::{MAX_JWT, MAX_KID, UnverifiedJwt};
pub use key_set::{KeySet, MAX_KEYS};
pub use public::VerifyingKey;
pub use signing::SigningKey;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The left half of the hash of a text, in base64url: `at_hash`, `c_hash` and `s_hash` (OpenID Connect Core 3.1.3.6,
/// 3.3.2.11) in an ID token that is signed with this algorithm.
///
/// The hash is that of the algorithm: SHA-256, and for EdDSA, which means Ed25519 here, SHA-512.
pub fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 | Algorithm::Hs256 => digest(&SHA256, text.as_bytes()),
        Algorithm::EdDsa => digest(&SHA512, text.as_bytes()),
    };
    let hash = hash.as_ref();
    URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}

/// The SHA-256 of a text, in base64url.
pub(crate) fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
