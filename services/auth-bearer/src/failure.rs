//! Why a token could not be verified, in a form that can be cached.

use std::sync::Arc;

use authn::{AuthError, Reason};
use oidc::jose::JwtError;
use outbound::issuer::cache::VerifyError;

/// Why there are no verified claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The token is refused.
    Refused(Reason),
    /// The issuer gives no usable answer.
    Unavailable(Arc<str>),
}

impl Failure {
    /// What happened, for the log.
    pub fn unavailable(text: impl Into<Arc<str>>) -> Self {
        Self::Unavailable(text.into())
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Jwt(JwtError::Signature) => Self::Refused(Reason::WrongSecret),
            VerifyError::Jwt(_) | VerifyError::NoKey => Self::Refused(Reason::ForeignToken),
            VerifyError::Unavailable(_) => Self::unavailable("the issuer's keys are not known"),
        }
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(reason) => Self::Refused(reason),
            Failure::Unavailable(text) => Self::Unavailable { service: "the issuer", source: text.as_ref().into() },
        }
    }
}
