//! When the files of settings were read, and how often that failed.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    service: &'static str,
    setting: &'static str,
}

/// The metrics of one setting.
#[derive(Clone, Debug)]
pub(crate) struct ReloadMetrics {
    last_success: Gauge,
    failures: Counter,
}

impl ReloadMetrics {
    pub(crate) fn of(metrics: &crate::Metrics, service: &'static str, setting: &'static str) -> Self {
        let last_success = metrics.gauge(
            "doorward_file_reload_success_timestamp_seconds",
            "When the file of a setting was last read and found valid, in seconds since 1970",
            Family::<Labels, Gauge>::default(),
        );
        let failures = metrics.counter(
            "doorward_file_reload_failures",
            "How often the file of a setting was read again and not found valid, so that what was read before stays in use",
            Family::<Labels, Counter>::default(),
        );
        let labels = Labels { service, setting };
        Self {
            last_success: last_success.get_or_create_owned(&labels),
            failures: failures.get_or_create_owned(&labels),
        }
    }

    pub(crate) fn succeeded(&self, at: SystemTime) {
        let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.last_success.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    pub(crate) fn failed(&self) {
        self.failures.inc();
    }
}
