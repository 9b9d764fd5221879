use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bounded_cache::HeapSize;
use status::Kind;

use crate::{Actor, Caller, Credentials, Explanation, Scopes, User};

/// An error of whatever kind, kept for the log.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who a credential belongs to and what it may do.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who it is.
    pub user: Arc<User>,
    /// What the credential may do; never more than the user may.
    pub scopes: Arc<Scopes>,
    /// When the credential itself ends, if it does: nothing derived from it may live longer.
    pub not_after: Option<SystemTime>,
    /// How it was proven (RFC 8176 where a value fits: `pwd`; else our own: `app`, `machine`, `service`, `oidc`).
    pub amr: Cow<'static, str>,
    /// Who acts in the user's name, if another party does (RFC 8693 `act`).
    pub actor: Option<Actor>,
    /// The session at the installation's own OpenID Provider that the credential came from (`sid`), if it came from one.
    pub sid: Option<String>,
    /// Lets a caller check that this answer is still valid without authenticating again; `None` if only that shows it.
    pub revalidate: Option<Arc<dyn Revalidate>>,
}

/// Checks whether an answer is still valid. The check is much quicker than authenticating again and must be as strict. It
/// counts what it has allocated, since answers are cached.
pub trait Revalidate: fmt::Debug + HeapSize + Send + Sync {
    /// Whether the credential would be answered the same at this moment; if so, this is a use of it.
    fn is_still_valid(&self, caller: &Caller) -> bool;
}

impl Authenticated {
    /// Full access of this user, without an end of its own.
    pub fn full(user: Arc<User>, amr: &'static str) -> Self {
        static EVERYTHING: LazyLock<Arc<Scopes>> = LazyLock::new(|| Arc::new(Scopes::full_user()));
        let scopes = Arc::clone(&EVERYTHING);
        Self { user, scopes, not_after: None, amr: amr.into(), actor: None, sid: None, revalidate: None }
    }
}

/// Answers who a credential belongs to. Implementations refuse on every doubt.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Verifies the credentials.
    ///
    /// # Errors
    /// [`AuthError::Refused`] for every bad credential; the other kinds say that no verdict was reached.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError>;
}

/// Why a credential was refused: for the audit log only, never in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The secret is empty.
    EmptySecret,
    /// The credential has not the form of one of ours.
    Malformed,
    /// There is no such user or account.
    UnknownUser,
    /// The secret is not the right one.
    WrongSecret,
    /// The credential has ended.
    Expired,
    /// The token is valid for longer than the tokens of its issuer may be.
    TooLongLived,
    /// The credential was revoked.
    Revoked,
    /// The user is disabled.
    Disabled,
    /// The credential belongs to another user than the one named.
    OwnerMismatch,
    /// The token names an issuer or audience that is not accepted.
    ForeignToken,
    /// The token was issued to a client that may not act for its user here.
    ForeignClient,
    /// The token names more groups than are taken, or its issuer has left them out since there are too many.
    TooManyGroups,
    /// The policy does not allow this caller to act for this subject.
    Policy,
    /// The caller's certificate has no name that may authenticate here.
    Caller,
    /// The user belongs to no tenant, or to another one than the credential says.
    Tenant,
    /// The user is neither a member nor a guest of this instance.
    NotMember,
    /// Credentials of this type do not count at one of several instances.
    MultiInstance,
    /// The authenticator gave no reason.
    Unstated,
}

impl Reason {
    /// The stable code of the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Self::EmptySecret => "empty_secret",
            Self::Malformed => "malformed",
            Self::UnknownUser => "unknown_user",
            Self::WrongSecret => "wrong_secret",
            Self::Expired => "expired",
            Self::TooLongLived => "too_long_lived",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::OwnerMismatch => "owner_mismatch",
            Self::ForeignToken => "foreign_token",
            Self::ForeignClient => "foreign_client",
            Self::TooManyGroups => "too_many_groups",
            Self::Policy => "policy",
            Self::Caller => "caller",
            Self::Tenant => "tenant",
            Self::NotMember => "not_member",
            Self::MultiInstance => "multi_instance",
            Self::Unstated => "unstated",
        }
    }
}

/// Why there is no [`Authenticated`].
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The credential is not valid. The text is the same for every reason.
    #[error("invalid credentials")]
    Refused(Reason),
    /// The credential is not valid, and the gateway of another system has stated the cause for its clients.
    #[error("invalid credentials")]
    Explained(Box<Explanation>),
    /// The key is valid but the user does not exist; only auth-machine may return this.
    #[error("user not found")]
    UnknownUser,
    /// The credential is valid, but does not permit this; or the caller may not authenticate here, whatever the credential is.
    #[error("not permitted")]
    NotPermitted(Reason),
    /// No authenticator supports credentials of this type.
    #[error("authentication type {name:?} is not enabled; enabled types: {enabled}")]
    UnknownType {
        /// The requested type.
        name: String,
        /// The types that would be understood, comma separated.
        enabled: String,
    },
    /// The request is not one.
    #[error("{0}")]
    Malformed(&'static str),
    /// Too many attempts, or more work than fits.
    #[error("too many requests, retry in {} s", .retry_after.as_secs().max(1))]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// A service that the decision depends on is unavailable.
    #[error("{service} is not available")]
    Unavailable {
        /// Which one.
        service: &'static str,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// A fault of ours.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

impl AuthError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused(_) | Self::Explained(_) => Kind::Unauthenticated,
            Self::UnknownUser => Kind::NotFound,
            Self::NotPermitted(_) => Kind::PermissionDenied,
            Self::UnknownType { .. } | Self::Malformed(_) => Kind::InvalidArgument,
            Self::Busy { .. } => Kind::ResourceExhausted,
            Self::Unavailable { .. } => Kind::Unavailable,
            Self::Internal(_) => Kind::Internal,
        }
    }

    /// The reason code of the audit log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused(reason) | Self::NotPermitted(reason) => reason.code(),
            Self::Explained(_) => "explained",
            Self::UnknownUser => Reason::UnknownUser.code(),
            Self::UnknownType { .. } => "unknown_type",
            Self::Malformed(_) => Reason::Malformed.code(),
            Self::Busy { .. } => "busy",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal(_) => "internal",
        }
    }
}
