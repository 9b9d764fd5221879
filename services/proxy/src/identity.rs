//! Who a verified credential belongs to.

use http::HeaderValue;
use token::Claims;

/// A person, what the credential may do, and the internal token that says both to backends.
#[derive(Debug)]
pub struct Identity {
    /// The internal token, as the header that carries it.
    pub token: HeaderValue,
    /// What it says.
    pub claims: Claims,
}
