//! The error codes that the endpoints of an authorization server answer, and the HTTP status of each.

use std::fmt;
use std::str::FromStr;

use status::Kind;

#[cfg(test)]
mod tests;

/// An error code of the protocol. The cited specification says which endpoint may return it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A parameter is missing, repeated or not valid (RFC 6749 4.1.2.1 and 5.2, RFC 6750 3.1).
    InvalidRequest,
    /// The client may not use this grant or response type (RFC 6749 4.1.2.1 and 5.2).
    UnauthorizedClient,
    /// The user or the server denied the request (RFC 6749 4.1.2.1, RFC 8628 3.5).
    AccessDenied,
    /// There is no such response type (RFC 6749 4.1.2.1).
    UnsupportedResponseType,
    /// The scope is unknown, malformed, or more than was granted (RFC 6749 4.1.2.1 and 5.2).
    InvalidScope,
    /// An internal error of the server (RFC 6749 4.1.2.1).
    ServerError,
    /// Overload or maintenance (RFC 6749 4.1.2.1).
    TemporarilyUnavailable,
    /// Client authentication failed, also because the client is unknown (RFC 6749 5.2).
    InvalidClient,
    /// The code, refresh token, assertion or verifier is wrong, used, expired, or another client's (RFC 6749 5.2).
    InvalidGrant,
    /// There is no such grant type (RFC 6749 5.2).
    UnsupportedGrantType,
    /// `prompt=none`, and user interaction is required (OpenID Connect Core 3.1.2.6).
    InteractionRequired,
    /// `prompt=none`, and no user is signed in (OpenID Connect Core 3.1.2.6).
    LoginRequired,
    /// `prompt=none`, and one of several accounts would have to be chosen (OpenID Connect Core 3.1.2.6).
    AccountSelectionRequired,
    /// `prompt=none`, and consent is missing (OpenID Connect Core 3.1.2.6).
    ConsentRequired,
    /// The user cannot sign in as surely as the client needs it (OpenID Connect Core Unmet Authentication Requirements 1.0).
    UnmetAuthenticationRequirements,
    /// `request_uri` cannot be resolved, or its content is not valid (OpenID Connect Core 3.1.2.6, RFC 9101, RFC 9126).
    InvalidRequestUri,
    /// The request object is not valid (OpenID Connect Core 3.1.2.6, RFC 9101).
    InvalidRequestObject,
    /// `request` is not supported (OpenID Connect Core 3.1.2.6).
    RequestNotSupported,
    /// `request_uri` is not supported (OpenID Connect Core 3.1.2.6).
    RequestUriNotSupported,
    /// `registration` is not supported (OpenID Connect Core 3.1.2.6).
    RegistrationNotSupported,
    /// The user has not decided yet (RFC 8628 3.5).
    AuthorizationPending,
    /// The device polls too often (RFC 8628 3.5).
    SlowDown,
    /// The device code has expired (RFC 8628 3.5).
    ExpiredToken,
    /// The `DPoP` proof is not valid (RFC 9449 5).
    InvalidDpopProof,
    /// The `DPoP` proof needs the nonce that comes with this answer (RFC 9449 8).
    UseDpopNonce,
    /// A redirect URI cannot be registered (RFC 7591 3.2.2).
    InvalidRedirectUri,
    /// Something else in a registration is not valid (RFC 7591 3.2.2).
    InvalidClientMetadata,
    /// The access token is expired, revoked, malformed or for another resource server (RFC 6750 3.1).
    InvalidToken,
    /// The access token is valid but has insufficient scope (RFC 6750 3.1).
    InsufficientScope,
    /// No token is issued for that resource or audience (RFC 8693 2.2.2).
    InvalidTarget,
}

/// The name of a code, and its kind of failure.
struct Row(&'static str, Kind);

impl ErrorCode {
    /// All codes, in the order of their declaration.
    pub const ALL: [Self; Self::InvalidTarget as usize + 1] = [
        Self::InvalidRequest,
        Self::UnauthorizedClient,
        Self::AccessDenied,
        Self::UnsupportedResponseType,
        Self::InvalidScope,
        Self::ServerError,
        Self::TemporarilyUnavailable,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnsupportedGrantType,
        Self::InteractionRequired,
        Self::LoginRequired,
        Self::AccountSelectionRequired,
        Self::ConsentRequired,
        Self::UnmetAuthenticationRequirements,
        Self::InvalidRequestUri,
        Self::InvalidRequestObject,
        Self::RequestNotSupported,
        Self::RequestUriNotSupported,
        Self::RegistrationNotSupported,
        Self::AuthorizationPending,
        Self::SlowDown,
        Self::ExpiredToken,
        Self::InvalidDpopProof,
        Self::UseDpopNonce,
        Self::InvalidRedirectUri,
        Self::InvalidClientMetadata,
        Self::InvalidToken,
        Self::InsufficientScope,
        Self::InvalidTarget,
    ];

    /// The table. Without a `_` arm, so that a new code does not compile until it has its name and its kind.
    ///
    /// RFC 6749 5.2 requires status 400 for everything but failed client authentication, even where 403 or 429 would fit;
    /// the kinds here are chosen for that HTTP status.
    const fn row(self) -> Row {
        use Kind::{Internal, InvalidArgument, PermissionDenied, Unauthenticated, Unavailable};
        match self {
            Self::InvalidRequest => Row("invalid_request", InvalidArgument),
            Self::UnauthorizedClient => Row("unauthorized_client", InvalidArgument),
            Self::AccessDenied => Row("access_denied", InvalidArgument),
            Self::UnsupportedResponseType => Row("unsupported_response_type", InvalidArgument),
            Self::InvalidScope => Row("invalid_scope", InvalidArgument),
            Self::ServerError => Row("server_error", Internal),
            Self::TemporarilyUnavailable => Row("temporarily_unavailable", Unavailable),
            Self::InvalidClient => Row("invalid_client", Unauthenticated),
            Self::InvalidGrant => Row("invalid_grant", InvalidArgument),
            Self::UnsupportedGrantType => Row("unsupported_grant_type", InvalidArgument),
            Self::InteractionRequired => Row("interaction_required", InvalidArgument),
            Self::LoginRequired => Row("login_required", InvalidArgument),
            Self::AccountSelectionRequired => Row("account_selection_required", InvalidArgument),
            Self::ConsentRequired => Row("consent_required", InvalidArgument),
            Self::UnmetAuthenticationRequirements => Row("unmet_authentication_requirements", InvalidArgument),
            Self::InvalidRequestUri => Row("invalid_request_uri", InvalidArgument),
            Self::InvalidRequestObject => Row("invalid_request_object", InvalidArgument),
            Self::RequestNotSupported => Row("request_not_supported", InvalidArgument),
            Self::RequestUriNotSupported => Row("request_uri_not_supported", InvalidArgument),
            Self::RegistrationNotSupported => Row("registration_not_supported", InvalidArgument),
            Self::AuthorizationPending => Row("authorization_pending", InvalidArgument),
            Self::SlowDown => Row("slow_down", InvalidArgument),
            Self::ExpiredToken => Row("expired_token", InvalidArgument),
            Self::InvalidDpopProof => Row("invalid_dpop_proof", InvalidArgument),
            Self::UseDpopNonce => Row("use_dpop_nonce", InvalidArgument),
            Self::InvalidRedirectUri => Row("invalid_redirect_uri", InvalidArgument),
            Self::InvalidClientMetadata => Row("invalid_client_metadata", InvalidArgument),
            Self::InvalidToken => Row("invalid_token", Unauthenticated),
            Self::InsufficientScope => Row("insufficient_scope", PermissionDenied),
            Self::InvalidTarget => Row("invalid_target", InvalidArgument),
        }
    }

    /// The code as it stands in the parameter or member `error`.
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// What kind of failure it is where the authorization server itself answers; the HTTP status is [`Kind::http`].
    pub const fn kind(self) -> Kind {
        self.row().1
    }

    /// What kind of failure it is where an access token is presented, as at userinfo: there a `DPoP` proof is part of the
    /// credential, and a bad one is answered with 401 and a challenge (RFC 9449 7.1 and 9).
    pub const fn kind_at_resource(self) -> Kind {
        if matches!(self, Self::InvalidDpopProof | Self::UseDpopNonce) { Kind::Unauthenticated } else { self.kind() }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A text that is none of the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an error code of the protocol")]
pub struct NoErrorCode;

impl FromStr for ErrorCode {
    type Err = NoErrorCode;

    fn from_str(text: &str) -> Result<Self, NoErrorCode> {
        Self::ALL.into_iter().find(|code| code.code() == text).ok_or(NoErrorCode)
    }
}
