//! What the token endpoint answers (RFC 6749 5.1).

use std::sync::Arc;

use authn::{Actor, User};
use serde::Serialize;
use token::transaction::TransactionClaims;

use crate::model::Seconds;

/// Tokens. They are not printed.
#[derive(Serialize)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issued_token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    /// What the audit log has of it, if anything.
    #[serde(skip)]
    pub(crate) audit: Option<AuditedGrant>,
    /// What the audit log has of a transaction token.
    #[serde(skip)]
    pub(crate) transaction: Option<Box<AuditedTransaction>>,
}

/// Tokens that were issued for a user, as the audit log has it.
pub(crate) struct AuditedGrant {
    /// By which grant type.
    pub(crate) event: &'static str,
    /// The user.
    pub(crate) user: Arc<User>,
    /// Who acts for the user by them.
    pub(crate) act: Option<Actor>,
}

/// A transaction token that was issued, as the audit log has it.
pub(crate) struct AuditedTransaction {
    /// The event.
    pub(crate) event: &'static str,
    /// Whether it was minted or replaces another one.
    pub(crate) outcome: &'static str,
    /// What it says.
    pub(crate) claims: TransactionClaims,
}
