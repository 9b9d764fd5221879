use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::{Algorithm, JwtError, VerifyingKey};

/// The longest JWT that is looked at, in bytes.
pub const MAX_JWT: usize = 32 * 1024;
/// The longest key identifier, in bytes.
pub const MAX_KID: usize = 256;
/// The type of a JWT that carries its own key (RFC 9449 4.2).
const DPOP: &str = "dpop+jwt";
/// Header members that change what is signed or how it is read; whoever does not know them must not go on.
const EXTENSIONS: [&str; 3] = ["crit", "zip", "b64"];
/// Header members that refer to keys of the sender's choice.
const KEYS: [&str; 6] = ["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"];

/// A parsed compact JWT (RFC 7519) whose signature is not verified yet: [`verify`](Self::verify) does that. Its `Debug` output
/// has only the algorithm and the key of the header.
pub struct UnverifiedJwt<'a> {
    message: &'a str,
    signature: Vec<u8>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Parses a JWT, and refuses what would be invalid with any signature. Header members that refer to keys are left out,
    /// but for the `jwk` of a `DPoP` proof.
    ///
    /// # Errors
    /// [`JwtError::TooLong`], [`JwtError::Malformed`] and [`JwtError::Extension`].
    pub fn parse(text: &'a str) -> Result<Self, JwtError> {
        if text.len() > MAX_JWT {
            return Err(JwtError::TooLong);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(JwtError::Malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| JwtError::Malformed)?;
        let mut jwt = Self { message, signature, header: object(header)?, claims: object(claims)? };
        jwt.check_header()?;
        let keeps = if jwt.is_typ(DPOP) { "jwk" } else { "" };
        jwt.header.retain(|name, _| name == keeps || !KEYS.contains(&name.as_str()));
        Ok(jwt)
    }

    fn check_header(&self) -> Result<(), JwtError> {
        if EXTENSIONS.iter().any(|extension| self.header.contains_key(*extension)) {
            return Err(JwtError::Extension);
        }
        let is_text = |name: &str| self.header.get(name).is_none_or(Value::is_string);
        let well_formed = self.header.get("alg").is_some_and(Value::is_string) && is_text("kid") && is_text("typ");
        if !well_formed || self.kid().is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(JwtError::Malformed);
        }
        Ok(())
    }

    /// The algorithm of the header; `None` for `none` in any case, and for those that are unknown here.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.header_text("alg")?.parse().ok()
    }

    /// Whether it is an unsecured JWT (RFC 7519 6): `alg` is exactly `none`, and there is no signature.
    pub fn is_unsigned(&self) -> bool {
        self.header_text("alg") == Some("none") && self.signature.is_empty()
    }

    /// The name of the key: an opaque text.
    pub fn kid(&self) -> Option<&str> {
        self.header_text("kid")
    }

    /// The type as it stands in the header.
    pub fn typ(&self) -> Option<&str> {
        self.header_text("typ")
    }

    /// Whether the type is this media type, with or without `application/`, in upper or lower case (RFC 7515 4.1.9).
    pub fn is_typ(&self, wanted: &str) -> bool {
        const APPLICATION: &str = "application/";
        let Some(typ) = self.typ() else { return false };
        let prefix = typ.get(..APPLICATION.len()).filter(|start| start.eq_ignore_ascii_case(APPLICATION));
        typ[prefix.map_or(0, str::len)..].eq_ignore_ascii_case(wanted)
    }

    /// The header, without the members that refer to keys.
    pub const fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// What it says, whoever says it.
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Checks the signature with a public key, which has to be for the algorithm of the header.
    ///
    /// # Errors
    /// [`JwtError::Algorithm`] and [`JwtError::Signature`].
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), JwtError> {
        let algorithm = self.algorithm().filter(|algorithm| key.is_for(*algorithm)).ok_or(JwtError::Algorithm)?;
        let good = key.verify(algorithm, self.message.as_bytes(), &self.signature);
        if good { Ok(()) } else { Err(JwtError::Signature) }
    }

    /// Checks the signature with a shared secret, in constant time. An empty secret is never accepted.
    ///
    /// # Errors
    /// [`JwtError::Algorithm`] and [`JwtError::Signature`].
    pub fn verify_hs256(&self, secret: &[u8]) -> Result<(), JwtError> {
        if self.algorithm() != Some(Algorithm::Hs256) {
            return Err(JwtError::Algorithm);
        }
        let key = DecodingKey::from_secret(secret);
        let good = !secret.is_empty() && Algorithm::Hs256.verify(&key, self.message.as_bytes(), &self.signature);
        if good { Ok(()) } else { Err(JwtError::Signature) }
    }

    /// What it says, to keep.
    pub fn into_claims(self) -> Map<String, Value> {
        self.claims
    }

    fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }
}

impl fmt::Debug for UnverifiedJwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJwt").field("alg", &self.header.get("alg")).field("kid", &self.kid()).finish()
    }
}

fn object(part: &str) -> Result<Map<String, Value>, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| JwtError::Malformed)
}
