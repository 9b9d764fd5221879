//! Who a verified credential belongs to.

use std::sync::OnceLock;

use bounded_cache::HeapSize;
use http::{HeaderName, HeaderValue};
use token::Claims;

use crate::told::Oversized;

/// Headers with their values.
type Headers = Box<[(HeaderName, HeaderValue)]>;

/// A person, what the credential may do, and the internal token that says both to backends.
#[derive(Debug)]
pub struct Identity {
    /// The internal token, as the header that carries it.
    pub token: HeaderValue,
    /// What it says.
    pub claims: Claims,
    /// What backends behind other proxies are told of it, from the first time on that they are.
    pub(crate) told: OnceLock<Result<Headers, Oversized>>,
}

/// What headers for backends take beside texts that the claims hold too, in bytes: there are thirteen at most.
const HEADERS: usize = 13 * (size_of::<HeaderName>() + size_of::<HeaderValue>());

impl HeapSize for Identity {
    fn heap_size(&self) -> usize {
        // the headers name each group three times at most; they are counted before they are made, since a weight is taken once
        let Self { token, claims, told: _ } = self;
        token.len() + 3 * claims.heap_size() + HEADERS
    }
}

impl Identity {
    /// What this token says.
    pub fn new(token: HeaderValue, claims: Claims) -> Self {
        Self { token, claims, told: OnceLock::new() }
    }
}
