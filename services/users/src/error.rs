use authn::DirectoryError;
use status::Kind;
use store::StoreError;

/// Why people or groups were not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There is no such person.
    #[error("there is no such user")]
    NoSuchPerson,
    /// There is no such group.
    #[error("there is no such group")]
    NoSuchGroup,
    /// Another account has a value that must be unique; names the value.
    #[error("the {0} is already taken")]
    Taken(&'static str),
    /// No administrator would be left.
    #[error("this is the last administrator who is not disabled: give another user the role admin first")]
    LastAdministrator,
    /// Something else is stored than the caller has seen.
    #[error("another change came in between, and nothing was changed; read what is stored and try again")]
    Concurrent,
    /// They are in LDAP, which is only read.
    #[error(
        "users and groups are kept in LDAP (USERS_DRIVER): users can be listed and shown here, everything else is done with the \
         tools of the LDAP server"
    )]
    ReadOnly,
    /// The LDAP server did not answer with them.
    #[error(transparent)]
    Directory(DirectoryError),
    /// The mail address is changed by a link, and the user is disabled or has another address than when the link was made.
    #[error("the user is disabled, or has another mail address by now")]
    OutdatedMailChange,
    /// The operator does not permit users to change their mail address.
    #[error("users may not change their mail address; see USERS_SELF_SERVICE_ATTRIBUTES")]
    MailChangeNotPermitted,
    /// The request is not one; says why.
    #[error("{0}")]
    Invalid(String),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PeopleError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoSuchPerson | Self::NoSuchGroup => Kind::NotFound,
            Self::Taken(_) => Kind::AlreadyExists,
            Self::LastAdministrator | Self::OutdatedMailChange => Kind::FailedPrecondition,
            Self::MailChangeNotPermitted => Kind::PermissionDenied,
            Self::Concurrent => Kind::Aborted,
            Self::ReadOnly => Kind::Unimplemented,
            Self::Directory(error) => error.kind(),
            Self::Invalid(_) => Kind::InvalidArgument,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<DirectoryError> for PeopleError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::NotFound => Self::NoSuchPerson,
            other => Self::Directory(other),
        }
    }
}
