//! Which collector the settings mean, and which of the OTLP protocols it speaks.

use http::Uri;
use http::uri::{Authority, PathAndQuery};

use super::Tracing;
use crate::Invalid;

const GRPC_PORT: u16 = 4317;
const HTTP_PORT: u16 = 4318;
const HTTP_PATH: &str = "/v1/traces";
/// Ports of Jaeger where Thrift is spoken: by its agent over UDP, and by its collector.
const JAEGER_PORTS: [u16; 3] = [6831, 6832, 14268];
/// The path of Jaeger's collector for Thrift over HTTP.
const JAEGER_PATH: &str = "/api/traces";

/// A collector of spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Its scheme, host and port; over HTTP with the path that spans are posted to.
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
    /// It is that of a collector of all signals.
    Base,
}

pub(super) fn of(tracing: &Tracing) -> Result<Option<Collector>, Invalid> {
    let given = given(tracing);
    let url = parse(given.text).map_err(|problem| Invalid::new(given.key, problem))?;
    if is_jaeger(tracing, &url) {
        return Ok(None);
    }
    let protocol = protocol(tracing, &url);
    let path = match protocol {
        OtlpProtocol::Grpc => String::new(),
        OtlpProtocol::Http => path(&url, given.path),
    };
    let [scheme, authority] = [url.scheme_str(), url.authority().map(Authority::as_str)];
    let complete = format!("{}://{}{path}", scheme.unwrap_or("http"), authority.unwrap_or_default()).parse::<Uri>();
    let url = complete.map_err(|_| Invalid::new(given.key, FORM))?;
    Ok(Some(Collector { url, protocol }))
}

/// What to say of an address of Jaeger's older protocols.
pub(super) fn warning(tracing: &Tracing) -> Option<String> {
    let given = given(tracing);
    let url = parse(given.text).ok().filter(|url| is_jaeger(tracing, url))?;
    let variable = match given.key {
        "endpoint" => "OCIS_TRACING_ENDPOINT",
        "collector" => "OCIS_TRACING_COLLECTOR",
        "otlp_traces_endpoint" => "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        _ => "OTEL_EXPORTER_OTLP_ENDPOINT",
    };
    let (scheme, host) = (url.scheme_str().unwrap_or("http"), url.host().unwrap_or_default());
    Some(format!(
        "{variable} is {:?}, where Jaeger's Thrift is spoken and OTLP is not: no spans are sent; set it to \
         {scheme}://{host}:{GRPC_PORT} (OTLP over gRPC) or {scheme}://{host}:{HTTP_PORT} (OTLP over HTTP)",
        given.text
    ))
}

const FORM: &str = "must be host:port, or a URL like http://host:4317";

/// The address in force: what oCIS has goes before what OpenTelemetry has.
fn given(tracing: &Tracing) -> Given<'_> {
    let Tracing { endpoint, collector, otlp_traces_endpoint, otlp_endpoint, .. } = tracing;
    let settings = [
        ("endpoint", endpoint, PathRule::CompleteIfAny),
        ("collector", collector, PathRule::CompleteIfAny),
        ("otlp_traces_endpoint", otlp_traces_endpoint, PathRule::Complete),
        ("otlp_endpoint", otlp_endpoint, PathRule::Base),
    ];
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
        _ if url.port_u16() == Some(HTTP_PORT) || url.path().ends_with(HTTP_PATH) => OtlpProtocol::Http,
        _ => OtlpProtocol::Grpc,
    }
}

fn path(url: &Uri, rule: PathRule) -> String {
    let is_complete = match rule {
        PathRule::Complete => true,
        PathRule::CompleteIfAny => url.path() != "/",
        PathRule::Base => url.path().ends_with(HTTP_PATH),
    };
    if is_complete {
        return url.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    }
    format!("{}{HTTP_PATH}", url.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Section;

    const DEFAULT: (&str, OtlpProtocol) = ("http://127.0.0.1:4317/", OtlpProtocol::Grpc);

    fn found(tracing: &Tracing) -> Option<(String, OtlpProtocol)> {
        let collector = tracing.collector().expect("an address")?;
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
    fn what_is_no_address_is_refused() {
        for wrong in ["a b", "otel", "http://", "https://user:secret@otel:4317", "grpc://otel:4317"] {
            let problem = set(|tracing| tracing.endpoint = wrong.into()).validate().expect_err(wrong);
            assert!(problem.key == "endpoint" && !problem.problem.contains("secret"), "{problem:?}");
        }
    }
}
