use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm};
use jsonwebtoken::jwk::{AlgorithmParameters, CommonParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Algorithm, KeyError, MAX_KID};

/// How long RSA keys are, in bits.
pub(super) const RSA_BITS: RangeInclusive<usize> = 2048..=4096;
/// The members of a JWK that only its owner may see (RFC 7518 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// How long 32 bytes are in base64url.
const COORDINATE: usize = 43;

/// A public key, with the algorithms that it may verify.
///
/// Those follow from its type, and from `alg` if the JWK has one; what a token says does not change them. A shared secret
/// is never among them.
pub struct VerifyingKey {
    kid: Option<String>,
    thumbprint: String,
    /// Never empty.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl VerifyingKey {
    /// Reads a JWK (RFC 7517 4). `x5c` and the other members that name certificates are ignored; see
    /// [`KeySet::has_certificate`](super::KeySet::has_certificate).
    ///
    /// # Errors
    /// [`KeyError`], with [`KeyError::PrivatePart`] before all others.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        if has_private_part(jwk) {
            return Err(KeyError::PrivatePart);
        }
        if !is_for_signatures(jwk) {
            return Err(KeyError::NotForSignatures);
        }
        let mut algorithms = algorithms_of(jwk)?;
        let parameters = AlgorithmParameters::deserialize(jwk).map_err(|_| KeyError::Malformed)?;
        let parsed = Jwk { common: CommonParameters::default(), algorithm: parameters };
        let key = DecodingKey::from_jwk(&parsed).map_err(|_| KeyError::Malformed)?;
        check(&parsed.algorithm, &key)?;
        if let Some(named) = optional(jwk, "alg")? {
            algorithms.retain(|algorithm| algorithm.name() == named);
        }
        if algorithms.is_empty() {
            return Err(KeyError::Algorithm);
        }
        let kid = optional(jwk, "kid")?;
        if kid.is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(KeyError::Kid);
        }
        let thumbprint = parsed.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Malformed)?;
        Ok(Self { kid: kid.map(str::to_owned), thumbprint, algorithms, key })
    }

    /// The `kid` of the JWK.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The SHA-256 thumbprint of the key, in base64url (RFC 7638): a name that its owner cannot choose.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether the key is for this algorithm.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether this is a signature of the message by the key with an algorithm that the key is for.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &Vec<u8>) -> bool {
        self.is_for(algorithm) && algorithm.verify(&self.key, message, signature)
    }
}

/// The algorithms for keys of this type and curve.
fn algorithms_of(jwk: &Map<String, Value>) -> Result<Vec<Algorithm>, KeyError> {
    match text(jwk, "kty")? {
        "RSA" => Ok(vec![Algorithm::Rs256, Algorithm::Ps256]),
        "EC" if text(jwk, "crv")? == "P-256" => Ok(vec![Algorithm::Es256]),
        "OKP" if text(jwk, "crv")? == "Ed25519" => Ok(vec![Algorithm::EdDsa]),
        _ => Err(KeyError::UnknownType),
    }
}

/// Checks what `jsonwebtoken` leaves unchecked until a signature is verified, and that each number is written in the one
/// way that keeps the thumbprint of a key unique.
fn check(parameters: &AlgorithmParameters, key: &DecodingKey) -> Result<(), KeyError> {
    match parameters {
        AlgorithmParameters::RSA(_) => check_rsa(key),
        AlgorithmParameters::EllipticCurve(point) => check_point(&point.x, &ECDSA_P256_SHA256_FIXED, key),
        AlgorithmParameters::OctetKeyPair(point) => check_point(&point.x, &ED25519, key),
        _ => Err(KeyError::Malformed),
    }
}

/// `x` has its full length: a shorter one could take bytes of `y`, and a longer one be another encoding of the key.
fn check_point(x: &str, curve: &'static dyn VerificationAlgorithm, key: &DecodingKey) -> Result<(), KeyError> {
    let is_on_curve = || key.try_get_as_bytes().is_ok_and(|point| ParsedPublicKey::new(curve, point).is_ok());
    if x.len() == COORDINATE && is_on_curve() { Ok(()) } else { Err(KeyError::Malformed) }
}

fn check_rsa(key: &DecodingKey) -> Result<(), KeyError> {
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else { return Err(KeyError::Malformed) };
    if [n, e].into_iter().any(|number| number.first().is_none_or(|first| *first == 0)) {
        return Err(KeyError::Malformed);
    }
    if !RSA_BITS.contains(&bits(n)) || !(17..=32).contains(&bits(e)) {
        return Err(KeyError::Size);
    }
    if is_odd(n) && is_odd(e) { Ok(()) } else { Err(KeyError::Malformed) }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, thumbprint, algorithms, key: _ } = self;
        let mut debug = f.debug_struct("VerifyingKey");
        debug.field("kid", kid).field("thumbprint", thumbprint).field("algorithms", algorithms).finish()
    }
}

pub(super) fn has_private_part(jwk: &Map<String, Value>) -> bool {
    PRIVATE.iter().any(|member| jwk.contains_key(*member))
}

fn is_for_signatures(jwk: &Map<String, Value>) -> bool {
    let used = jwk.get("use").is_none_or(|used| used == "sig");
    let operations = jwk.get("key_ops").is_none_or(|operations| match operations {
        Value::Array(operations) => operations.iter().any(|operation| operation == "verify"),
        _ => false,
    });
    used && operations
}

fn optional<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, KeyError> {
    jwk.get(name).map(|value| value.as_str().ok_or(KeyError::Malformed)).transpose()
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<&'a str, KeyError> {
    optional(jwk, name)?.ok_or(KeyError::Malformed)
}

/// How many bits a number has that has no leading zero bytes.
fn bits(number: &[u8]) -> usize {
    number.len() * 8 - number.first().map_or(0, |first| first.leading_zeros() as usize)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last % 2 == 1)
}
