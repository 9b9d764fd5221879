use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::public::RSA_BITS;
use super::{Algorithm, KeyError, VerifyingKey, compact};

/// The longest signature, in bytes: that of the longest RSA key.
const MAX_SIGNATURE: usize = *RSA_BITS.end() / 8;
/// The types of the tokens that are made all the time.
const FREQUENT: [&str; 4] = ["JWT", "at+jwt", "logout+jwt", "txntoken+jwt"];

/// A key pair that signs with one algorithm, held parsed. What is printed of it is its name.
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    pair: Pair,
    jwk: Map<String, Value>,
    headers: [(&'static str, String); FREQUENT.len()],
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A signature that needs no allocation.
struct Signature {
    bytes: [u8; MAX_SIGNATURE],
    length: usize,
}

impl SigningKey {
    /// Makes a new key pair; for RSA one of 2048 bits, which takes a noticeable part of a second.
    ///
    /// # Errors
    /// [`KeyError::Algorithm`] for an algorithm without key pairs, [`KeyError::Kid`] and [`KeyError::Library`].
    pub fn generate(algorithm: Algorithm, kid: &str) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256),
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::Hs256 => return Err(KeyError::Algorithm),
        };
        Self::new(algorithm, kid, pair.map_err(|_| KeyError::Library)?)
    }

    /// Reads a key pair from its PKCS #8 form (RFC 5208, RFC 5958), not encrypted.
    ///
    /// # Errors
    /// [`KeyError::Algorithm`], [`KeyError::Kid`], [`KeyError::Size`], and [`KeyError::Malformed`] also for a key of
    /// another type than the algorithm's.
    pub fn from_pkcs8(algorithm: Algorithm, kid: &str, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::P256),
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Pair::Ed25519),
            Algorithm::Hs256 => return Err(KeyError::Algorithm),
        };
        Self::new(algorithm, kid, pair.map_err(|_| KeyError::Malformed)?)
    }

    /// The key pair whose private part is this: the scalar of a P-256 key, or the seed of an Ed25519 key (RFC 8032 5.1.5).
    ///
    /// # Errors
    /// [`KeyError::Algorithm`] for an algorithm whose keys are not so made, [`KeyError::Kid`], [`KeyError::Library`], and
    /// [`KeyError::Malformed`] for a number that is no scalar of P-256: zero, or the order of the curve and beyond. One of 2^32
    /// random texts is none; the caller tries another.
    pub fn from_seed(algorithm: Algorithm, kid: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::Es256 => Pair::P256(p256_pair(seed)?),
            Algorithm::EdDsa => {
                Pair::Ed25519(Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Library)?)
            }
            Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Hs256 => return Err(KeyError::Algorithm),
        };
        Self::new(algorithm, kid, pair)
    }

    fn new(algorithm: Algorithm, kid: &str, pair: Pair) -> Result<Self, KeyError> {
        let public = Jwk::from_decoding_key(&pair.public_key(), Some(algorithm.into()));
        let mut public = public.map_err(|_| KeyError::Library)?;
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        public.common.key_id = Some(kid.to_owned());
        let Ok(Value::Object(jwk)) = serde_json::to_value(public) else { return Err(KeyError::Library) };
        // a key that no `VerifyingKey` accepts does not sign either
        VerifyingKey::from_jwk(&jwk)?;
        let headers = FREQUENT.map(|typ| (typ, compact::header(algorithm, Some(kid), typ)));
        Ok(Self { kid: kid.to_owned(), algorithm, pair, jwk, headers })
    }

    /// The PKCS #8 form, which [`from_pkcs8`](Self::from_pkcs8) reads. It is the secret itself, and wiped when dropped.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let written = match &self.pair {
            Pair::Rsa(pair) => pair.as_der().map(|der| Zeroizing::new(der.as_ref().to_vec())),
            Pair::P256(pair) => pair.to_pkcs8v1().map(|der| Zeroizing::new(der.as_ref().to_vec())),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map(|der| Zeroizing::new(der.as_ref().to_vec())),
        };
        written.map_err(|_| KeyError::Library)
    }

    /// What the key is called.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as a JWK (RFC 7517 4), for the key set that is published.
    pub const fn jwk(&self) -> &Map<String, Value> {
        &self.jwk
    }

    /// Signs a message. The result is what a JWS holds; for ES256 that is the two numbers, 32 bytes each.
    ///
    /// # Panics
    /// If the cryptographic library cannot sign, as when there is no memory left.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.signature(message).as_slice().to_vec()
    }

    /// A signed JWT in its compact form.
    ///
    /// # Panics
    /// If the claims cannot be written as JSON, as maps cannot whose keys are no texts; and as [`sign`](Self::sign) does.
    pub fn jwt(&self, typ: &str, claims: &impl Serialize) -> String {
        let message = compact::message(&self.header(typ), claims, self.pair.signature_length());
        let signature = self.signature(message.as_bytes());
        compact::signed(message, signature.as_slice())
    }

    fn header(&self, typ: &str) -> Cow<'_, str> {
        match self.headers.iter().find(|(frequent, _)| *frequent == typ) {
            Some((_, header)) => Cow::Borrowed(header),
            None => Cow::Owned(compact::header(self.algorithm, Some(&self.kid), typ)),
        }
    }

    fn signature(&self, message: &[u8]) -> Signature {
        let length = self.pair.signature_length();
        let mut signature = Signature { bytes: [0; MAX_SIGNATURE], length };
        let room = &mut signature.bytes[..length];
        let signed = match &self.pair {
            Pair::Rsa(pair) => pair.sign(self.padding(), &SystemRandom::new(), message, room),
            Pair::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|bytes| room.copy_from_slice(bytes.as_ref()))
            }
            Pair::Ed25519(pair) => pair.try_sign(message).map(|bytes| room.copy_from_slice(bytes.as_ref())),
        };
        signed.expect("a parsed key signs");
        signature
    }

    fn padding(&self) -> &'static dyn RsaEncoding {
        if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 }
    }
}

/// The key pair of a scalar. The library takes one only together with its public point, which another of its types computes.
fn p256_pair(scalar: &[u8; 32]) -> Result<EcdsaKeyPair, KeyError> {
    let private = PrivateKey::from_private_key(&ECDH_P256, scalar).map_err(|_| KeyError::Malformed)?;
    let public = private.compute_public_key().map_err(|_| KeyError::Library)?;
    EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, scalar, public.as_ref())
        .map_err(|_| KeyError::Library)
}

impl Pair {
    fn signature_length(&self) -> usize {
        match self {
            Self::Rsa(pair) => pair.public_modulus_len(),
            Self::P256(_) | Self::Ed25519(_) => 64,
        }
    }

    fn public_key(&self) -> DecodingKey {
        match self {
            Self::Rsa(pair) => DecodingKey::from_rsa_der(pair.public_key().as_ref()),
            Self::P256(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Self::Ed25519(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
        }
    }
}

impl Signature {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, algorithm, pair: _, jwk: _, headers: _ } = self;
        f.debug_struct("SigningKey").field("kid", kid).field("algorithm", algorithm).finish()
    }
}
