//! The user of a verified credential.

use std::sync::OnceLock;

use bounded_cache::HeapSize;
use http::{HeaderName, HeaderValue};
use token::Claims;

/// The groups do not fit into a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupsTooLarge;

/// A link whose credential a request has, instead of that of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The session of a guest.
    Guest,
    /// A public link. Its user is the owner of what it shares, and the scopes say what that is.
    Public,
}

/// The identity headers of a user, or that they cannot be built.
type Headers = Result<Box<[(HeaderName, HeaderValue)]>, GroupsTooLarge>;

/// A user, the scopes of the credential, and the internal token that conveys both to backends.
#[derive(Debug)]
pub struct Identity {
    /// The internal token, as the header that carries it.
    pub token: HeaderValue,
    /// Its claims.
    pub claims: Claims,
    /// The link that it was conveyed by; `None` for an account.
    pub link: Option<Link>,
    /// The headers for applications behind other proxies, built when they are first needed.
    pub(crate) headers: OnceLock<Headers>,
}

/// The size in bytes of the identity headers, at most thirteen, without their text.
const HEADERS: usize = 13 * (size_of::<HeaderName>() + size_of::<HeaderValue>());

impl HeapSize for Identity {
    fn heap_size(&self) -> usize {
        // The headers hold each group at most three times. They count from the start, since a cache weighs an entry once.
        let Self { token, claims, link: _, headers: _ } = self;
        token.len() + 3 * claims.heap_size() + HEADERS
    }
}

impl Identity {
    /// The identity of an account that this token conveys.
    pub fn new(token: HeaderValue, claims: Claims) -> Self {
        Self { token, claims, link: None, headers: OnceLock::new() }
    }
}
