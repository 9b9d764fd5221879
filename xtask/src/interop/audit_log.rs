//! The audit log of a family: other programs have to receive its lines as they are in the file.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::Session;
use super::family::{Family, USER};
use super::processes::wait_until;
use crate::tools::Outcome;

/// What describes the lines.
const SCHEMA: &str = "docs/audit-log.schema.json";
/// What [`use_token`] leaves in the audit log: the event, its outcome, and the service that has written it.
const EVENTS: [(&str, &str, &str); 3] = [
    ("app_token_create", "done", "auth-app"),
    ("app_token_revoke", "done", "auth-app"),
    ("authenticate", "refused", "gateway"),
];

/// The audit log of all services of a family.
pub(super) struct AuditLog {
    file: PathBuf,
    schema: Value,
}

/// A line as another program has received it.
pub(super) struct Received {
    /// The service that has sent it.
    pub(super) service: String,
    /// The event, as the program knows it without reading the line.
    pub(super) event: String,
    pub(super) line: String,
}

/// A line of the file.
struct Written {
    text: String,
    event: String,
    outcome: String,
}

impl AuditLog {
    /// Has the family, which does not run yet, write its audit log into a file.
    pub(super) fn of(session: &Session<'_>, family: &mut Family<'_>) -> Outcome<Self> {
        let file = family.file("audit.log", "")?;
        family.set("OCIS_AUDIT_LOG_FILE", file.display());
        let schema = fs::read(session.workspace.root.join(SCHEMA)).map_err(|error| format!("{SCHEMA}: {error}"))?;
        let schema = serde_json::from_slice(&schema).map_err(|error| format!("{SCHEMA}: {error}"))?;
        Ok(Self { file, schema })
    }

    /// Waits until the other program has received every line; how many there are. It fails at a received line that is not in the file,
    /// and at one that does not fit the schema.
    pub(super) fn wait_for(&self, receive: impl Fn() -> Outcome<Vec<Received>>) -> Outcome<usize> {
        let (mut lost, mut count) = (None, 0);
        let arrived = wait_until("the audit log", 60, || {
            // in this order: what is received later is no line too many
            let received = receive()?;
            let written = self.written()?;
            if let Some(unknown) = received.iter().find(|other| written.iter().all(|line| line.text != other.line)) {
                return Err(format!("the audit log has no line {}", unknown.line));
            }
            (lost, count) = (missing(&written, &received), written.len());
            Ok(lost.is_none())
        });
        match (arrived, lost) {
            (Ok(()), _) => Ok(count),
            (Err(failure), Some(lost)) => Err(format!("{failure}: {lost}")),
            (Err(failure), None) => Err(failure),
        }
    }

    fn written(&self) -> Outcome<Vec<Written>> {
        let text = fs::read_to_string(&self.file).map_err(|error| format!("{}: {error}", self.file.display()))?;
        text.lines().map(|line| self.parse(line)).collect()
    }

    fn parse(&self, line: &str) -> Outcome<Written> {
        let fields: Map<String, Value> = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        if let Some(problem) = problem(&self.schema, &fields) {
            return Err(format!("{problem} does not fit {SCHEMA}: {line}"));
        }
        let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Written { text: line.to_owned(), event: text("event"), outcome: text("outcome") })
    }
}

/// Makes an app token, uses it and revokes it, and uses it until it is refused; returns it.
pub(super) fn use_token(family: &Family<'_>) -> Outcome<String> {
    let create = ["auth-app", "create", "--user-name", USER, "--quiet", "--scope", "user", "--scope", "tokens:read"];
    let token = family.doorward(&create, "")?;
    let login = format!("{USER}:{token}");
    let request = || family.request("/auth-app/tokens", &["--user", &login]);
    let (status, body) = request()?;
    if status != 200 {
        return Err(format!("the edge answers {status}: {body}"));
    }
    family.doorward(&["auth-app", "revoke", "--token-stdin", "--yes"], &token)?;
    wait_until("the revocation has an effect", 10, || Ok(request()?.0 == 401))?;
    Ok(token)
}

/// The first line or event that was not received.
fn missing(written: &[Written], received: &[Received]) -> Option<String> {
    let is_same = |line: &Written, other: &Received| other.line == line.text && other.event == line.event;
    let lost = written.iter().find(|line| !received.iter().any(|other| is_same(line, other)));
    lost.map(|line| line.text.clone()).or_else(|| {
        let absent = EVENTS.into_iter().find(|(event, outcome, service)| {
            let mut lines = written.iter().filter(|line| line.event == *event && line.outcome == *outcome);
            !lines.any(|line| received.iter().any(|other| is_same(line, other) && other.service == *service))
        });
        absent.map(|(event, outcome, service)| format!("{event} ({outcome}) of {service}"))
    })
}

/// The first field that the schema requires, or describes in another way, or does not describe.
fn problem<'a>(schema: &'a Value, fields: &'a Map<String, Value>) -> Option<&'a str> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut absent = required.filter(|field| !fields.contains_key(*field));
    let fits = |(field, value): &(&String, &Value)| {
        let Some(described) = schema.get("properties").and_then(|all| all.get(field.as_str())) else { return false };
        match described.get("type").and_then(Value::as_str) {
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64(),
            Some("boolean") => value.is_boolean(),
            Some("object") => value.is_object(),
            _ => {
                let is_one = |all: &Value| all.as_array().is_some_and(|all| all.contains(value));
                described.get("const") == Some(*value) || described.get("enum").is_some_and(is_one)
            }
        }
    };
    absent.next().or_else(|| fields.iter().find(|field| !fits(field)).map(|(field, _)| field.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &str, outcome: &str) -> Written {
        let text = format!(r#"{{"event":"{event}","outcome":"{outcome}"}}"#);
        Written { text, event: event.to_owned(), outcome: outcome.to_owned() }
    }

    fn all() -> (Vec<Written>, Vec<Received>) {
        let written: Vec<_> = EVENTS.iter().map(|(event, outcome, _)| line(event, outcome)).collect();
        let received = written.iter().zip(EVENTS).map(|(line, (event, _, service))| Received {
            service: service.to_owned(),
            event: event.to_owned(),
            line: line.text.clone(),
        });
        let received = received.collect();
        (written, received)
    }

    #[test]
    fn line_is_received_as_it_is_and_under_its_names() {
        let (written, received) = all();
        assert_eq!(missing(&written, &received), None);
        let changes: [fn(&mut Received); 3] =
            [|other| other.line.push(' '), |other| other.event.clear(), |other| other.service = "users".to_owned()];
        for change in changes {
            let (written, mut received) = all();
            change(&mut received[2]);
            let lost = missing(&written, &received);
            assert!(lost.as_ref().is_some_and(|lost| lost.contains("authenticate")), "{lost:?}");
        }
    }

    #[test]
    fn event_that_was_never_written_is_missing() {
        let (mut written, mut received) = all();
        written.pop();
        received.pop();
        assert_eq!(missing(&written, &received).as_deref(), Some("authenticate (refused) of gateway"));
    }

    #[test]
    fn field_that_does_not_fit_the_schema_is_found() {
        let schema = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit-log.schema.json"));
        let schema: Value = serde_json::from_str(schema).unwrap();
        let sound = r#"{"timestamp":"2026-11-29T21:00:00Z","level":"INFO","target":"audit","event":"a","outcome":"b","count":3}"#;
        let problem = |text: &str| {
            let fields = serde_json::from_str(text).unwrap();
            problem(&schema, &fields).map(str::to_owned)
        };
        assert_eq!(problem(sound), None);
        for (from, to, field) in [
            (r#""event":"a","#, "", "event"),
            (r#""event":"a""#, r#""event":1"#, "event"),
            ("audit", "log", "target"),
            ("INFO", "FINE", "level"),
            (r#""count":3"#, r#""count":"3""#, "count"),
            (r#""count":3"#, r#""made_up":3"#, "made_up"),
        ] {
            assert_eq!(problem(&sound.replace(from, to)).as_deref(), Some(field), "{to}");
        }
    }
}
