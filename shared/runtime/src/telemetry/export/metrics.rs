//! What the services of this process count, as metrics of OTLP: the same names, labels and values that Prometheus reads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as counted;
use tokio::time::{MissedTickBehavior, interval_at};

use super::{SendError, SignalClient, TelemetryError, nanoseconds, resource_of_messages, scope};
use crate::{Clock, Metrics};
use config::{Signal, Tracing};

/// The label of a service. It tells the services of one process apart where a metric has none.
const SERVICE: &str = "service";
/// The units of metrics, by how their names end.
const UNITS: [(&str, &str); 3] = [("_seconds", "s"), ("_bytes", "By"), ("_ratio", "1")];

/// Sends the metrics of this process. Clones share the list of services.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct MetricsExporter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: SignalClient,
    resource: Resource,
    interval: Duration,
    clock: Clock,
    /// When counting began.
    started: SystemTime,
    services: Mutex<Vec<(&'static str, Metrics)>>,
}

/// When counting began, and now, in nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Times {
    started: u64,
    now: u64,
}

impl MetricsExporter {
    /// Sends to the collector of the settings; `None` where metrics are not sent.
    pub(in crate::telemetry) fn of(
        service: &str,
        tracing: &Tracing,
        clock: Clock,
    ) -> Result<Option<Self>, TelemetryError> {
        let Some(client) = SignalClient::of(tracing, Signal::Metrics)? else { return Ok(None) };
        let resource = resource_of_messages(service, tracing)?;
        let (interval, started) = (tracing.interval_of_metrics(), clock.now());
        Ok(Some(Self(Arc::new(Inner { client, resource, interval, clock, started, services: Mutex::default() }))))
    }

    /// Adds the metrics of a service.
    pub(in crate::telemetry) fn add(&self, service: &'static str, metrics: &Metrics) {
        let mut services = self.0.services.lock().unwrap_or_else(PoisonError::into_inner);
        // a service that starts again takes the place of what it was before
        services.retain(|(known, _)| *known != service);
        services.push((service, metrics.clone()));
    }

    /// Sends at each interval, until the process ends.
    pub(in crate::telemetry) async fn run(self) {
        let mut ticks = interval_at(tokio::time::Instant::now() + self.0.interval, self.0.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        loop {
            ticks.tick().await;
            let sent = self.send().await;
            match &sent {
                // once, and not at each interval
                Err(problem) if !is_failing => tracing::warn!(problem, "metrics cannot be sent to the collector"),
                Ok(()) if is_failing => tracing::warn!("metrics are sent to the collector again"),
                Err(_) | Ok(()) => {}
            }
            is_failing = sent.is_err();
        }
    }

    /// Sends everything that is counted.
    pub(in crate::telemetry) async fn send(&self) -> Result<(), String> {
        let sent = self.0.client.send_metrics(self.request()).await;
        match sent {
            Ok(None) => Ok(()),
            Ok(Some(partial)) if partial.rejected == 0 => Ok(()),
            Ok(Some(partial)) => Err(partial.problem),
            Err(SendError::Refused(problem) | SendError::Away(problem)) => Err(problem),
        }
    }

    fn request(&self) -> ExportMetricsServiceRequest {
        let times = Times { started: nanoseconds(self.0.started), now: nanoseconds(self.0.clock.now()) };
        let services = self.0.services.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let scope_metrics = services.iter().map(|(service, metrics)| of_service(service, metrics, times)).collect();
        let resource = Some(self.0.resource.clone());
        let metrics = ResourceMetrics { resource, scope_metrics, schema_url: String::new() };
        ExportMetricsServiceRequest { resource_metrics: vec![metrics] }
    }
}

fn of_service(service: &str, metrics: &Metrics, times: Times) -> ScopeMetrics {
    let families = metrics.families().into_iter().filter(|family| !family.metric.is_empty());
    let metrics = families.map(|family| metric(service, family, times)).collect();
    ScopeMetrics { scope: Some(scope(service)), metrics, schema_url: String::new() }
}

fn metric(service: &str, family: counted::MetricFamily, times: Times) -> Metric {
    let (kind, temporality) = (family.r#type(), AggregationTemporality::Cumulative.into());
    let numbers = |value: fn(&counted::Metric) -> f64| {
        let point = |metric: &counted::Metric| number(service, metric, value(metric), times);
        family.metric.iter().map(point).collect()
    };
    let data = match kind {
        counted::MetricType::Counter => Data::Sum(Sum {
            data_points: numbers(|metric| metric.counter.as_ref().map_or(0.0, |counter| counter.value)),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        counted::MetricType::Histogram | counted::MetricType::GaugeHistogram => Data::Histogram(Histogram {
            data_points: family.metric.iter().filter_map(|metric| histogram(service, metric, times)).collect(),
            aggregation_temporality: temporality,
        }),
        counted::MetricType::Gauge | counted::MetricType::Untyped | counted::MetricType::Summary => {
            Data::Gauge(Gauge { data_points: numbers(|metric| metric.gauge.as_ref().map_or(0.0, |gauge| gauge.value)) })
        }
    };
    let unit = unit(&family.name).to_owned();
    Metric { name: family.name, description: family.help, unit, metadata: Vec::new(), data: Some(data) }
}

fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    UNITS.into_iter().find(|(end, _)| name.ends_with(end)).map_or("", |(_, unit)| unit)
}

fn number(service: &str, metric: &counted::Metric, value: f64, times: Times) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(service, metric),
        // of a gauge it says nothing, and is allowed
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        value: Some(Number::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn histogram(service: &str, metric: &counted::Metric, times: Times) -> Option<HistogramDataPoint> {
    let counted = metric.histogram.as_ref()?;
    // the last bucket has no bound, which is written as the largest number
    let bounds = counted.bucket.iter().map(|bucket| bucket.upper_bound).filter(|bound| *bound < f64::MAX);
    let explicit_bounds: Vec<_> = bounds.collect();
    let below = counted.bucket.iter().take(explicit_bounds.len()).map(|bucket| bucket.cumulative_count);
    let mut bucket_counts = Vec::with_capacity(explicit_bounds.len() + 1);
    let mut before = 0;
    for cumulative in below.chain([counted.sample_count]) {
        bucket_counts.push(cumulative.saturating_sub(before));
        before = cumulative;
    }
    Some(HistogramDataPoint {
        attributes: attributes(service, metric),
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        count: counted.sample_count,
        sum: Some(counted.sample_sum),
        bucket_counts,
        explicit_bounds,
        ..HistogramDataPoint::default()
    })
}

fn attributes(service: &str, metric: &counted::Metric) -> Vec<KeyValue> {
    let has_service = metric.label.iter().any(|label| label.name == SERVICE);
    let own = (!has_service).then_some((SERVICE, service));
    let labels = metric.label.iter().map(|label| (label.name.as_str(), label.value.as_str()));
    let attribute = |(key, value): (&str, &str)| {
        let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
        KeyValue { key: key.to_owned(), value, key_strindex: 0 }
    };
    labels.chain(own).map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::histogram::Histogram as Durations;

    use super::*;

    const TIMES: Times = Times { started: 1, now: 2 };

    fn found(metrics: &Metrics, name: &str) -> Metric {
        let all = of_service("echo", metrics, TIMES).metrics;
        all.into_iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is not sent"))
    }

    fn labels(attributes: &[KeyValue]) -> Vec<(&str, String)> {
        let text = |attribute: &KeyValue| match attribute.value.clone().and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            other => panic!("no text: {other:?}"),
        };
        attributes.iter().map(|attribute| (attribute.key.as_str(), text(attribute))).collect()
    }

    #[test]
    fn counter_is_a_monotonic_sum_since_the_start() {
        let metrics = Metrics::default();
        metrics.counter("logins", "Logins", Counter::<u64>::default()).inc_by(3);
        let metric = found(&metrics, "logins_total");
        let Some(Data::Sum(sum)) = metric.data else { panic!("{:?}", metric.data) };
        assert!(sum.is_monotonic && sum.aggregation_temporality() == AggregationTemporality::Cumulative);
        let [point] = &*sum.data_points else { panic!("{:?}", sum.data_points) };
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1, 2));
        assert_eq!(point.value, Some(Number::AsDouble(3.0)));
        assert_eq!(labels(&point.attributes), [("service", "echo".to_owned())]);
    }

    #[test]
    fn histogram_has_a_count_for_each_bucket_and_one_above_all() {
        let metrics = Metrics::default();
        let durations = metrics.histogram("wait_seconds", "Wait", Durations::new([0.5, 1.0]));
        for seconds in [0.1, 0.2, 0.7, 9.0] {
            durations.observe(seconds);
        }
        let metric = found(&metrics, "wait_seconds");
        assert_eq!((metric.unit.as_str(), metric.description.as_str()), ("s", "Wait."));
        let Some(Data::Histogram(histogram)) = metric.data else { panic!("{:?}", metric.data) };
        let [point] = &*histogram.data_points else { panic!("{:?}", histogram.data_points) };
        assert_eq!((&*point.explicit_bounds, &*point.bucket_counts), (&[0.5, 1.0][..], &[2, 1, 1][..]));
        assert_eq!((point.count, point.sum), (4, Some(10.0)));
    }

    #[test]
    fn gauge_has_its_labels_and_its_own_service() {
        let metrics = Metrics::default();
        let of = |service: &str| vec![("service", service.to_owned()), ("pool", "a".to_owned())];
        metrics.gauge_of("pool_bytes", "Pool", of("users"), || Some(1.5));
        metrics.gauge_of("nothing", "Nothing", Vec::new(), || None);
        let metric = found(&metrics, "pool_bytes");
        let Some(Data::Gauge(gauge)) = &metric.data else { panic!("{:?}", metric.data) };
        assert_eq!((gauge.data_points[0].value, metric.unit.as_str()), (Some(Number::AsDouble(1.5)), "By"));
        let wanted = [("service", "users".to_owned()), ("pool", "a".to_owned())];
        assert_eq!(labels(&gauge.data_points[0].attributes), wanted);
        let all = of_service("echo", &metrics, TIMES).metrics;
        assert!(all.iter().all(|metric| metric.name != "nothing"), "it has no value");
        assert_eq!(unit("waits_seconds_total"), "s");
    }
}
