//! The seam to the people: the trait, and its two gRPC adapters.

pub mod answer;
mod remote;
mod searchable;
mod serve;

use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use status::Kind;

pub use remote::Remote;
pub use searchable::Searchable;
pub use serve::{MayLookUp, MaySearch, Users, may_look_up, searcher, serve};

use crate::{AuthError, BoxError, Login, Profile, User, UserId, UserType};

/// Something known of a user by which it can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The login name.
    Username(String),
    /// The stable identifier.
    UserId(String),
    /// The mail address.
    Mail(String),
    /// The POSIX user number.
    Uid(String),
    /// The POSIX group number.
    Gid(String),
}

impl Claim {
    /// The claim with this CS3 name, if it is one that a user can be found by.
    pub fn parse(name: &str, value: &str) -> Option<Self> {
        let value = value.to_owned();
        match name {
            "username" => Some(Self::Username(value)),
            "userid" => Some(Self::UserId(value)),
            "mail" => Some(Self::Mail(value)),
            "uid" => Some(Self::Uid(value)),
            "gid" => Some(Self::Gid(value)),
            _ => None,
        }
    }

    /// The CS3 name and the value.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Username(value) => ("username", value),
            Self::UserId(value) => ("userid", value),
            Self::Mail(value) => ("mail", value),
            Self::Uid(value) => ("uid", value),
            Self::Gid(value) => ("gid", value),
        }
    }
}

/// Whether the groups of a user are wanted with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Fetch them.
    Include,
    /// Leave them out.
    Skip,
}

/// What a search looks for; several must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Part of the login, the display name or the mail address, regardless of case.
    Query(String),
    /// Users of this type.
    Type(UserType),
}

/// Answers who a person is. A disabled user is found, with its status saying so.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The user with this identifier; an empty `idp` matches any.
    async fn user(&self, id: &UserId, groups: Groups) -> Result<Arc<User>, DirectoryError>;
    /// The one user this is said of. More than one is [`DirectoryError::Ambiguous`].
    async fn user_by_claim(&self, claim: &Claim, groups: Groups) -> Result<Arc<User>, DirectoryError>;
    /// The one user who signs in with this login: by name or, where no user has that name, by mail address. A directory may
    /// compare more loosely than [`Login::names`], or answer with a user without an identifier: neither is the user.
    async fn user_by_login(&self, login: &Login, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        let names = login.forms().map(|form| Claim::Username(form.to_owned()));
        let addresses = login.forms().filter(|form| form.contains('@')).map(|form| Claim::Mail(form.to_owned()));
        for claim in names.chain(addresses) {
            match self.user_by_claim(&claim, groups).await {
                Ok(user) if user.id.opaque_id.is_empty() => {}
                Ok(user) if login.names(if matches!(claim, Claim::Mail(_)) { &user.mail } else { &user.username }) => {
                    return Ok(user);
                }
                Ok(_) | Err(DirectoryError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(DirectoryError::NotFound)
    }
    /// The groups of a user.
    async fn groups(&self, id: &UserId) -> Result<Vec<String>, DirectoryError>;
    /// The profile of a user; empty where the directory has none.
    async fn profile(&self, _id: &UserId) -> Result<Profile, DirectoryError> {
        Ok(Profile::default())
    }
    /// The users that match every filter, at most a page of a hundred. `token` is the internal token of the person who
    /// searches: a directory in this process has no use for it, a remote one demands it.
    async fn find(&self, filters: &[Filter], groups: Groups, token: &str) -> Result<Vec<Arc<User>>, DirectoryError>;
    /// The users of a tenant that match every filter, as [`find`](Self::find) finds them. A directory that stores tenants looks only
    /// for these.
    async fn find_in_tenant(
        &self,
        tenant: &str,
        filters: &[Filter],
        groups: Groups,
        token: &str,
    ) -> Result<Vec<Arc<User>>, DirectoryError> {
        let mut users = self.find(filters, groups, token).await?;
        users.retain(|user| user.id.tenant_id == tenant);
        Ok(users)
    }
    /// Whether users may change their own mail address by a link that is sent to the new one. They may not where the directory is
    /// only read.
    async fn may_change_mail(&self) -> Result<bool, DirectoryError> {
        Ok(false)
    }
    /// Sets the mail address of a user who has opened a link that was sent to it.
    ///
    /// # Errors
    /// [`DirectoryError::ReadOnly`] where people are only read. Nothing is changed if there is an error.
    async fn set_verified_mail(&self, _id: &UserId, _change: MailChange<'_>) -> Result<(), MailChangeError> {
        Err(DirectoryError::ReadOnly.into())
    }
    /// How many changes there have been to what is answered: as long as it stays the same, so does every answer. `None` where, or
    /// while, others may change something unseen, so that only asking anew tells.
    fn changes(&self) -> Option<u64> {
        None
    }
    /// Notes that a person's password was changed. `token` is the internal token of the administrator who did it: a
    /// directory in this process has no use for it, a remote one demands it.
    ///
    /// A change before the last one noted changes nothing.
    ///
    /// # Errors
    /// [`DirectoryError::ReadOnly`] where people are only read.
    async fn note_password_change(&self, id: &UserId, at: SystemTime, token: &str) -> Result<(), DirectoryError>;
}

/// Another mail address of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailChange<'a> {
    /// The new address.
    pub address: &'a str,
    /// The address that the user has until then; empty if that is none.
    pub expected: &'a str,
}

/// Why a mail address is not changed.
#[derive(Debug, thiserror::Error)]
pub enum MailChangeError {
    /// The user is disabled, or has another address than the expected one.
    #[error("the user is disabled, or has another mail address by now")]
    Outdated,
    /// Another user has the address, or signs in with it.
    #[error("the mail address is already taken")]
    Taken,
    /// It is no address.
    #[error("the mail address is invalid")]
    Invalid,
    /// The operator does not permit users to change it.
    #[error("users may not change their mail address")]
    NotPermitted,
    /// The directory has no such user, is only read, or is unavailable.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Why there is no user, or nothing was noted of one.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is none.
    #[error("user not found")]
    NotFound,
    /// The claim matches more than one user.
    #[error("the claim fits more than one user")]
    Ambiguous,
    /// The request is not one.
    #[error("{0}")]
    Malformed(&'static str),
    /// The caller has no valid internal token.
    #[error("a valid internal token is needed")]
    Unauthenticated,
    /// People are written elsewhere.
    #[error("the directory cannot be written to")]
    ReadOnly,
    /// The directory is unavailable.
    #[error("users is not available")]
    Unavailable(#[source] BoxError),
    /// A fault of ours.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

impl DirectoryError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Ambiguous => Kind::FailedPrecondition,
            Self::Malformed(_) => Kind::InvalidArgument,
            Self::Unauthenticated => Kind::Unauthenticated,
            Self::ReadOnly => Kind::Unimplemented,
            Self::Unavailable(_) => Kind::Unavailable,
            Self::Internal(_) => Kind::Internal,
        }
    }

    /// The error that an authenticator returns if this lookup of a user fails; `unknown` if there is no such user.
    pub fn into_auth(self, unknown: AuthError) -> AuthError {
        match self {
            Self::NotFound => unknown,
            Self::Unavailable(source) => AuthError::Unavailable { service: "users", source },
            Self::Malformed(text) => AuthError::Malformed(text),
            other @ (Self::Ambiguous | Self::Unauthenticated | Self::ReadOnly | Self::Internal(_)) => {
                AuthError::Internal(Box::new(other))
            }
        }
    }
}
