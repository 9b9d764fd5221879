//! A request that failed, and what the services logged at that time.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::report;

/// How long before a failed request, and after it, the lines of the log are printed.
const AROUND: Duration = Duration::from_secs(2);
/// How many failures of a kind of request are printed.
const SHOWN: usize = 50;
/// How many lines of the log are printed for a failure.
const LINES: usize = 30;

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// When it was sent.
    pub(super) sent: SystemTime,
    /// When it failed.
    pub(super) failed: SystemTime,
    /// What was done to the replicas when it was sent, and when it failed.
    pub(super) steps: [String; 2],
    /// The error with all its causes.
    pub(super) error: String,
}

impl Failure {
    fn text(&self) -> String {
        let [first, last] = &self.steps;
        let during = if first == last { first.clone() } else { format!("{first}, then {last}") };
        let took = self.failed.duration_since(self.sent).unwrap_or_default();
        format!("at {}, after {} ms, during {during}: {}", shown(self.sent), took.as_millis(), self.error)
    }

    /// Whether a line of the log from this time may say why it failed.
    fn is_near(&self, time: OffsetDateTime) -> bool {
        (OffsetDateTime::from(self.sent) - AROUND..=OffsetDateTime::from(self.failed) + AROUND).contains(&time)
    }
}

fn shown(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_else(|_| format!("{time:?}"))
}

/// Prints the failures of each kind of request, with the warnings and errors of the services around them.
pub(super) fn print(scenario: &str, kinds: &[(&str, &[Failure])], log: &Path) -> io::Result<()> {
    if kinds.iter().all(|(_, failures)| failures.is_empty()) {
        return Ok(());
    }
    let logged = troubles(BufReader::new(File::open(log)?))?;
    for (name, failures) in kinds {
        for failure in failures.iter().take(SHOWN) {
            report::note(&format!("{scenario}, {name}, {}", failure.text()));
            let near: Vec<_> = logged.iter().filter(|(time, _)| failure.is_near(*time)).collect();
            for (_, line) in near.iter().take(LINES) {
                report::note(&format!("    {line}"));
            }
            match near.len() {
                0 => report::note("    no service logged a warning or an error around it"),
                count if count > LINES => report::note(&format!("    and {} more lines", count - LINES)),
                _ => {}
            }
        }
        if failures.len() > SHOWN {
            report::note(&format!("{scenario}, {name}: and {} more failures", failures.len() - SHOWN));
        }
    }
    Ok(())
}

/// The warnings and errors of a log in JSON, with their times; other lines are left out.
fn troubles(log: impl BufRead) -> io::Result<Vec<(OffsetDateTime, String)>> {
    let mut troubles = Vec::new();
    for line in log.split(b'\n') {
        let line = line?;
        let Ok(fields) = serde_json::from_slice::<Value>(&line) else { continue };
        if !matches!(fields["level"].as_str(), Some("WARN" | "ERROR")) {
            continue;
        }
        let time = fields["timestamp"].as_str().and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
        troubles.extend(time.map(|time| (time, String::from_utf8_lossy(&line).into_owned())));
    }
    Ok(troubles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn failure(steps: [&str; 2]) -> Failure {
        Failure { sent: at(10), failed: at(11), steps: steps.map(str::to_owned), error: "503: no".to_owned() }
    }

    #[test]
    fn failure_says_when_and_during_what_it_happened() {
        let text = failure(["secret 3 of 20 signs"; 2]).text();
        assert_eq!(text, "at 1970-01-01T00:00:10Z, after 1000 ms, during secret 3 of 20 signs: 503: no");
        let text = failure(["the stop of gateway", "the start of gateway"]).text();
        assert!(text.contains("during the stop of gateway, then the start of gateway: "), "{text}");
    }

    #[test]
    fn warnings_and_errors_around_a_failure_are_found() {
        let log = [
            r#"{"timestamp":"1970-01-01T00:00:07.999999Z","level":"WARN","message":"before"}"#,
            r#"{"timestamp":"1970-01-01T00:00:08.500000Z","level":"WARN","message":"first"}"#,
            r#"{"timestamp":"1970-01-01T00:00:10.500000Z","level":"INFO","message":"quiet"}"#,
            "no JSON",
            r#"{"timestamp":"1970-01-01T00:00:12.900000Z","level":"ERROR","message":"last"}"#,
            r#"{"timestamp":"1970-01-01T00:00:13.100000Z","level":"ERROR","message":"after"}"#,
        ];
        let logged = troubles(log.join("\n").as_bytes()).expect("is read");
        assert_eq!(logged.len(), 4);
        let failure = failure(["a", "b"]);
        let near: Vec<_> = logged.iter().filter(|(time, _)| failure.is_near(*time)).map(|(_, line)| line).collect();
        assert!(near.len() == 2 && near[0].contains("first") && near[1].contains("last"), "{near:?}");
    }
}
