use http::StatusCode;
use status::Kind;

/// Why a transaction token is not issued. The text is for the workload that has requested it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// The request is not one.
    #[error("{0}")]
    Malformed(&'static str),
    /// The scope is missing, or is more than the subject, the replaced token, or the policy of the workload allows.
    #[error("the scope is missing, malformed, or wider than the subject and the policy of the workload allow")]
    Scope,
    /// The policy does not let the workload request this.
    #[error("the policy does not allow the workload to request this transaction token")]
    Policy,
    /// The subject, or the token to be replaced, has ended.
    #[error("the subject token has expired")]
    Expired,
    /// The token has been replaced too often.
    #[error("the transaction token has been replaced {} times", super::MAX_REQUESTERS - 1)]
    TooManyRequesters,
    /// The token would be longer than verifiers accept.
    #[error("the transaction token would have more than {} bytes", super::MAX_TRANSACTION_TOKEN)]
    Oversized,
}

impl TransactionError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Malformed(_) | Self::Scope | Self::Oversized => Kind::InvalidArgument,
            Self::Policy => Kind::PermissionDenied,
            Self::Expired => Kind::Unauthenticated,
            Self::TooManyRequesters => Kind::FailedPrecondition,
        }
    }

    /// The reason code of the audit log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Scope => "scope",
            Self::Policy => "policy",
            Self::Expired => "expired",
            Self::TooManyRequesters => "too_many_requesters",
            Self::Oversized => "oversized",
        }
    }
}

impl From<TransactionError> for tonic::Status {
    fn from(error: TransactionError) -> Self {
        status::grpc(error.kind(), error.to_string())
    }
}

/// Why a transaction token is refused: for the log, never in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TransactionDefect {
    /// There is none.
    #[error("the transaction token is missing")]
    Missing,
    /// There are several.
    #[error("there is more than one transaction token")]
    Several,
    /// Longer than [`MAX_TRANSACTION_TOKEN`](super::MAX_TRANSACTION_TOKEN).
    #[error("the transaction token is too long")]
    TooLarge,
    /// Not a JWT, or with a header that demands an extension.
    #[error("the transaction token is malformed")]
    Malformed,
    /// Another kind of token.
    #[error("the token is no transaction token")]
    Type,
    /// An algorithm that transaction tokens are not signed with.
    #[error("the algorithm of the transaction token is not accepted")]
    Algorithm,
    /// No key is named, or one that does not exist.
    #[error("the key of the transaction token is not known")]
    Key,
    /// Not signed by the key that it names.
    #[error("the signature of the transaction token is wrong")]
    Signature,
    /// From another issuer.
    #[error("the transaction token has another issuer")]
    Issuer,
    /// For another trust domain, or for several.
    #[error("the transaction token is for another trust domain")]
    Audience,
    /// A required claim is missing or cannot be read.
    #[error("a claim of the transaction token is missing or malformed")]
    Claims,
    /// Past its end.
    #[error("the transaction token has expired")]
    Expired,
    /// Issued in the future.
    #[error("the transaction token is not valid yet")]
    NotYetValid,
    /// Valid for longer than any transaction token is.
    #[error("the transaction token is valid for too long")]
    Lifetime,
    /// Valid, but not for what is requested.
    #[error("the transaction token lacks the scope that is required here")]
    Scope,
    /// The keys could not be fetched.
    #[error("the keys of transaction tokens are not available")]
    KeysUnknown,
}

impl TransactionDefect {
    /// The kind, which decides the CS3 code and the gRPC code.
    pub fn kind(self) -> Kind {
        match self {
            Self::Missing => Kind::Unauthenticated,
            Self::KeysUnknown => Kind::Unavailable,
            Self::Several
            | Self::TooLarge
            | Self::Malformed
            | Self::Type
            | Self::Algorithm
            | Self::Key
            | Self::Signature
            | Self::Issuer
            | Self::Audience
            | Self::Claims
            | Self::Expired
            | Self::NotYetValid
            | Self::Lifetime
            | Self::Scope => Kind::PermissionDenied,
        }
    }

    /// The status of an HTTP response: a token that is not accepted is one to be replaced by a good one.
    pub(super) fn http_status(self) -> StatusCode {
        match self.kind() {
            Kind::PermissionDenied if self != Self::Scope => StatusCode::UNAUTHORIZED,
            kind => kind.http(),
        }
    }

    /// The reason code of the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "transaction_token_missing",
            Self::Several => "transaction_token_several",
            Self::TooLarge => "transaction_token_too_large",
            Self::Malformed => "transaction_token_malformed",
            Self::Type => "transaction_token_type",
            Self::Algorithm => "transaction_token_algorithm",
            Self::Key => "transaction_token_key",
            Self::Signature => "transaction_token_signature",
            Self::Issuer => "transaction_token_issuer",
            Self::Audience => "transaction_token_audience",
            Self::Claims => "transaction_token_claims",
            Self::Expired => "transaction_token_expired",
            Self::NotYetValid => "transaction_token_not_yet_valid",
            Self::Lifetime => "transaction_token_lifetime",
            Self::Scope => "transaction_token_scope",
            Self::KeysUnknown => "transaction_keys_unknown",
        }
    }

    /// What the caller learns: whether a token is missing, lacks the scope, or cannot be checked at present, and nothing else.
    pub(super) fn answer(self) -> &'static str {
        match self {
            Self::Missing => "transaction token not found",
            Self::Scope => "transaction token lacks the required scope",
            Self::KeysUnknown => "transaction tokens cannot be verified at present",
            _ => "transaction token is invalid",
        }
    }
}

impl From<TransactionDefect> for tonic::Status {
    fn from(defect: TransactionDefect) -> Self {
        status::grpc(defect.kind(), defect.answer())
    }
}
