//! Which collector the settings mean, and which of the OTLP protocols it speaks.

use http::Uri;
use http::uri::{Authority, PathAndQuery};

use super::Tracing;
use crate::Invalid;

const GRPC_PORT: u16 = 4317;
const HTTP_PORT: u16 = 4318;
/// Ports of Jaeger where Thrift is spoken: by its agent over UDP, and by its collector.
const JAEGER_PORTS: [u16; 3] = [6831, 6832, 14268];
/// The path of Jaeger's collector for Thrift over HTTP.
const JAEGER_PATH: &str = "/api/traces";

/// What is sent to a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// The lines of the audit log.
    Logs,
}

/// A collector of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Its scheme, host and port; over HTTP with the path that is posted to.
    pub url: Uri,
    /// What it speaks.
    pub protocol: OtlpProtocol,
}

/// A protocol of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

/// A setting that holds an address.
#[derive(Clone, Copy)]
struct Given<'a> {
    key: &'static str,
    text: &'a str,
    /// What over HTTP is done with a path.
    path: PathRule,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PathRule {
    /// It is complete, unless there is none.
    CompleteIfAny,
    /// It is complete.
    Complete,
    /// It is that of a collector of all signals, or of its traces.
    Base,
}

impl Signal {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The path that it is posted to.
    const fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// What an operator calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metrics",
            Self::Logs => "lines of the audit log",
        }
    }
}

pub(super) fn of(tracing: &Tracing, signal: Signal) -> Result<Option<Collector>, Invalid> {
    let given = given(tracing, signal);
    let url = parse(given.text).map_err(|problem| Invalid::new(given.key, problem))?;
    if is_jaeger(tracing, &url) {
        return Ok(None);
    }
    let protocol = protocol(tracing, &url);
    let path = match protocol {
        OtlpProtocol::Grpc => String::new(),
        OtlpProtocol::Http => path(&url, given.path, signal),
    };
    let [scheme, authority] = [url.scheme_str(), url.authority().map(Authority::as_str)];
    let complete = format!("{}://{}{path}", scheme.unwrap_or("http"), authority.unwrap_or_default()).parse::<Uri>();
    let url = complete.map_err(|_| Invalid::new(given.key, FORM))?;
    Ok(Some(Collector { url, protocol }))
}

/// What to say of an address of Jaeger's older protocols.
pub(super) fn warning(tracing: &Tracing, signal: Signal) -> Option<String> {
    let given = given(tracing, signal);
    let url = parse(given.text).ok().filter(|url| is_jaeger(tracing, url))?;
    let variable = match given.key {
        "endpoint" => "OCIS_TRACING_ENDPOINT",
        "collector" => "OCIS_TRACING_COLLECTOR",
        "otlp_traces_endpoint" => "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "otlp_metrics_endpoint" => "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "otlp_logs_endpoint" => "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        _ => "OTEL_EXPORTER_OTLP_ENDPOINT",
    };
    let (scheme, host) = (url.scheme_str().unwrap_or("http"), url.host().unwrap_or_default());
    Some(format!(
        "{variable} is {:?}, where Jaeger's Thrift is spoken and OTLP is not: no {} are sent; set it to \
         {scheme}://{host}:{GRPC_PORT} (OTLP over gRPC) or {scheme}://{host}:{HTTP_PORT} (OTLP over HTTP)",
        given.text,
        signal.name()
    ))
}

const FORM: &str = "must be host:port, or a URL like http://host:4317";

/// The address in force: what oCIS has goes before what OpenTelemetry has. Metrics and logs go where spans do, unless they have an
/// address of their own.
fn given(tracing: &Tracing, signal: Signal) -> Given<'_> {
    use PathRule::{Base, Complete, CompleteIfAny};
    let Tracing { endpoint, collector, otlp_traces_endpoint, otlp_endpoint, .. } = tracing;
    let of_traces = [
        ("endpoint", endpoint, CompleteIfAny),
        ("collector", collector, CompleteIfAny),
        ("otlp_traces_endpoint", otlp_traces_endpoint, Complete),
        ("otlp_endpoint", otlp_endpoint, Base),
    ];
    let of_others = |own| {
        [own, ("endpoint", endpoint, Base), ("collector", collector, Base), ("otlp_endpoint", otlp_endpoint, Base)]
    };
    let settings = match signal {
        Signal::Traces => of_traces,
        Signal::Metrics => of_others(("otlp_metrics_endpoint", &tracing.otlp_metrics_endpoint, CompleteIfAny)),
        Signal::Logs => of_others(("otlp_logs_endpoint", &tracing.otlp_logs_endpoint, CompleteIfAny)),
    };
    let set = settings.into_iter().find(|(_, text, _)| !text.is_empty());
    let default = if tracing.protocol == "http/protobuf" { "http://127.0.0.1:4318" } else { "http://127.0.0.1:4317" };
    let (key, text, path) =
        set.map_or(("otlp_endpoint", default, PathRule::Base), |(key, text, path)| (key, text.as_str(), path));
    Given { key, text, path }
}

fn parse(text: &str) -> Result<Uri, &'static str> {
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    let url = if is_url { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = url.parse().map_err(|_| FORM)?;
    let authority = uri.authority().ok_or(FORM)?;
    if authority.as_str().contains('@') {
        return Err("must hold no user and no password; set OTEL_EXPORTER_OTLP_HEADERS instead");
    }
    if authority.host().is_empty() || (!is_url && uri.port().is_none()) {
        return Err(FORM);
    }
    Ok(uri)
}

/// Whether Thrift is spoken there. A configured protocol says that it is not.
fn is_jaeger(tracing: &Tracing, url: &Uri) -> bool {
    let has_port = url.port_u16().is_some_and(|port| JAEGER_PORTS.contains(&port));
    tracing.protocol.is_empty() && (has_port || url.path().trim_end_matches('/') == JAEGER_PATH)
}

fn protocol(tracing: &Tracing, url: &Uri) -> OtlpProtocol {
    match tracing.protocol.as_str() {
        "grpc" => OtlpProtocol::Grpc,
        "http/protobuf" => OtlpProtocol::Http,
        _ if url.port_u16() == Some(HTTP_PORT) || has_path_of_otlp(url) => OtlpProtocol::Http,
        _ => OtlpProtocol::Grpc,
    }
}

fn has_path_of_otlp(url: &Uri) -> bool {
    Signal::ALL.into_iter().any(|signal| url.path().ends_with(signal.path()))
}

fn path(url: &Uri, rule: PathRule, signal: Signal) -> String {
    let is_complete = match rule {
        PathRule::Complete => true,
        PathRule::CompleteIfAny => url.path() != "/",
        PathRule::Base => url.path().ends_with(signal.path()),
    };
    if is_complete {
        return url.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    }
    // the address of spans may be complete, and the path of another signal stands where theirs does
    let path = url.path().trim_end_matches('/');
    format!("{}{}", path.strip_suffix(Signal::Traces.path()).unwrap_or(path), signal.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Section;

    const DEFAULT: (&str, OtlpProtocol) = ("http://127.0.0.1:4317/", OtlpProtocol::Grpc);

    fn found(tracing: &Tracing) -> Option<(String, OtlpProtocol)> {
        let collector = tracing.collector(Signal::Traces).expect("an address")?;
        Some((collector.url.to_string(), collector.protocol))
    }

    fn set(set: impl FnOnce(&mut Tracing)) -> Tracing {
        let mut tracing = Tracing { enabled: true, ..Tracing::default() };
        set(&mut tracing);
        tracing
    }

    #[test]
    fn address_of_ocis_goes_before_that_of_opentelemetry() {
        let mut tracing = set(|tracing| tracing.otlp_endpoint = "https://all:4317".into());
        assert_eq!(found(&Tracing::default()), Some((DEFAULT.0.into(), DEFAULT.1)));
        assert_eq!(found(&tracing), Some(("https://all:4317/".into(), OtlpProtocol::Grpc)));
        tracing.otlp_traces_endpoint = "http://traces:4317".into();
        assert_eq!(found(&tracing), Some(("http://traces:4317/".into(), OtlpProtocol::Grpc)));
        tracing.collector = "http://collector:4318".into();
        assert_eq!(found(&tracing), Some(("http://collector:4318/v1/traces".into(), OtlpProtocol::Http)));
        tracing.endpoint = "agent:4317".into();
        assert_eq!(found(&tracing), Some(("http://agent:4317/".into(), OtlpProtocol::Grpc)));
        tracing.protocol = "http/protobuf".into();
        assert_eq!(found(&tracing), Some(("http://agent:4317/v1/traces".into(), OtlpProtocol::Http)));
    }

    #[test]
    fn paths_are_those_that_opentelemetry_prescribes() {
        let http = |tracing: Tracing| found(&Tracing { protocol: "http/protobuf".into(), ..tracing }).expect("OTLP").0;
        assert_eq!(http(Tracing::default()), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(http(set(|it| it.otlp_endpoint = "https://a/otlp/".into())), "https://a/otlp/v1/traces");
        assert_eq!(http(set(|it| it.otlp_endpoint = "http://a:1/v1/traces".into())), "http://a:1/v1/traces");
        assert_eq!(http(set(|it| it.otlp_traces_endpoint = "http://a:1".into())), "http://a:1/");
        assert_eq!(http(set(|it| it.collector = "http://a:1/in?x=1".into())), "http://a:1/in?x=1");
        assert_eq!(http(set(|it| it.collector = "http://a:1/api/traces".into())), "http://a:1/api/traces");
    }

    #[test]
    fn address_of_jaegers_thrift_is_not_used_and_otlp_is_named() {
        for (endpoint, collector, named) in [
            ("", "http://jaeger:14268/api/traces", "OCIS_TRACING_COLLECTOR"),
            ("", "https://jaeger/api/traces/", "OCIS_TRACING_COLLECTOR"),
            ("jaeger:6831", "", "OCIS_TRACING_ENDPOINT"),
        ] {
            let tracing = set(|tracing| {
                tracing.endpoint = endpoint.into();
                tracing.collector = collector.into();
            });
            assert_eq!(found(&tracing), None, "{endpoint}{collector}");
            tracing.validate().expect("the service starts nevertheless");
            let warnings = tracing.warnings();
            let [warning] = &*warnings else { panic!("{warnings:?}") };
            assert!(warning.starts_with(named) && warning.contains("//jaeger:4317"), "{warning}");
            assert!(Tracing { enabled: false, ..tracing }.warnings().is_empty());
        }
        assert!(set(|tracing| tracing.endpoint = "jaeger:4317".into()).warnings().is_empty());
    }

    #[test]
    fn metrics_and_logs_go_where_spans_do_or_to_an_address_of_their_own() {
        let url =
            |tracing: &Tracing, signal| tracing.collector(signal).expect("an address").expect("OTLP").url.to_string();
        let both = |tracing: &Tracing| [Signal::Metrics, Signal::Logs].map(|signal| url(tracing, signal));
        assert_eq!(both(&Tracing::default()), [DEFAULT.0, DEFAULT.0]);
        for (endpoint, base) in [
            ("http://a:4318", "http://a:4318"),
            ("https://a/v1/traces", "https://a"),
            ("http://a:4318/b/", "http://a:4318/b"),
        ] {
            let found = both(&set(|tracing| tracing.endpoint = endpoint.into()));
            assert_eq!(found, [format!("{base}/v1/metrics"), format!("{base}/v1/logs")], "{endpoint}");
        }
        let own = Tracing {
            otlp_metrics_endpoint: "http://m:4318".into(),
            otlp_logs_endpoint: "http://l/v1/logs?x=1".into(),
            otlp_traces_endpoint: "http://t:4317".into(),
            otlp_endpoint: "http://b:4317".into(),
            ..Tracing::default()
        };
        assert_eq!(both(&own), ["http://m:4318/v1/metrics", "http://l/v1/logs?x=1"]);
        assert_eq!(url(&own, Signal::Traces), "http://t:4317/");
        let base = Tracing { otlp_metrics_endpoint: String::new(), otlp_logs_endpoint: String::new(), ..own };
        assert_eq!(both(&base), ["http://b:4317/"; 2], "not where spans alone go");
    }

    #[test]
    fn warning_about_jaeger_names_what_is_not_sent() {
        let jaeger = Tracing { collector: "http://jaeger:14268/api/traces".into(), ..Tracing::default() };
        let warnings = Tracing { metrics: true, audit_log: true, ..jaeger }.warnings();
        let [metrics, logs] = &*warnings else { panic!("{warnings:?}") };
        assert!(metrics.contains("no metrics are sent"), "{metrics}");
        assert!(logs.contains("no lines of the audit log are sent") && logs.contains("http://jaeger:4317"), "{logs}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["a b", "otel", "http://", "https://user:secret@otel:4317", "grpc://otel:4317"] {
            let problem = set(|tracing| tracing.endpoint = wrong.into()).validate().expect_err(wrong);
            assert!(problem.key == "endpoint" && !problem.problem.contains("secret"), "{problem:?}");
        }
    }
}
