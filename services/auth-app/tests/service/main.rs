//! The service over a database of the test's own, with a clock that the test moves.

mod administration;
mod api;
mod audit;
mod delegated;
mod imports;
mod lifetimes;
mod own_tokens;
mod security_requirements;
mod support;
