//! What can go wrong between us and the server.

use authn::DirectoryError;
use ldap3::{LdapError, LdapResult};
use runtime::TlsError;

/// Result codes of RFC 4511 that decide something here.
pub(crate) mod code {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const PROTOCOL_ERROR: u32 = 2;
    pub(crate) const TIME_LIMIT_EXCEEDED: u32 = 3;
    pub(crate) const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub(crate) const STRONGER_AUTH_REQUIRED: u32 = 8;
    pub(crate) const REFERRAL: u32 = 10;
    pub(crate) const ADMIN_LIMIT_EXCEEDED: u32 = 11;
    pub(crate) const CONFIDENTIALITY_REQUIRED: u32 = 13;
    pub(crate) const CONSTRAINT_VIOLATION: u32 = 19;
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INVALID_DN_SYNTAX: u32 = 34;
    pub(crate) const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    pub(crate) const INVALID_CREDENTIALS: u32 = 49;
    pub(crate) const INSUFFICIENT_ACCESS: u32 = 50;
    pub(crate) const BUSY: u32 = 51;
    pub(crate) const UNAVAILABLE: u32 = 52;
    pub(crate) const UNWILLING_TO_PERFORM: u32 = 53;
}

/// Why the server gave no answer, or none that helps. No variant holds a credential.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The connection could not be made, or broke.
    #[error("the LDAP server cannot be reached")]
    Connection(#[source] LdapError),
    /// The server let us wait too long.
    #[error("the LDAP server did not answer in time")]
    Timeout,
    /// As many operations are under way as are allowed.
    #[error("too many LDAP operations are under way")]
    Exhausted,
    /// The server's answer is an error.
    #[error("the LDAP server refused the {operation}")]
    Answer {
        /// The request.
        operation: &'static str,
        /// The answer.
        #[source]
        result: LdapResult,
    },
    /// The server returns only a part of a result that is needed in full.
    #[error(
        "the LDAP server gives only a part of the entries: raise the size limit of the service's account there \
         (OpenLDAP: size.prtotal in limits)"
    )]
    Truncated,
    /// A search in full finds more than is taken.
    #[error("the LDAP search finds more than {most} entries: narrow the filter or the base")]
    TooMany {
        /// How many are taken.
        most: usize,
    },
    /// TLS cannot be set up, as when the file of the certificate authority cannot be used (yet).
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The request cannot be expressed in LDAP: a fault of the configuration.
    #[error("the LDAP request is not valid")]
    Request(#[source] LdapError),
}

impl Failure {
    /// Whether a pooled connection may just have gone stale, so that a fresh one is worth a try.
    pub(crate) fn is_stale_connection(&self) -> bool {
        matches!(self, Self::Connection(_))
    }

    /// Whether the connection is still usable: the server answered, though with an error.
    pub(crate) fn spares_connection(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::Truncated | Self::Request(_))
    }

    /// Whether trying again later may help.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Timeout | Self::Exhausted | Self::Tls(TlsError::File { .. }) => true,
            Self::Answer { result, .. } => {
                matches!(result.rc, code::BUSY | code::UNAVAILABLE | code::TIME_LIMIT_EXCEEDED)
            }
            Self::Truncated | Self::TooMany { .. } | Self::Tls(TlsError::Unusable { .. }) | Self::Request(_) => false,
        }
    }
}

impl From<LdapError> for Failure {
    fn from(error: LdapError) -> Self {
        match error {
            LdapError::Timeout { .. } => Self::Timeout,
            LdapError::LdapResult { result } => Self::Answer { operation: "operation", result },
            LdapError::FilterParsing
            | LdapError::UrlParsing { .. }
            | LdapError::UnknownScheme(_)
            | LdapError::DNSName { .. }
            | LdapError::AdapterInit(_) => Self::Request(error),
            other => Self::Connection(other),
        }
    }
}

impl From<Failure> for DirectoryError {
    fn from(failure: Failure) -> Self {
        if failure.is_temporary() { Self::Unavailable(Box::new(failure)) } else { Self::Internal(Box::new(failure)) }
    }
}
