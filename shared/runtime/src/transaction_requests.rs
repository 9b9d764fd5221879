//! Counts of requests for transaction tokens, which the gateway and the idp answer.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::Metrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    request: &'static str,
    outcome: &'static str,
}

/// Counts the requests for transaction tokens that a service answers.
#[derive(Clone, Debug)]
pub struct TransactionRequests {
    service: &'static str,
    counts: Family<RequestLabels, Counter>,
}

impl TransactionRequests {
    /// Those of this service.
    pub fn new(metrics: &Metrics, service: &'static str) -> Self {
        let counts = metrics.counter(
            "doorward_transaction_tokens",
            "Requests for transaction tokens, by service, request (mint, replace) and outcome (issued, refused)",
            Family::<RequestLabels, Counter>::default(),
        );
        Self { service, counts }
    }

    /// Counts a request: for the first token of a transaction, or for one that `replaces` another; and whether it was issued.
    pub fn record(&self, replaces: bool, is_issued: bool) {
        let request = if replaces { "replace" } else { "mint" };
        let outcome = if is_issued { "issued" } else { "refused" };
        self.counts.get_or_create(&RequestLabels { service: self.service, request, outcome }).inc();
    }
}
