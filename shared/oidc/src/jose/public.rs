use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Algorithm, KeyError, MAX_KID, sha256};

/// How long RSA keys are, in bits.
pub(super) const RSA_BITS: RangeInclusive<usize> = 2048..=4096;
/// The members of a JWK that nobody but its owner may see (RFC 7518 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key, with the algorithms that it may verify.
///
/// Those follow from its type, and from `alg` if the JWK has one; what a token says does not change them. A shared secret
/// is never among them.
pub struct VerifyingKey {
    kid: Option<String>,
    thumbprint: String,
    /// Never empty: the key as each of its algorithms needs it.
    keys: Vec<(Algorithm, ParsedPublicKey)>,
}

/// The key itself: the text whose hash is its thumbprint (RFC 7638 3), and what verifies.
struct Material {
    canonical: String,
    keys: Vec<(Algorithm, ParsedPublicKey)>,
}

impl VerifyingKey {
    /// Reads a JWK (RFC 7517 4). `x5c` and the other members that lead to certificates are not looked
    /// at; see [`KeySet::has_certificate`](super::KeySet::has_certificate).
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
        let Material { canonical, mut keys } = match text(jwk, "kty")? {
            "RSA" => Material::rsa(jwk)?,
            "EC" => Material::p256(jwk)?,
            "OKP" => Material::ed25519(jwk)?,
            _ => return Err(KeyError::UnknownType),
        };
        if let Some(named) = optional(jwk, "alg")? {
            keys.retain(|(algorithm, _)| algorithm.name() == named);
        }
        if keys.is_empty() {
            return Err(KeyError::Algorithm);
        }
        let kid = optional(jwk, "kid")?;
        if kid.is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(KeyError::Kid);
        }
        Ok(Self { kid: kid.map(str::to_owned), thumbprint: sha256(&canonical), keys })
    }

    /// What the key is called, if it is called anything.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The SHA-256 of what makes the key, in base64url (RFC 7638): one name that nobody can choose.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether the key is for this algorithm.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|(ours, _)| *ours == algorithm)
    }

    /// Whether this is a signature of the message by the key with an algorithm that the key is for.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = self.keys.iter().find(|(ours, _)| *ours == algorithm);
        key.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }
}

impl Material {
    fn rsa(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        let components = RsaPublicKeyComponents { n: number(jwk, "n")?, e: number(jwk, "e")? };
        if !RSA_BITS.contains(&bits(&components.n)) || !(17..=32).contains(&bits(&components.e)) {
            return Err(KeyError::Size);
        }
        if !is_odd(&components.n) || !is_odd(&components.e) {
            return Err(KeyError::Malformed);
        }
        let rs256 = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(|_| KeyError::Malformed)?;
        let ps256 = components.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256).map_err(|_| KeyError::Malformed)?;
        Ok(Self {
            canonical: format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(jwk, "e")?, text(jwk, "n")?),
            keys: vec![(Algorithm::Rs256, rs256), (Algorithm::Ps256, ps256)],
        })
    }

    fn p256(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        if text(jwk, "crv")? != "P-256" {
            return Err(KeyError::UnknownType);
        }
        let (x, y) = (coordinate(jwk, "x")?, coordinate(jwk, "y")?);
        // the uncompressed form of SEC 1, 2.3.3
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyError::Malformed)?;
        let (x, y) = (text(jwk, "x")?, text(jwk, "y")?);
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Ok(Self { canonical, keys: vec![(Algorithm::Es256, key)] })
    }

    fn ed25519(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        if text(jwk, "crv")? != "Ed25519" {
            return Err(KeyError::UnknownType);
        }
        let key = ParsedPublicKey::new(&ED25519, coordinate(jwk, "x")?).map_err(|_| KeyError::Malformed)?;
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(jwk, "x")?);
        Ok(Self { canonical, keys: vec![(Algorithm::EdDsa, key)] })
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.keys.iter().map(|(algorithm, _)| algorithm).collect();
        let mut debug = f.debug_struct("VerifyingKey");
        debug.field("kid", &self.kid).field("thumbprint", &self.thumbprint).field("algorithms", &algorithms).finish()
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

/// `Base64urlUInt` of RFC 7518 2: a number in as few bytes as it needs. That there is one way to write it keeps the
/// thumbprint one.
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| KeyError::Malformed)?;
    if bytes.first().is_none_or(|first| *first == 0) { Err(KeyError::Malformed) } else { Ok(bytes) }
}

fn coordinate(jwk: &Map<String, Value>, name: &str) -> Result<[u8; 32], KeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| KeyError::Malformed)?;
    bytes.try_into().map_err(|_| KeyError::Malformed)
}

/// How many bits a number has that has no leading zero bytes.
fn bits(number: &[u8]) -> usize {
    number.len() * 8 - number.first().map_or(0, |first| first.leading_zeros() as usize)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last % 2 == 1)
}
