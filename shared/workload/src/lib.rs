#![doc = include_str!("../README.md")]

mod issuers;
mod kubernetes;
mod metrics;
mod policy;
mod results;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trust;
mod verification;
mod workload;
mod workloads;

pub use policy::{Act, Decision, Entry, Policy, PolicyError};
pub use verification::{Explanation, Refusal};
pub use workload::{Proof, Workload, WorkloadError};
pub use workloads::{Workloads, client_authorities};
