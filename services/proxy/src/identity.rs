//! Who a verified credential belongs to.

use token::Claims;

/// A person, what the credential may do, and the internal token that says both to backends.
#[derive(Debug)]
pub struct Identity {
    /// The internal token.
    pub token: String,
    /// What it says.
    pub claims: Claims,
}
