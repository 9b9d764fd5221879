//! Stored accounts: how they authenticate, and how administrators change them.

mod accounts;
mod administration;
mod support;
mod workloads;
