//! Metrics of routes.

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

/// Requests by route and class of status, and the time until their responses begin.
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

/// The metrics of one route. A class of status has none until it occurs.
pub struct RouteMetrics {
    metrics: Metrics,
    name: String,
    classes: [OnceLock<(Counter, Histogram)>; CLASSES.len()],
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    /// Registers them.
    pub fn new(metrics: &runtime::Metrics) -> Self {
        let requests = metrics.counter("proxy_requests", "Requests by route and class of status", Family::default());
        let histogram: fn() -> Histogram = || Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0]);
        let family = Family::new_with_constructor(histogram);
        let duration = metrics.histogram("proxy_answer_seconds", "Time until an answer begins", family);
        Self { requests, duration }
    }

    /// Those of the route with this name.
    pub fn of_route(&self, name: &str) -> RouteMetrics {
        RouteMetrics { metrics: self.clone(), name: name.to_owned(), classes: Default::default() }
    }
}

impl RouteMetrics {
    /// The name of the route in metrics and the access log.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn count(&self, status: StatusCode, took: Duration) {
        // A status is at least 100; those above 599 count as 5xx.
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
