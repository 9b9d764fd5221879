//! Proof Key for Code Exchange (RFC 7636): only the client that requested a code can redeem it.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::error::ErrorCode;

#[cfg(test)]
mod tests;

/// The shortest verifier, in characters (RFC 7636 4.1).
pub const MIN_VERIFIER: usize = 43;
/// The longest verifier, in characters (RFC 7636 4.1).
pub const MAX_VERIFIER: usize = 128;

/// How the challenge is made from the verifier (RFC 7636 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The challenge is the verifier's SHA-256.
    S256,
    /// The challenge is the verifier itself: who sees the request can redeem the code.
    Plain,
}

impl Method {
    /// The method as it stands in `code_challenge_method`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S256 => "S256",
            Self::Plain => "plain",
        }
    }
}

/// Why a challenge or a verifier is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// `code_challenge_method` is neither `S256` nor `plain`.
    #[error("code_challenge_method is S256")]
    UnknownMethod,
    /// There is a `code_challenge_method` and no `code_challenge`.
    #[error("code_challenge_method needs a code_challenge")]
    MethodWithoutChallenge,
    /// `code_challenge` does not have the form of RFC 7636 4.2.
    #[error("code_challenge is the base64url form of a SHA-256, 43 characters without padding")]
    MalformedChallenge,
    /// `plain` is requested, by name or by default (RFC 7636 4.3), and the client is not registered for it.
    #[error("the code challenge method plain is not allowed: send code_challenge_method=S256")]
    PlainRefused,
    /// The client has to send a challenge and sent none.
    #[error("this client needs a code_challenge")]
    ChallengeRequired,
    /// `code_verifier` does not have the form of RFC 7636 4.1.
    #[error("code_verifier has 43 to 128 characters of A-Z, a-z, 0-9, -, ., _ and ~")]
    MalformedVerifier,
    /// The request had a challenge, and no verifier comes with its code.
    #[error("code_verifier is missing")]
    VerifierMissing,
    /// A verifier comes with a code whose request had no challenge: the challenge was taken out on its way.
    #[error("code_verifier is not expected")]
    VerifierUnexpected,
    /// The verifier is not that of the challenge.
    #[error("code_verifier does not match")]
    Mismatch,
}

impl PkceError {
    /// The code that answers it: `invalid_request` where the challenge comes (RFC 7636 4.4.1), `invalid_grant` where the
    /// verifier does (4.6).
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::UnknownMethod
            | Self::MethodWithoutChallenge
            | Self::MalformedChallenge
            | Self::PlainRefused
            | Self::ChallengeRequired => ErrorCode::InvalidRequest,
            Self::MalformedVerifier | Self::VerifierMissing | Self::VerifierUnexpected | Self::Mismatch => {
                ErrorCode::InvalidGrant
            }
        }
    }
}

/// What a client's registration says of PKCE. The default is what a new public client gets: required, and S256 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A request without a challenge is refused.
    pub required: bool,
    /// `plain` is accepted.
    pub plain: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { required: true, plain: false }
    }
}

impl Policy {
    /// Whether a request with this challenge, or with none, is one that the client may send.
    ///
    /// # Errors
    /// [`PkceError::ChallengeRequired`] and [`PkceError::PlainRefused`].
    pub fn check(self, challenge: Option<&Challenge>) -> Result<(), PkceError> {
        match challenge.map(Challenge::method) {
            None if self.required => Err(PkceError::ChallengeRequired),
            Some(Method::Plain) if !self.plain => Err(PkceError::PlainRefused),
            None | Some(Method::Plain | Method::S256) => Ok(()),
        }
    }
}

/// What an authorization request leaves behind, for the verifier that comes with its code.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    S256([u8; 32]),
    Plain(String),
}

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method`; `None` if there is neither. Without a method it is `plain`
    /// (RFC 7636 4.3). Whether the client may use the method, [`Policy::check`] says.
    ///
    /// # Errors
    /// [`PkceError::UnknownMethod`], [`PkceError::MethodWithoutChallenge`] and [`PkceError::MalformedChallenge`].
    pub fn read(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>, PkceError> {
        let method = match method {
            None => None,
            Some("S256") => Some(Method::S256),
            Some("plain") => Some(Method::Plain),
            Some(_) => return Err(PkceError::UnknownMethod),
        };
        match (challenge, method) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(PkceError::MethodWithoutChallenge),
            (Some(challenge), method) => Self::parse(challenge, method.unwrap_or(Method::Plain)).map(Some),
        }
    }

    fn parse(challenge: &str, method: Method) -> Result<Self, PkceError> {
        let form = match method {
            Method::S256 => {
                URL_SAFE_NO_PAD.decode(challenge).ok().and_then(|hash| hash.try_into().ok()).map(Form::S256)
            }
            Method::Plain => is_verifier(challenge).then(|| Form::Plain(challenge.to_owned())),
        };
        form.map(Self).ok_or(PkceError::MalformedChallenge)
    }

    /// How it was made.
    pub const fn method(&self) -> Method {
        match self.0 {
            Form::S256(_) => Method::S256,
            Form::Plain(_) => Method::Plain,
        }
    }

    /// The challenge as it stands in `code_challenge`.
    pub fn to_text(&self) -> String {
        match &self.0 {
            Form::S256(hash) => URL_SAFE_NO_PAD.encode(hash),
            Form::Plain(verifier) => verifier.clone(),
        }
    }

    fn is_of(&self, verifier: &str) -> bool {
        match &self.0 {
            Form::S256(hash) => digest(&SHA256, verifier.as_bytes()).as_ref().ct_eq(hash).into(),
            Form::Plain(challenge) => verifier.as_bytes().ct_eq(challenge.as_bytes()).into(),
        }
    }
}

impl fmt::Debug for Challenge {
    /// Without the value: a plain challenge is the secret itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Challenge").field(&self.method()).finish()
    }
}

/// `code_challenge` of a client that keeps this verifier, by the method [`S256`](Method::S256) (RFC 7636 4.2).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// Whether a code whose request had this challenge may be redeemed with this verifier; they are compared in constant
/// time. A verifier is accepted only if there was a challenge, and required if there was one (RFC 9700 2.1.1).
///
/// # Errors
/// [`PkceError::VerifierMissing`], [`PkceError::VerifierUnexpected`], [`PkceError::MalformedVerifier`] and
/// [`PkceError::Mismatch`].
pub fn verify(challenge: Option<&Challenge>, verifier: Option<&str>) -> Result<(), PkceError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(PkceError::VerifierUnexpected),
        (Some(_), None) => Err(PkceError::VerifierMissing),
        (Some(_), Some(verifier)) if !is_verifier(verifier) => Err(PkceError::MalformedVerifier),
        (Some(challenge), Some(verifier)) if challenge.is_of(verifier) => Ok(()),
        (Some(_), Some(_)) => Err(PkceError::Mismatch),
    }
}

/// `code-verifier` of RFC 7636 4.1: the unreserved characters.
fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (MIN_VERIFIER..=MAX_VERIFIER).contains(&text.len()) && text.bytes().all(unreserved)
}
