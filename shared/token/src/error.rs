use authn::BoxError;
use status::Kind;

/// What callers are answered whose token is not accepted.
const INVALID: &str = "core access token is invalid";

/// Whether a service answered so because it does not accept the internal token of the call.
pub fn is_refused_token(status: &tonic::Status) -> bool {
    match status.code() {
        tonic::Code::Unauthenticated => true,
        tonic::Code::PermissionDenied => status.message() == INVALID,
        _ => false,
    }
}

/// Why there is no token, or why it was refused. The text is for the caller and gives nothing away; the cause is for the log.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The call brought no token.
    #[error("core access token not found")]
    Missing,
    /// The call brought a token that is not accepted.
    #[error("{}", INVALID)]
    Invalid(#[from] Defect),
    /// The token is valid, but its bearer is no administrator.
    #[error("administrator role required")]
    NotAdministrator,
    /// The bearer is an administrator, but a program presents the credential.
    #[error(
        "administration takes the administrator's own sign-in: an app token, an access token of another client, a machine key or a \
         service account is not enough"
    )]
    Program,
    /// The credential ends before a token of it could begin.
    #[error("the credential has ended")]
    Ended,
    /// The user has no identifier, so the token would have no subject.
    #[error("the user has no identifier")]
    Unidentified,
    /// The token would be larger than verifiers accept.
    #[error("the user's data do not fit into a token of {} bytes; leave the groups out of it", crate::MAX_TOKEN_BYTES)]
    Oversized,
    /// A fault of ours while minting.
    #[error("the token could not be minted")]
    Internal(#[source] BoxError),
}

impl TokenError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Missing | Self::Ended => Kind::Unauthenticated,
            Self::Invalid(_) | Self::NotAdministrator | Self::Program => Kind::PermissionDenied,
            Self::Oversized => Kind::FailedPrecondition,
            Self::Unidentified | Self::Internal(_) => Kind::Internal,
        }
    }

    /// The reason code of the audit log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Invalid(defect) => defect.code(),
            Self::NotAdministrator => "not_administrator",
            Self::Program => "program",
            Self::Ended => "expired",
            Self::Unidentified => "token_without_user",
            Self::Oversized => "token_oversized",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<TokenError> for tonic::Status {
    fn from(error: TokenError) -> Self {
        status::grpc(error.kind(), error.to_string())
    }
}

/// Why a token is invalid: for the log, never in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Defect {
    /// Larger than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("the token is too large")]
    TooLarge,
    /// Not three parts, or claims that cannot be read or miss a required one.
    #[error("the token is malformed")]
    Malformed,
    /// A header that cannot be read, or one with members that are refused.
    #[error("the token's header is not acceptable")]
    Header,
    /// An algorithm that is not `HS256`.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// Signed with no key of ours, or altered.
    #[error("the token's signature is wrong")]
    Signature,
    /// Past its end.
    #[error("the token has expired")]
    Expired,
    /// Not begun yet, or issued in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// For someone else.
    #[error("the token is for another audience")]
    Audience,
    /// From another issuer than its user's.
    #[error("the token's issuer is not its user's")]
    Issuer,
    /// Without a user identifier.
    #[error("the token names no user")]
    NoUser,
}

impl Defect {
    /// The reason code of the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::Header => "token_header",
            Self::Algorithm => "token_algorithm",
            Self::Signature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Audience => "token_audience",
            Self::Issuer => "token_issuer",
            Self::NoUser => "token_without_user",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_see_what_they_know_from_go() {
        let missing = tonic::Status::from(TokenError::Missing);
        assert_eq!((missing.code(), missing.message()), (tonic::Code::Unauthenticated, "core access token not found"));
        for defect in [Defect::Signature, Defect::Expired, Defect::TooLarge] {
            let invalid = tonic::Status::from(TokenError::from(defect));
            assert_eq!(
                (invalid.code(), invalid.message()),
                (tonic::Code::PermissionDenied, "core access token is invalid")
            );
            assert!(is_refused_token(&invalid));
        }
        assert!(is_refused_token(&missing));
        assert!(!is_refused_token(&tonic::Status::from(TokenError::NotAdministrator)));
    }
}
