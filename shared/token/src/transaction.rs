//! Transaction tokens (draft-ietf-oauth-transaction-tokens-10): short-lived JWTs that say which transaction a call between
//! services belongs to, whose it is, and what it is for. They accompany a call and authenticate no caller.
//!
//! A [`TransactionMinter`] makes them and replaces them by narrower ones, with keys that it derives from a secret
//! ([`TransactionKeys`]); a [`TransactionVerifier`] reads them, with the same keys or with those that a minter publishes. The
//! names that stand on the wire are in [`names`].

mod claims;
mod error;
mod key_source;
mod keys;
mod layer;
mod mint;
pub mod names;
mod policy;
mod replace;
mod request;
mod requesters;
mod verify;

pub use claims::{SubjectType, TransactionClaims};
pub use error::{TransactionDefect, TransactionError};
pub use key_source::{KeySource, PublishedKeys};
pub use keys::{ALGORITHMS, FRESH_FOR, TransactionKeys};
pub use layer::{TransactionLayer, TransactionService, forward};
pub use mint::{Minted, TransactionMinter};
pub use policy::{Authority, Subject, WorkloadPolicy};
pub use replace::narrowed;
pub use request::{ReplacementRequest, TransactionRequest};
pub use requesters::{MAX_REQUESTERS, Requesters};
pub use verify::TransactionVerifier;

use std::time::Duration;

/// The longest transaction token that is minted or read, in bytes.
pub const MAX_TRANSACTION_TOKEN: usize = 16 * 1024;
/// The longest that a transaction token is valid.
pub const MAX_LIFETIME: Duration = Duration::from_mins(5);
/// How long a transaction token is valid unless another time is set.
pub const LIFETIME: Duration = Duration::from_mins(1);
