//! What is counted of workloads.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use runtime::Metrics;

use crate::workload::{Proof, WorkloadError};

/// The labels of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verification {
    service: &'static str,
    proof: &'static str,
    outcome: &'static str,
}

/// The labels of an update of a trust bundle.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BundleUpdate {
    service: &'static str,
    trust_domain: String,
    outcome: &'static str,
}

impl BundleUpdate {
    /// A bundle that was read or received, or could not be.
    pub(crate) fn new(service: &'static str, domain: &str, is_read: bool) -> Self {
        let outcome = if is_read { "success" } else { "failure" };
        Self { service, trust_domain: domain.to_owned(), outcome }
    }
}

/// The counter of updates of trust bundles.
pub(crate) fn bundle_updates(metrics: &Metrics) -> Family<BundleUpdate, Counter> {
    metrics.counter(
        "doorward_trust_bundle_updates",
        "How often the bundle of a SPIFFE trust domain was read, fetched or received, or could not be",
        Family::<BundleUpdate, Counter>::default(),
    )
}

/// Counts verifications of tokens.
pub(crate) struct Verifications {
    service: &'static str,
    counts: Family<Verification, Counter>,
}

impl Verifications {
    /// The counters of a service.
    pub(crate) fn new(service: &'static str, metrics: &Metrics) -> Self {
        let counts = metrics.counter(
            "doorward_workload_verifications",
            "Tokens of workloads by what they prove and by whether they were accepted; unknown are those of no issuer or trust domain that the policy names",
            Family::<Verification, Counter>::default(),
        );
        Self { service, counts }
    }

    /// Counts a token; `proof` is `None` where it is from no issuer or trust domain that is accepted.
    pub(crate) fn count<T>(&self, proof: Option<Proof>, outcome: Result<&T, &WorkloadError>) {
        let proof = proof.map_or("unknown", Proof::name);
        let outcome = match outcome {
            Ok(_) => "accepted",
            Err(WorkloadError::Unavailable(_)) => "unavailable",
            Err(_) => "refused",
        };
        self.counts.get_or_create(&Verification { service: self.service, proof, outcome }).inc();
    }
}
