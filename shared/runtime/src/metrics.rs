//! What a process counts, for Prometheus and for collectors.

mod process;
mod readings;
mod requests;
mod text_format;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bounded_cache::Lookups;
use prometheus_client::encoding::prometheus_protobuf::{self, prometheus_data_model};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::{Metric, Registry};

use readings::Readings;
pub(crate) use requests::{Measurement, Protocol, Requests};

/// The metrics of a process. Clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Mutex<Registered>>);

struct Registered {
    registry: Registry,
    /// What was registered, by name: services in one process share metrics of one name.
    by_name: HashMap<&'static str, Box<dyn Any + Send + Sync>>,
    readings: Readings,
}

/// What a reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadingKind {
    Counter,
    Gauge,
}

/// A count of the lookups of a cache.
type Count = fn(&Lookups) -> u64;

/// The names and values of the labels of a metric.
pub type MetricLabels = Vec<(&'static str, String)>;

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        let readings = Readings::default();
        registry.register_collector(Box::new(readings.clone()));
        let metrics = Self(Arc::new(Mutex::new(Registered { registry, by_name: HashMap::new(), readings })));
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        metrics.gauge_of("doorward_build_info", "The program that is running", version, || Some(1.0));
        metrics
    }
}

impl Metrics {
    /// Registers a counter, or a family of them, and returns it; if the name is registered already, what was registered first.
    /// So services that share a process count in one metric, and tell themselves apart by a label. The name is written without
    /// `_total`, which is appended.
    ///
    /// # Panics
    /// When the name belongs to a metric of another type: a fault of the code.
    pub fn counter<M: Metric + Clone>(&self, name: &'static str, help: &'static str, metric: M) -> M {
        self.register(name, help, metric)
    }

    /// Registers a gauge, or a family of them, as [`counter`](Self::counter) does.
    ///
    /// # Panics
    /// As there.
    pub fn gauge<M: Metric + Clone>(&self, name: &'static str, help: &'static str, metric: M) -> M {
        self.register(name, help, metric)
    }

    /// Registers a histogram, or a family of them, as [`counter`](Self::counter) does.
    ///
    /// # Panics
    /// As there.
    pub fn histogram<M: Metric + Clone>(&self, name: &'static str, help: &'static str, metric: M) -> M {
        self.register(name, help, metric)
    }

    /// A gauge that is read at each scrape. It is left out while there is nothing to read. Gauges of one name tell themselves
    /// apart by their labels; a second one with the same labels takes the place of the first. `read` must not register metrics.
    pub fn gauge_of(
        &self,
        name: &'static str,
        help: &'static str,
        labels: MetricLabels,
        read: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) {
        self.lock().readings.add(ReadingKind::Gauge, (name, help), labels, Box::new(read));
    }

    /// A counter that is read at each scrape, as [`gauge_of`](Self::gauge_of) has it. The name is written without `_total`.
    pub fn counter_of(
        &self,
        name: &'static str,
        help: &'static str,
        labels: MetricLabels,
        read: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) {
        self.lock().readings.add(ReadingKind::Counter, (name, help), labels, Box::new(read));
    }

    /// Counts the lookups of a cache of this name.
    #[expect(clippy::cast_precision_loss, reason = "a count of more than 2^53 is not reached")]
    pub fn cache(&self, name: &'static str, lookups: &Lookups) {
        let outcomes: [(&str, Count); 2] = [("hit", Lookups::hits), ("miss", Lookups::misses)];
        for (outcome, count) in outcomes {
            let labels = vec![("cache", name.to_owned()), ("outcome", outcome.to_owned())];
            let lookups = lookups.clone();
            self.counter_of(
                "doorward_cache_lookups",
                "Lookups in caches, by whether they found something that could be used",
                labels,
                move || Some(count(&lookups) as f64),
            );
        }
    }

    fn register<M: Metric + Clone>(&self, name: &'static str, help: &'static str, metric: M) -> M {
        let mut registered = self.lock();
        if let Some(first) = registered.by_name.get(name) {
            return first.downcast_ref::<M>().expect("a name belongs to one type of metric").clone();
        }
        registered.registry.register(name, help, metric.clone());
        registered.by_name.insert(name, Box::new(metric.clone()));
        metric
    }

    /// What Prometheus reads (`OpenMetrics` 1.0).
    pub fn render(&self) -> String {
        let mut text = String::new();
        // writing into a String cannot fail
        let _ = encode(&mut text, &self.lock().registry);
        text
    }

    /// The same in the text format of Prometheus 0.0.4.
    pub(crate) fn render_text(&self) -> String {
        text_format::of_open_metrics(&self.render())
    }

    /// The same as messages, to be sent.
    pub(crate) fn families(&self) -> Vec<prometheus_data_model::MetricFamily> {
        // only a value that is no number of Prometheus fails, and the types of metrics have none
        prometheus_protobuf::encode(&self.lock().registry).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn one_name_is_one_metric() {
        let metrics = Metrics::default();
        let one = metrics.counter("logins", "Logins", Counter::<u64>::default());
        let two = metrics.counter("logins", "Logins", Counter::<u64>::default());
        one.inc();
        two.inc();
        let text = metrics.render();
        assert!(text.contains("logins_total 2"), "{text}");
        assert_eq!(text.matches("# TYPE logins counter").count(), 1, "{text}");
        assert!(text.contains("doorward_build_info{version="), "{text}");
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }
    #[test]
    fn readings_are_read_at_each_scrape() {
        let (metrics, lookups) = (Metrics::default(), Lookups::default());
        metrics.cache("people", &lookups);
        metrics.gauge_of("queue", "Queue", vec![("name", "a".into())], || Some(1.5));
        metrics.gauge_of("queue", "Queue", vec![("name", "b".into())], || None);
        assert_eq!(lookups.counted(Some(7)), Some(7));
        let text = metrics.render();
        for line in [
            "# TYPE doorward_cache_lookups counter\n",
            "doorward_cache_lookups_total{cache=\"people\",outcome=\"hit\"} 1",
            "doorward_cache_lookups_total{cache=\"people\",outcome=\"miss\"} 0",
            "# HELP queue Queue\n# TYPE queue gauge\nqueue{name=\"a\"} 1.5\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("name=\"b\""), "{text}");
        lookups.counted(Some(8));
        assert!(metrics.render().contains("outcome=\"hit\"} 2"));
    }
}
