//! Passwords: their verifiers, and the policy for new ones. No I/O.

mod hasher;
mod policy;
mod strength;
mod verifier;

pub use hasher::{Cost, CostError};
pub(crate) use hasher::{Hasher, Memory};
pub(crate) use policy::MOST_BYTES;
pub use policy::{Judgement, Policy, Weakness};
pub use verifier::Verifier;
