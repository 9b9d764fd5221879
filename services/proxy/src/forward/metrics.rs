//! What is counted of each route.

use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

/// Requests by route and kind of status, and how long their answers took to begin.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Labels, Counter>,
    duration: Family<Labels, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    route: String,
    status: &'static str,
}

impl Metrics {
    /// Counts among these metrics.
    pub fn new(metrics: &runtime::Metrics) -> Self {
        let requests = metrics.register("proxy_requests", "Requests by route and class of status", Family::default());
        let histogram: fn() -> Histogram = || Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0]);
        let family = Family::new_with_constructor(histogram);
        let duration = metrics.register("proxy_answer_seconds", "Time until an answer begins", family);
        Self { requests, duration }
    }

    pub(super) fn count(&self, route: &str, status: StatusCode, took: Duration) {
        let labels = Labels { route: route.to_owned(), status: class(status) };
        self.requests.get_or_create(&labels).inc();
        self.duration.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
