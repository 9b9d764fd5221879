//! What is counted of each route.

use std::sync::OnceLock;
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

/// What is counted of one route. A class of status has no counters until it occurs.
pub struct OfRoute {
    metrics: Metrics,
    name: String,
    classes: [OnceLock<(Counter, Histogram)>; CLASSES.len()],
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    /// Counts among these metrics.
    pub fn new(metrics: &runtime::Metrics) -> Self {
        let requests = metrics.register("proxy_requests", "Requests by route and class of status", Family::default());
        let histogram: fn() -> Histogram = || Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0]);
        let family = Family::new_with_constructor(histogram);
        let duration = metrics.register("proxy_answer_seconds", "Time until an answer begins", family);
        Self { requests, duration }
    }

    /// Counts for the route of this name.
    pub fn of_route(&self, name: &str) -> OfRoute {
        OfRoute { metrics: self.clone(), name: name.to_owned(), classes: Default::default() }
    }
}

impl OfRoute {
    /// What metrics and the access log call the route.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn count(&self, status: StatusCode, took: Duration) {
        // none of http's is below 100, and what is above 599 has no class of its own
        let class = usize::from(status.as_u16() / 100 - 1).min(CLASSES.len() - 1);
        let (requests, duration) = self.classes[class].get_or_init(|| {
            let labels = Labels { route: self.name.clone(), status: CLASSES[class] };
            let Metrics { requests, duration } = &self.metrics;
            (requests.get_or_create_owned(&labels), duration.get_or_create_owned(&labels))
        });
        requests.inc();
        duration.observe(took.as_secs_f64());
    }
}
