//! Where spans, metrics and the audit log are sent by OTLP, and which of them.

mod collector;
mod headers;

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Invalid, Secret, Section};
pub use collector::{Collector, OtlpProtocol, Signal};

/// How often metrics are sent unless another interval is set.
const METRICS_INTERVAL: Duration = Duration::from_mins(1);
/// Metrics that are sent more often cost more than they tell.
const LEAST_METRICS_INTERVAL: Duration = Duration::from_secs(1);

/// `tracing`: where spans are sent; metrics and the audit log too, if they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Tracing {
    /// Activates tracing.
    #[schemars(extend("x-env" = ["OCIS_TRACING_ENABLED", "<P>_TRACING_ENABLED"]))]
    pub enabled: bool,
    /// The type of tracing. Defaults to '', which is the same as 'jaeger'. Allowed tracing types are 'jaeger' and '' as
    /// of now.
    #[serde(rename = "type")]
    #[schemars(extend("x-env" = ["OCIS_TRACING_TYPE", "<P>_TRACING_TYPE"], "enum" = ["", "jaeger", "otlp"]))]
    pub kind: String,
    /// The endpoint of the tracing agent.
    #[schemars(extend("x-env" = ["OCIS_TRACING_ENDPOINT", "<P>_TRACING_ENDPOINT"]))]
    pub endpoint: String,
    /// The HTTP endpoint for sending spans directly to a collector, i.e. <http://jaeger-collector:14268/api/traces>.
    /// Only used if the tracing endpoint is unset.
    #[schemars(extend("x-env" = ["OCIS_TRACING_COLLECTOR", "<P>_TRACING_COLLECTOR"]))]
    pub collector: String,
    /// The URL of an OTLP collector for traces alone, as it is. Only used if neither a tracing endpoint nor a collector is
    /// set.
    #[schemars(extend("x-env" = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]))]
    pub otlp_traces_endpoint: String,
    /// The URL of an OTLP collector; over HTTP, /v1/traces is appended. Only used if no other endpoint is set.
    #[schemars(extend("x-env" = ["OTEL_EXPORTER_OTLP_ENDPOINT"]))]
    pub otlp_endpoint: String,
    /// The protocol of the collector: 'grpc' or 'http/protobuf'. Defaults to '': HTTP for port 4318 and for a path that
    /// ends in /v1/traces, gRPC for everything else.
    #[schemars(extend("x-env" = ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OCIS_TRACING_PROTOCOL", "<P>_TRACING_PROTOCOL"]))]
    #[schemars(extend("enum" = ["", "grpc", "http/protobuf"]))]
    pub protocol: String,
    /// Path/File name for the root CA certificate (in PEM format) used to validate the certificate of an https collector.
    /// If empty, the authorities of the system are used.
    #[schemars(extend("x-env" = ["OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OCIS_TRACING_CACERT", "<P>_TRACING_CACERT"]))]
    pub cacert: Option<PathBuf>,
    /// Headers that are sent with spans, for instance of authorization: pairs like 'name=value', separated by commas,
    /// values percent-encoded.
    #[schemars(extend("x-env" = ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OCIS_TRACING_HEADERS", "<P>_TRACING_HEADERS"]))]
    pub headers: Secret,
    /// The name of the service in traces. Defaults to the name of the binary.
    #[schemars(extend("x-env" = ["OTEL_SERVICE_NAME"]))]
    pub service_name: String,
    /// Attributes of all spans: pairs like 'deployment.environment.name=production', separated by commas, values
    /// percent-encoded.
    #[schemars(extend("x-env" = ["OTEL_RESOURCE_ATTRIBUTES"]))]
    pub resource_attributes: String,
    /// Which traces are recorded. Those with 'parentbased' follow the decision of the caller where there is one. Defaults
    /// to '', which is the same as '`parentbased_always_on`'.
    #[schemars(extend("x-env" = ["OTEL_TRACES_SAMPLER"]))]
    #[schemars(extend("enum" = ["", "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"]))]
    pub sampler: String,
    /// The share of traces that the samplers with 'traceidratio' record, from 0 to 1. Defaults to '', which is 1.
    #[schemars(extend("x-env" = ["OTEL_TRACES_SAMPLER_ARG"]))]
    pub sampler_arg: String,
    /// Sends metrics by OTLP, to the collector of spans unless another endpoint is set. Prometheus can read them as well.
    #[schemars(extend("x-env" = ["OCIS_METRICS_OTLP_ENABLED", "<P>_METRICS_OTLP_ENABLED"]))]
    pub metrics: bool,
    /// The exporters of metrics, separated by commas: 'otlp' sends metrics as `OCIS_METRICS_OTLP_ENABLED` does. Prometheus can
    /// read them whatever is set.
    #[schemars(extend("x-env" = ["OTEL_METRICS_EXPORTER"]))]
    pub metrics_exporter: String,
    /// The URL of an OTLP collector for metrics alone, as it is.
    #[schemars(extend("x-env" = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OCIS_METRICS_OTLP_ENDPOINT", "<P>_METRICS_OTLP_ENDPOINT"]))]
    pub otlp_metrics_endpoint: String,
    /// How often metrics are sent. Defaults to 0s: as often as `OTEL_METRIC_EXPORT_INTERVAL` says.
    #[schemars(extend("x-env" = ["OCIS_METRICS_OTLP_INTERVAL", "<P>_METRICS_OTLP_INTERVAL"]))]
    pub metrics_interval: Duration,
    /// How often metrics are sent, in milliseconds. Defaults to 0, which is 60000.
    #[schemars(extend("x-env" = ["OTEL_METRIC_EXPORT_INTERVAL"]))]
    pub metric_export_interval: u64,
    /// Sends the lines of the audit log by OTLP too, as logs, to the collector of spans unless another endpoint is set.
    #[schemars(extend("x-env" = ["OCIS_AUDIT_LOG_OTLP", "<P>_AUDIT_LOG_OTLP"]))]
    pub audit_log: bool,
    /// The URL of an OTLP collector for logs alone, as it is. Of logs only the audit log is sent.
    #[schemars(extend("x-env" = ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OCIS_AUDIT_LOG_OTLP_ENDPOINT", "<P>_AUDIT_LOG_OTLP_ENDPOINT"]))]
    pub otlp_logs_endpoint: String,
}

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Whether the decision of the caller counts, where there is one.
    pub is_parent_based: bool,
    /// The share of the other traces, from 0 to 1.
    pub ratio: f64,
}

impl Tracing {
    /// The collector that a signal is sent to; `None` where an address of Jaeger's older protocols is configured, which are not
    /// spoken.
    ///
    /// # Errors
    /// Names the setting that holds no address.
    pub fn collector(&self, signal: Signal) -> Result<Option<Collector>, Invalid> {
        collector::of(self, signal)
    }

    /// Whether this signal is sent.
    pub fn is_sent(&self, signal: Signal) -> bool {
        match signal {
            Signal::Traces => self.enabled,
            Signal::Metrics => self.metrics || self.metrics_exporter.split(',').any(|name| name.trim() == "otlp"),
            Signal::Logs => self.audit_log,
        }
    }

    /// How often metrics are sent.
    pub fn interval_of_metrics(&self) -> Duration {
        match (self.metrics_interval, self.metric_export_interval) {
            (Duration::ZERO, 0) => METRICS_INTERVAL,
            (Duration::ZERO, milliseconds) => Duration::from_millis(milliseconds),
            (interval, _) => interval,
        }
    }

    fn sent(&self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(|signal| self.is_sent(*signal))
    }

    /// The headers that are sent with spans, marked as sensitive.
    ///
    /// # Errors
    /// When they are not pairs of a name and a value; says nothing of the values.
    pub fn header_map(&self) -> Result<HeaderMap, Invalid> {
        headers::parse(self.headers.expose()).map_err(|problem| Invalid::new("headers", problem))
    }

    /// The names and values of the attributes of all spans.
    ///
    /// # Errors
    /// When they are not pairs of a name and a value.
    pub fn attributes(&self) -> Result<Vec<(String, String)>, Invalid> {
        headers::pairs(&self.resource_attributes).map_err(|problem| Invalid::new("resource_attributes", problem))
    }

    /// Which traces are recorded.
    ///
    /// # Errors
    /// When the share is not between 0 and 1.
    pub fn sampling(&self) -> Result<Sampling, Invalid> {
        let (is_parent_based, name) = match self.sampler.strip_prefix("parentbased_") {
            Some(name) => (true, name),
            None => (self.sampler.is_empty(), &*self.sampler),
        };
        let ratio = match name {
            "always_off" => 0.0,
            "traceidratio" if !self.sampler_arg.is_empty() => self.ratio()?,
            _ => 1.0,
        };
        Ok(Sampling { is_parent_based, ratio })
    }

    fn ratio(&self) -> Result<f64, Invalid> {
        let ratio = self.sampler_arg.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| Invalid::new("sampler_arg", "must be a number from 0 to 1, like 0.05"))
    }
}

impl Section for Tracing {
    fn validate(&self) -> Result<(), Invalid> {
        if self.sent().next().is_none() {
            return Ok(());
        }
        self.sent().try_for_each(|signal| self.collector(signal).map(drop))?;
        self.header_map()?;
        self.attributes()?;
        let is_often = self.is_sent(Signal::Metrics) && self.interval_of_metrics() < LEAST_METRICS_INTERVAL;
        let key = if self.metrics_interval.is_zero() { "metric_export_interval" } else { "metrics_interval" };
        Invalid::unless(!is_often, key, "must be at least a second")?;
        if self.enabled { self.sampling().map(drop) } else { Ok(()) }
    }

    fn warnings(&self) -> Vec<String> {
        self.sent().filter_map(|signal| collector::warning(self, signal)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampler_decides_for_traces_without_a_decision_of_the_caller() {
        let sampling = |sampler: &str, argument: &str| {
            Tracing { sampler: sampler.into(), sampler_arg: argument.into(), ..Tracing::default() }.sampling()
        };
        for (sampler, argument, is_parent_based, ratio) in [
            ("", "", true, 1.0),
            ("always_on", "0.5", false, 1.0),
            ("always_off", "", false, 0.0),
            ("traceidratio", "0.25", false, 0.25),
            ("traceidratio", "", false, 1.0),
            ("parentbased_always_off", "", true, 0.0),
            ("parentbased_traceidratio", " 0 ", true, 0.0),
        ] {
            assert_eq!(sampling(sampler, argument), Ok(Sampling { is_parent_based, ratio }), "{sampler} {argument}");
        }
        for argument in ["half", "-1", "1.1", "NaN"] {
            sampling("traceidratio", argument).expect_err(argument);
        }
    }

    #[test]
    fn settings_of_disabled_tracing_are_not_judged() {
        let wrong = Tracing { endpoint: "a b".into(), sampler_arg: "x".into(), ..Tracing::default() };
        wrong.validate().expect("is off");
        Tracing { enabled: true, ..wrong.clone() }.validate().expect_err("is no address");
        Tracing { audit_log: true, ..wrong }.validate().expect_err("is no address of logs either");
    }

    #[test]
    fn metrics_are_sent_if_either_variable_says_so() {
        let sent = |tracing: Tracing| tracing.is_sent(Signal::Metrics);
        let exporter = |names: &str| Tracing { metrics_exporter: names.into(), ..Tracing::default() };
        assert!(sent(Tracing { metrics: true, ..Tracing::default() }));
        assert!(sent(exporter("otlp")) && sent(exporter("prometheus, otlp")));
        assert!(!sent(exporter("none")) && !sent(exporter("prometheus")) && !sent(Tracing::default()));
    }

    #[test]
    fn interval_of_ocis_goes_before_that_of_opentelemetry() {
        let interval = |metrics_interval, metric_export_interval| {
            let tracing = Tracing { metrics: true, metrics_interval, metric_export_interval, ..Tracing::default() };
            tracing.validate().map(|()| tracing.interval_of_metrics())
        };
        assert_eq!(interval(Duration::ZERO, 0), Ok(Duration::from_mins(1)));
        assert_eq!(interval(Duration::ZERO, 5000), Ok(Duration::from_secs(5)));
        assert_eq!(interval(Duration::from_secs(7), 5000), Ok(Duration::from_secs(7)));
        assert_eq!(interval(Duration::ZERO, 1).expect_err("too often").key, "metric_export_interval");
    }
}
