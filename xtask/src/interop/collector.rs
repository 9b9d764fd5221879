//! The OpenTelemetry Collector: traces, metrics and the audit log arrive by OTLP.

mod series;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Session;
use super::audit_log::{AuditLog, Received, use_token};
use super::family::Family;
use super::go_program::GoProgram;
use super::processes::{Running, wait_until, write};
use super::report::{Scenarios, Trouble};
use crate::tools::Outcome;

const VERSION: &str = "v0.165.0";

pub(super) const PROGRAM: GoProgram = GoProgram {
    more: &[
        ("go.opentelemetry.io/collector/exporter/debugexporter", VERSION),
        ("go.opentelemetry.io/collector/receiver/otlpreceiver", VERSION),
        ("go.opentelemetry.io/collector/service", VERSION),
        ("go.opentelemetry.io/collector/confmap/provider/fileprovider", "v1.71.0"),
    ],
    sources: &[("main.go", include_str!("collector/main.go"))],
    ..GoProgram::new("otelcol", ("go.opentelemetry.io/collector/otelcol", VERSION), ".")
};

/// The services that a request with an app token passes, and by which protocol.
const PASSED: [(&str, &str); 4] = [("proxy", "http"), ("gateway", "grpc"), ("auth-app", "grpc"), ("users", "grpc")];
/// The statement that looks the token up.
const STATEMENT: &str = "SELECT app_tokens";

/// A scenario: what it is called, and what it shows.
type Scenario = (&'static str, fn(&Sending<'_>) -> Outcome<String>);

/// The scenarios of each protocol.
const SCENARIOS: [Scenario; 3] = [
    ("one trace from the edge to a statement of the database", trace),
    ("metrics of requests by service, and of authentications by type of credential", metrics),
    ("the audit log, line by line", audit_log),
];

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let collector = session.build(&PROGRAM)?;
    for (name, protocol) in [("gRPC", "grpc"), ("HTTP", "http/protobuf")] {
        let sending = Sending::start(session, scenarios, &collector, protocol);
        for (what, show) in SCENARIOS {
            let outcome = sending.as_ref().map_err(String::clone).and_then(show);
            scenarios.add(&format!("OTLP over {name}: {what}"), outcome);
        }
    }
    Ok(())
}

/// A family that has sent to a collector what happened with an app token: it was used, revoked, and refused.
struct Sending<'a> {
    // they end in this order
    _family: Family<'a>,
    _collector: Running<'a>,
    audit_log: AuditLog,
    token: String,
    /// What has arrived.
    traces: PathBuf,
    metrics: PathBuf,
    logs: PathBuf,
}

impl<'a> Sending<'a> {
    fn start(session: &'a Session<'a>, scenarios: &Scenarios<'_>, collector: &Path, protocol: &str) -> Outcome<Self> {
        let name = format!("otelcol-{}", protocol.replace('/', "-"));
        let [traces, metrics, logs] =
            ["traces", "metrics", "logs"].map(|signal| scenarios.log(&format!("{name}-{signal}")));
        let (grpc, http) = (session.processes.address()?, session.processes.address()?);
        let file = session.processes.scratch.join(format!("{name}.yaml"));
        let signals = [("traces", &*traces), ("metrics", &*metrics), ("logs", &*logs)];
        write(&file, &configuration(grpc, http, &signals))?;
        let mut command = Command::new(collector);
        let mut running = session.processes.start(command.arg("--config").arg(&file), &scenarios.log(&name))?;
        let log = running.log().to_owned();
        let is_ready = || fs::read_to_string(&log).is_ok_and(|text| text.contains("Everything is ready"));
        running.wait_for("the collector is ready", 60, is_ready)?;
        let mut family = Family::prepare(session, &name, scenarios)?;
        let audit_log = AuditLog::of(session, &mut family)?;
        let endpoint = if protocol == "grpc" { grpc.to_string() } else { format!("http://{http}") };
        for (name, value) in [
            ("OCIS_TRACING_ENABLED", "true"),
            ("OCIS_TRACING_ENDPOINT", endpoint.as_str()),
            ("OCIS_TRACING_PROTOCOL", protocol),
            ("OCIS_METRICS_OTLP_ENABLED", "true"),
            ("OCIS_METRICS_OTLP_INTERVAL", "2s"),
            ("OCIS_AUDIT_LOG_OTLP", "true"),
        ] {
            family.set(name, value);
        }
        family.run()?;
        let token = use_token(&family)?;
        Ok(Self { _family: family, _collector: running, audit_log, token, traces, metrics, logs })
    }

    /// What has arrived in a file. The token must not be there.
    fn read(&self, file: &Path) -> Outcome<String> {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        if text.contains(&self.token) { Err(format!("{}: contains the app token", file.display())) } else { Ok(text) }
    }
}

/// The configuration of a collector that writes each signal into a file.
fn configuration(grpc: SocketAddr, http: SocketAddr, signals: &[(&str, &Path)]) -> String {
    let (mut exporters, mut pipelines) = (String::new(), String::new());
    for (signal, file) in signals {
        // writing into a String cannot fail
        let _ = writeln!(
            exporters,
            "  debug/{signal}: {{verbosity: detailed, use_internal_logger: false, output_paths: [\"{}\"]}}",
            file.display()
        );
        let _ = writeln!(pipelines, "    {signal}: {{receivers: [otlp], exporters: [debug/{signal}]}}");
    }
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: \"{grpc}\"}}, http: {{endpoint: \"{http}\"}}}}}}}}\n\
         exporters:\n{exporters}service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n{pipelines}"
    )
}

fn trace(sending: &Sending<'_>) -> Outcome<String> {
    let mut found = None;
    wait_until("the trace", 60, || {
        found = whole(&sending.read(&sending.traces)?);
        Ok(found.is_some())
    })?;
    found.ok_or_else(|| "there is no trace".to_owned())
}

fn metrics(sending: &Sending<'_>) -> Outcome<String> {
    let mut missing = None;
    let arrived = wait_until("the metrics", 60, || {
        missing = series::missing(&sending.read(&sending.metrics)?);
        Ok(missing.is_none())
    });
    match (arrived, missing) {
        (Ok(()), _) => Ok(format!("of {}; accepted and refused app tokens", services().join(", "))),
        (Err(failure), Some(missing)) => Err(format!("{failure}: {missing}")),
        (Err(failure), None) => Err(failure),
    }
}

fn audit_log(sending: &Sending<'_>) -> Outcome<String> {
    let lines = sending.audit_log.wait_for(|| Ok(records(&sending.read(&sending.logs)?)))?;
    Ok(format!("{lines} lines, as they are in the file"))
}

fn services() -> [&'static str; PASSED.len()] {
    PASSED.map(|(service, _)| service)
}

/// A trace that has all of [`PASSED`] and [`STATEMENT`], in a few words.
fn whole(text: &str) -> Option<String> {
    let traces = spans(text);
    let mut whole = traces.values().filter(|spans| {
        let passed: BTreeSet<_> = spans.iter().map(|(service, _)| *service).collect();
        services().iter().all(|service| passed.contains(service)) && spans.contains(&("auth-app", STATEMENT))
    });
    let spans = whole.next()?;
    Some(format!("{} spans of {}, down to `{STATEMENT}`", spans.len(), services().join(", ")))
}

/// The spans by the identifier of their trace, each with service and name, from what the debug exporter prints.
fn spans(text: &str) -> BTreeMap<&str, BTreeSet<(&str, &str)>> {
    let (mut service, mut trace) = ("", "");
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("-> service.name: Str(") {
            service = name.trim_end_matches(')');
        } else if let Some(id) = line.strip_prefix("Trace ID       : ") {
            trace = id;
        } else if let Some(name) = line.strip_prefix("Name           : ") {
            found.entry(trace).or_default().insert((service, name));
        }
    }
    found
}

/// The lines of the audit log, from what the debug exporter prints.
fn records(text: &str) -> Vec<Received> {
    let (mut service, mut event) = ("", "");
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.trim_start().strip_prefix("-> service.name: Str(") {
            service = name.trim_end_matches(')');
        } else if let Some(name) = line.strip_prefix("EventName: ") {
            event = name;
        } else if let Some(body) = line.strip_prefix("Body: Str(").and_then(|rest| rest.strip_suffix(')')) {
            found.push(Received { service: service.to_owned(), event: event.to_owned(), line: body.to_owned() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(spans: &[(&str, &str, &str)]) -> String {
        let mut text = String::new();
        for (service, trace, name) in spans {
            let _ = writeln!(text, "     -> service.name: Str({service})\nSpan #0\n    Trace ID       : {trace}");
            let _ = writeln!(text, "    Name           : {name}");
        }
        text
    }

    #[test]
    fn trace_is_whole_only_with_every_service_and_the_statement() {
        let spans = [
            ("proxy", "a", "GET /*"),
            ("gateway", "a", "Authenticate"),
            ("auth-app", "a", STATEMENT),
            ("users", "a", "GetUserByClaim"),
        ];
        assert!(whole(&printed(&spans)).is_some_and(|said| said.starts_with("4 spans")));
        for missing in 0..spans.len() {
            let mut other = spans;
            other[missing].1 = "b";
            assert_eq!(whole(&printed(&other)), None, "the span {missing} is of another trace");
        }
    }

    #[test]
    fn line_of_the_audit_log_has_its_service_and_event() {
        let text = "ResourceLog #0\nResource attributes:\n     -> service.name: Str(gateway)\nLogRecord #0\n\
                    EventName: authenticate\nBody: Str({\"reason\":\"(none)\"})\nAttributes:\n     -> event: Str(authenticate)\n";
        let records = records(text);
        let [Received { service, event, line }] = &records[..] else { panic!("{} records", records.len()) };
        assert_eq!((&**service, &**event, &**line), ("gateway", "authenticate", r#"{"reason":"(none)"}"#));
    }
}
