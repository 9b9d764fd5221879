//! Why a request of a client is refused (RFC 6749 5.2).

use std::borrow::Cow;

use authn::DirectoryError;
use oidc::error::ErrorCode;
use store::StoreError;

use super::clients::LookupError;

/// A request that is refused: `error` and `error_description`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct OAuthError {
    /// The error.
    pub code: ErrorCode,
    /// The problem, for the developer of the client; never a secret, nor more than the caller may know.
    pub description: Cow<'static, str>,
    /// The entry for the audit log, which the client does not see.
    pub audit: Option<Box<AuditedRefusal>>,
    /// The nonce that the next `DPoP` proof of the client has to hold (RFC 9449 8).
    pub dpop_nonce: Option<Box<str>>,
}

/// The audit log entry of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedRefusal {
    /// What was refused.
    pub event: &'static str,
    /// Why.
    pub reason: &'static str,
    /// The client, as the request names it.
    pub client: String,
}

impl OAuthError {
    /// An error with this code.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into(), audit: None, dpop_nonce: None }
    }

    /// `invalid_request`
    pub fn invalid(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_grant`
    pub fn grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// `invalid_client`: one text for every reason.
    pub fn client() -> Self {
        Self::new(ErrorCode::InvalidClient, "the client is not known or did not prove who it is")
    }

    /// `server_error`; the cause is logged, and not returned to the client.
    pub fn fault(cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, "a request could not be answered");
        Self::new(ErrorCode::ServerError, "internal error")
    }

    /// Adds the nonce for the next proof.
    #[must_use]
    pub fn with_dpop_nonce(self, nonce: String) -> Self {
        Self { dpop_nonce: Some(nonce.into()), ..self }
    }

    /// Adds an entry for the audit log.
    #[must_use]
    pub fn audited(self, event: &'static str, reason: &'static str, client: &str) -> Self {
        Self { audit: Some(Box::new(AuditedRefusal { event, reason, client: client.to_owned() })), ..self }
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            status::Kind::Unavailable => {
                tracing::warn!(%error, "the database is not available");
                Self::new(ErrorCode::TemporarilyUnavailable, "try again later")
            }
            _ => Self::fault(&error),
        }
    }
}

impl From<LookupError> for OAuthError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Store(error) => error.into(),
            LookupError::Unavailable => Self::new(ErrorCode::TemporarilyUnavailable, "try again later"),
        }
    }
}

impl From<DirectoryError> for OAuthError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Unavailable(_) => {
                tracing::warn!(%error, "the directory is not available");
                Self::new(ErrorCode::TemporarilyUnavailable, "try again later")
            }
            other => Self::fault(&other),
        }
    }
}
