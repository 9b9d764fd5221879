//! Metrics of requests to issuers.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use runtime::Metrics;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Issuer {
    issuer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    issuer: String,
    outcome: &'static str,
}

/// Counts the requests for an issuer's keys, and records whether the last one was answered.
#[derive(Clone)]
pub struct KeyRequests {
    issuer: String,
    outcomes: Family<Outcome, Counter>,
    up: Family<Issuer, Gauge>,
}

impl KeyRequests {
    /// The counters of this issuer.
    pub fn new(metrics: &Metrics, issuer: &str) -> Self {
        let outcomes = metrics.counter(
            "doorward_issuer_asked",
            "How often an OpenID Provider was asked for its keys",
            Family::<Outcome, Counter>::default(),
        );
        let up = metrics.gauge(
            "doorward_issuer_up",
            "Whether an OpenID Provider gave its keys when it was asked last",
            Family::<Issuer, Gauge>::default(),
        );
        Self { issuer: issuer.to_owned(), outcomes, up }
    }

    /// Records a request that was answered or not.
    pub fn note(&self, answered: bool) {
        let outcome = if answered { "success" } else { "failure" };
        self.outcomes.get_or_create(&Outcome { issuer: self.issuer.clone(), outcome }).inc();
        self.up.get_or_create(&Issuer { issuer: self.issuer.clone() }).set(i64::from(answered));
    }
}
