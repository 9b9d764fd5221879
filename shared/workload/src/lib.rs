#![doc = include_str!("../README.md")]

mod policy;
#[cfg(feature = "testing")]
pub mod testing;
mod workload;
mod workloads;

pub use policy::{Act, Decision, Entry, Policy, PolicyError};
pub use workload::{Proof, Workload, WorkloadError};
pub use workloads::{Workloads, client_authorities};
