//! The authenticator with a small issuer of the test's own.

mod issuer;
mod support;
mod tokens;
