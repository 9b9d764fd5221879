//! What a process counts, for Prometheus.

mod process;
mod requests;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

pub(crate) use requests::{Measurement, Protocol, Requests};

/// The metrics of a process. Clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Mutex<Registered>>);

struct Registered {
    registry: Registry,
    /// What was registered, by name: services in one process share metrics of one name.
    by_name: HashMap<&'static str, Box<dyn Any + Send + Sync>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("doorward_build", "The program that is running", build);
        Self(Arc::new(Mutex::new(Registered { registry, by_name: HashMap::new() })))
    }
}

impl Metrics {
    /// Registers a metric and returns it; if the name is registered already, what was registered first. So services
    /// that share a process count in one metric, and tell themselves apart by a label. A counter's name is written
    /// without `_total`, which is appended.
    ///
    /// # Panics
    /// When the name belongs to a metric of another type: a fault of the code.
    pub fn register<M: Metric + Clone>(&self, name: &'static str, help: &'static str, metric: M) -> M {
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
        let one = metrics.register("logins", "Logins", Counter::<u64>::default());
        let two = metrics.register("logins", "Logins", Counter::<u64>::default());
        one.inc();
        two.inc();
        let text = metrics.render();
        assert!(text.contains("logins_total 2"), "{text}");
        assert_eq!(text.matches("# TYPE logins counter").count(), 1, "{text}");
        assert!(text.contains("doorward_build_info{version="), "{text}");
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }
}
