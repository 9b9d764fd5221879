//! The gRPC services: CS3 `ApplicationsAPI` for all users, and `AppTokensAPI` for the operator.

pub mod applications;
pub(crate) mod convert;
pub mod tokens;

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;
