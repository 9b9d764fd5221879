//! What is counted of ACME.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use runtime::{Clock, Metrics};

/// The counts.
#[derive(Default)]
pub(crate) struct AcmeMetrics {
    succeeded: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    failures: Arc<AtomicU64>,
    /// In seconds since the epoch; 0 while it is unknown.
    renewal: Arc<AtomicI64>,
}

#[expect(clippy::cast_precision_loss, reason = "counts and times stay below 2^53")]
impl AcmeMetrics {
    /// Registers them.
    pub(crate) fn new(metrics: &Metrics, clock: &Clock) -> Self {
        let counts = Self::default();
        for (outcome, count) in [("success", &counts.succeeded), ("failure", &counts.failed)] {
            let count = Arc::clone(count);
            metrics.counter_of(
                "doorward_acme_orders",
                "Orders of a certificate by ACME, by their outcome",
                vec![("outcome", outcome.to_owned())],
                move || Some(count.load(Ordering::Relaxed) as f64),
            );
        }
        let failures = Arc::clone(&counts.failures);
        metrics.gauge_of(
            "doorward_acme_failures",
            "How many orders of a certificate by ACME have failed since the last success",
            Vec::new(),
            move || Some(failures.load(Ordering::Relaxed) as f64),
        );
        let (renewal, clock) = (Arc::clone(&counts.renewal), clock.clone());
        metrics.gauge_of(
            "doorward_acme_renewal_seconds",
            "The time until the certificate is renewed by ACME, in seconds; negative when that is overdue",
            Vec::new(),
            move || {
                let renewal = renewal.load(Ordering::Relaxed);
                (renewal != 0).then(|| (renewal - seconds(clock.now())) as f64)
            },
        );
        counts
    }

    /// An order has ended.
    pub(crate) fn ended(&self, succeeded: bool) {
        let count = if succeeded { &self.succeeded } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many attempts have failed in succession, and when the certificate is renewed.
    pub(crate) fn found(&self, failures: u32, renewal: Option<SystemTime>) {
        self.failures.store(failures.into(), Ordering::Relaxed);
        self.renewal.store(renewal.map_or(0, seconds), Ordering::Relaxed);
    }
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
