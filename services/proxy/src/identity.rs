//! Who a verified credential belongs to.

use std::sync::OnceLock;

use http::{HeaderName, HeaderValue};
use token::Claims;

/// A person, what the credential may do, and the internal token that says both to backends.
#[derive(Debug)]
pub struct Identity {
    /// The internal token, as the header that carries it.
    pub token: HeaderValue,
    /// What it says.
    pub claims: Claims,
    /// What backends behind other proxies are told of it, from the first time on that they are.
    pub(crate) told: OnceLock<Box<[(HeaderName, HeaderValue)]>>,
}

impl Identity {
    /// What this token says.
    pub fn new(token: HeaderValue, claims: Claims) -> Self {
        Self { token, claims, told: OnceLock::new() }
    }
}
