//! Demonstrating Proof of Possession (RFC 9449): who presents a token holds the key that it was issued for.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::claims::{self, ClaimError, TimeError};
use crate::error::ErrorCode;
use crate::jose::{Algorithm, JwtError, KeyError, UnverifiedJwt, VerifyingKey, sha256};
use crate::web::WebUrl;

#[cfg(test)]
mod tests;

/// How old a proof may be, and how far its clock may be ahead of ours.
pub const WINDOW: Duration = Duration::from_mins(1);
/// The longest `jti`, in bytes.
pub const MAX_JTI: usize = 128;
/// The longest `nonce`, in bytes.
pub const MAX_NONCE: usize = 512;

/// Why a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DpopError {
    /// The JWT cannot be read, has another kind of algorithm, or its signature does not match.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// Its type is another.
    #[error("typ is dpop+jwt")]
    Type,
    /// It carries no key.
    #[error("the proof has no jwk")]
    KeyMissing,
    /// The key that it carries is not taken.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A claim is missing or malformed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// It is for another method.
    #[error("htm is not the method of this request")]
    Method,
    /// It is for another address.
    #[error("htu is not the address of this request")]
    Address,
    /// It was not made just now.
    #[error("iat is more than {} seconds from now", WINDOW.as_secs())]
    Time,
    /// By its own `exp` or `nbf` it is not valid now (RFC 7519 4.1.4 and 4.1.5).
    #[error(transparent)]
    Validity(#[from] TimeError),
    /// It is for another access token, or for none.
    #[error("ath is not the hash of the access token")]
    AccessToken,
    /// It needs a nonce of this server, and has none, or one that has expired.
    #[error("the proof needs a nonce: use the one in the header DPoP-Nonce")]
    Nonce,
}

impl DpopError {
    /// What answers it (RFC 9449 5, 7.1, 8 and 9).
    pub const fn code(self) -> ErrorCode {
        if matches!(self, Self::Nonce) { ErrorCode::UseDpopNonce } else { ErrorCode::InvalidDpopProof }
    }
}

/// What a proof has to be.
pub struct ProofRules<'a> {
    /// By which of these it is signed.
    pub algorithms: &'a [Algorithm],
    /// Whether it needs a nonce.
    pub nonce: NonceRule<'a>,
}

/// Whether a proof needs a nonce of this server (RFC 9449 8).
#[derive(Clone, Copy)]
pub enum NonceRule<'a> {
    /// It needs none.
    NotNeeded,
    /// It needs one of which this function says that it is fresh. Such a nonce tells when the proof was made, whatever the clock of
    /// the client says (RFC 9449 11.1), so that `iat`, `exp` and `nbf` are not compared with the present.
    Fresh(&'a dyn Fn(&str) -> bool),
}

impl ProofRules<'_> {
    /// The rules of RFC 9449 for a server that sends no nonces.
    pub const USUAL: ProofRules<'static> = ProofRules { algorithms: &Algorithm::SIGNING, nonce: NonceRule::NotNeeded };
}

/// What a proof says, verified. What remains to be done is whatever needs a memory: its `jti` is taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of its key (RFC 7638), which a token is bound to by `cnf.jkt`.
    pub jkt: String,
    /// What it is called.
    pub jti: String,
    /// The nonce that it repeats.
    pub nonce: Option<String>,
    /// When it was made.
    pub iat: SystemTime,
}

impl Proof {
    /// Checks a proof (RFC 9449 4.3) for a request with this method to this URL, and with this access token if there is
    /// one. Addresses are compared without query and fragment, their scheme and host without regard to case, and a port
    /// that the scheme implies counts as left out.
    ///
    /// # Errors
    /// [`DpopError`].
    pub fn verify(
        text: &str,
        method: &str,
        url: &str,
        access_token: Option<&str>,
        now: SystemTime,
    ) -> Result<Self, DpopError> {
        Self::verify_by(&ProofRules::USUAL, text, (method, url), access_token, now)
    }

    /// The same by these rules.
    ///
    /// # Errors
    /// [`DpopError`].
    pub fn verify_by(
        rules: &ProofRules<'_>,
        text: &str,
        (method, url): (&str, &str),
        access_token: Option<&str>,
        now: SystemTime,
    ) -> Result<Self, DpopError> {
        let jwt = UnverifiedJwt::parse(text)?;
        if !jwt.is_typ("dpop+jwt") {
            return Err(DpopError::Type);
        }
        let jwk = jwt.header().get("jwk").and_then(Value::as_object).ok_or(DpopError::KeyMissing)?;
        let key = VerifyingKey::from_jwk(jwk)?;
        let proof = Self::read(jwt.claims(), &key)?;
        if required(jwt.claims(), "htm")? != method {
            return Err(DpopError::Method);
        }
        if !is_same(required(jwt.claims(), "htu")?, url) {
            return Err(DpopError::Address);
        }
        if jwt.algorithm().is_some_and(|algorithm| !rules.algorithms.contains(&algorithm)) {
            return Err(JwtError::Algorithm.into());
        }
        proof.check_time(rules.nonce, jwt.claims(), now)?;
        if access_token.is_some_and(|token| jwt.claims().get("ath") != Some(&Value::String(sha256(token)))) {
            return Err(DpopError::AccessToken);
        }
        jwt.verify(&key)?;
        Ok(proof)
    }

    fn read(claims: &Map<String, Value>, key: &VerifyingKey) -> Result<Self, ClaimError> {
        let jti = claims::text(claims, "jti", MAX_JTI)?.ok_or(ClaimError::Missing("jti"))?;
        Ok(Self {
            jkt: key.thumbprint().to_owned(),
            jti: jti.to_owned(),
            nonce: claims::text(claims, "nonce", MAX_NONCE)?.map(str::to_owned),
            iat: claims::time(claims, "iat")?.ok_or(ClaimError::Missing("iat"))?,
        })
    }

    /// Whether it was made just now: by its nonce where it needs one, else by its times.
    fn check_time(&self, rule: NonceRule<'_>, claims: &Map<String, Value>, now: SystemTime) -> Result<(), DpopError> {
        match rule {
            NonceRule::NotNeeded => {
                let is_recent = self.iat + WINDOW >= now && self.iat <= now + WINDOW;
                if !is_recent {
                    return Err(DpopError::Time);
                }
                // the clock whose delay `iat` may have has also set `exp`: both ends have the window
                let earliest = now.checked_sub(WINDOW).unwrap_or(SystemTime::UNIX_EPOCH);
                claims::check_times(claims, earliest, 2 * WINDOW)?;
                Ok(())
            }
            NonceRule::Fresh(is_fresh) => {
                let has_fresh = self.nonce.as_deref().is_some_and(is_fresh);
                if has_fresh { Ok(()) } else { Err(DpopError::Nonce) }
            }
        }
    }

    /// From when on it is refused for its age, so that its `jti` need not be remembered any more.
    pub fn forget_at(&self) -> SystemTime {
        self.iat + WINDOW + Duration::from_secs(1)
    }
}

fn required<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, ClaimError> {
    claims::text(claims, name, usize::MAX)?.ok_or(ClaimError::Missing(name))
}

fn is_same(htu: &str, url: &str) -> bool {
    match (WebUrl::parse(htu), WebUrl::parse(url)) {
        (Some(htu), Some(url)) => htu.origin == url.origin && htu.path == url.path,
        _ => false,
    }
}
