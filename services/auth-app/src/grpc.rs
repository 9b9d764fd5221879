//! The gRPC services: CS3 `ApplicationsAPI` for all users, `OwnTokensAPI` for the account pages, `AppTokensAPI` for the operator and administrators.

pub mod applications;
pub(crate) mod convert;
pub mod own_tokens;
pub mod tokens;

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;
