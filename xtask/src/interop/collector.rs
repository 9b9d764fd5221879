//! The OpenTelemetry Collector: one trace from the edge to a statement of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use super::Session;
use super::family::{Family, USER};
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

/// The services that a request with an app token passes.
const PASSED: [&str; 4] = ["proxy", "gateway", "auth-app", "users"];
/// The statement that looks the token up.
const STATEMENT: &str = "SELECT app_tokens";

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let collector = session.build(&PROGRAM)?;
    for (name, protocol) in [("gRPC", "grpc"), ("HTTP", "http/protobuf")] {
        let scenario = format!("OTLP over {name}: one trace from the edge to a statement of the database");
        let outcome = trace(session, scenarios, &collector, protocol);
        scenarios.add(&scenario, outcome);
    }
    Ok(())
}

fn trace(session: &Session<'_>, scenarios: &Scenarios<'_>, collector: &Path, protocol: &str) -> Outcome<String> {
    let name = format!("otelcol-{}", protocol.replace('/', "-"));
    let (grpc, http) = (session.processes.address()?, session.processes.address()?);
    let file = session.processes.scratch.join(format!("{name}.yaml"));
    write(
        &file,
        &format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: \"{grpc}\"}}, http: {{endpoint: \"{http}\"}}}}}}}}\n\
         exporters: {{debug: {{verbosity: detailed, use_internal_logger: false}}}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}\n"
        ),
    )?;
    let mut command = Command::new(collector);
    let mut running = session.processes.start(command.arg("--config").arg(&file), &scenarios.log(&name))?;
    let is_ready = |running: &Running<'_>| read(running).is_ok_and(|text| text.contains("Everything is ready"));
    wait_until("the collector", 60, || Ok(is_ready(&running)))?;
    let mut family = Family::prepare(session, &name, scenarios)?;
    family.set("OCIS_TRACING_ENABLED", "true");
    family.set("OCIS_TRACING_ENDPOINT", if protocol == "grpc" { grpc.to_string() } else { format!("http://{http}") });
    family.set("OCIS_TRACING_PROTOCOL", protocol);
    family.run()?;
    let create = ["auth-app", "create", "--user-name", USER, "--quiet", "--scope", "user", "--scope", "tokens:read"];
    let token = family.doorward(&create, "")?;
    let (status, body) = family.request("/auth-app/tokens", &["--user", &format!("{USER}:{token}")])?;
    if status != 200 {
        return Err(format!("the edge answers {status}: {body}"));
    }
    let log = running.log().to_owned();
    let mut found = None;
    running.wait_for("the trace", 60, || {
        found = fs::read_to_string(&log).ok().and_then(|text| whole(&text));
        found.is_some()
    })?;
    if read(&running)?.contains(&token) {
        return Err("a span contains the app token".to_owned());
    }
    found.ok_or_else(|| "there is no trace".to_owned())
}

fn read(running: &Running<'_>) -> Outcome<String> {
    fs::read_to_string(running.log()).map_err(|error| format!("{}: {error}", running.log().display()))
}

/// A trace that has all of [`PASSED`] and [`STATEMENT`], in a few words.
fn whole(text: &str) -> Option<String> {
    let traces = spans(text);
    let mut whole = traces.values().filter(|spans| {
        let services: BTreeSet<_> = spans.iter().map(|(service, _)| *service).collect();
        PASSED.iter().all(|service| services.contains(service)) && spans.contains(&("auth-app", STATEMENT))
    });
    let spans = whole.next()?;
    Some(format!("{} spans of {}, down to `{STATEMENT}`", spans.len(), PASSED.join(", ")))
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

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
}
