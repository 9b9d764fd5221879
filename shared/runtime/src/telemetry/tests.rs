//! What goes where.

use std::os::unix::fs::PermissionsExt;

use tracing::Level;

use super::*;
use config::Audit;

#[test]
fn audit_events_are_always_logged() {
    for level in ["", "panic", "fatal", "error", "warn", "info", "debug", "trace"] {
        assert!(logged(level, false, LoggedRequests::None).would_enable(AUDIT, &Level::INFO), "{level}");
        assert!(!logged(level, true, LoggedRequests::None).would_enable(AUDIT, &Level::ERROR), "{level}");
    }
    assert!(!logged("", false, LoggedRequests::None).would_enable("gateway", &Level::WARN));
    assert!(logged("", false, LoggedRequests::None).would_enable("gateway", &Level::ERROR));
    assert!(!logged("fatal", false, LoggedRequests::None).would_enable("gateway", &Level::ERROR));
    assert!(!logged("debug", false, LoggedRequests::None).would_enable("h2", &Level::DEBUG));
    assert!(logged("trace", false, LoggedRequests::None).would_enable("h2", &Level::TRACE));
}

#[test]
fn access_lines_are_logged_if_requests_are_and_never_exported() {
    for level in ["", "fatal", "info", "trace"] {
        assert!(!logged(level, false, LoggedRequests::None).would_enable(access_log::TARGET, &Level::ERROR), "{level}");
        for requests in [LoggedRequests::AllButProbes, LoggedRequests::All] {
            assert!(logged(level, false, requests).would_enable(access_log::TARGET, &Level::INFO), "{level}");
        }
    }
    assert!(!exported().would_enable(access_log::TARGET, &Level::ERROR));
}

#[test]
fn log_lines_name_the_request_whatever_step_they_are_in() {
    assert!(
        exported().would_enable(STEP, &Level::INFO)
            && !logged("trace", false, LoggedRequests::None).would_enable(STEP, &Level::INFO)
    );
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let file = Some(LogFile::open(&log, LOG_MODE).expect("opens"));
    let registry = Registry::default()
        .with(vec![lines(&Log::default(), file).with_filter(logged("info", false, LoggedRequests::None)).boxed()]);
    tracing::subscriber::with_default(registry, || {
        tracing::info_span!("request", request_id = "id-1").in_scope(|| {
            tracing::info_span!(target: STEP, "statement", rows = 3).in_scope(|| tracing::info!("inside"));
        });
    });
    let line = std::fs::read_to_string(&log).expect("reads");
    assert!(line.contains("inside") && line.contains("id-1") && !line.contains("rows"), "{line}");
}

#[test]
fn audit_events_go_to_their_own_file_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, audit) = (folder.path().join("log"), folder.path().join("audit.log"));
    let file = LogFile::open(&log, LOG_MODE).expect("opens");
    let audit_file = AuditFile::open(&audit, &Audit::default()).expect("opens");
    let files = opened(Some(&file), Some(&audit_file));
    let (stream, _) = AuditStream::open("echo", &Log::default(), &Tracing::default(), Some(audit_file))
        .expect("settings")
        .expect("a file is a destination");
    assert!(stream.is_complete());
    let lines = lines(&Log::default(), Some(file)).with_filter(logged("info", true, LoggedRequests::None)).boxed();
    let registry = Registry::default().with(vec![lines, audit_lines(stream)]);
    let both = || {
        tracing::info!(target: "audit", event = "authenticate", "audited");
        tracing::info!(target: "gateway", "logged");
    };
    tracing::subscriber::with_default(registry, || {
        both();
        for file in [&log, &audit] {
            std::fs::rename(file, file.with_extension("old")).expect("renames");
        }
        both();
        files.iter().for_each(OpenFile::reopen);
        both();
    });
    let read = |file: &Path| std::fs::read_to_string(file).expect("reads");
    // after the files were renamed, lines went on into them until they were opened again
    for (file, count) in [(audit.with_extension("old"), 2), (audit.clone(), 1)] {
        let text = read(&file);
        assert_eq!(text.matches("\"event\":\"authenticate\"").count(), count, "{text}");
        assert!(!text.contains("logged"), "{text}");
    }
    for (file, count) in [(log.with_extension("old"), 2), (log, 1)] {
        let text = read(&file);
        assert_eq!(text.matches("logged").count(), count, "{text}");
        assert!(!text.contains("audited"), "{text}");
    }
    let mode = std::fs::metadata(&audit).expect("is there").permissions().mode();
    assert_eq!(mode & 0o007, 0, "other accounts cannot read it");
    let problem = open(AUDIT_VARIABLE, Some(folder.path()), |file| AuditFile::open(file, &Audit::default()));
    let problem = problem.expect_err("a folder is no file").to_string();
    assert!(problem.starts_with("OCIS_AUDIT_LOG_FILE: cannot write"), "{problem}");
}

#[tokio::test]
async fn audit_events_stay_in_the_log_where_only_a_queue_has_them() {
    let audit = Audit { syslog: "/nonexistent/log".into(), ..Audit::default() };
    let log = Log { audit, ..Log::default() };
    let stream = AuditStream::open("echo", &log, &Tracing::default(), None).expect("settings");
    assert!(!stream.expect("a destination").0.is_complete(), "syslog may be away");
    let wrong = Log { audit: Audit { syslog: "log".into(), ..Audit::default() }, ..Log::default() };
    let problem = AuditStream::open("echo", &wrong, &Tracing::default(), None).err().expect("no address");
    assert!(problem.to_string().starts_with("log.audit.syslog"), "{problem}");
    assert!(AuditStream::open("echo", &Log::default(), &Tracing::default(), None).expect("settings").is_none());
}

#[test]
fn line_of_the_audit_log_fits_its_schema() {
    let schema = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit-log.schema.json"));
    let schema: serde_json::Value = serde_json::from_str(schema).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let file = AuditFile::open(&path, &Audit::default()).expect("opens");
    let opened = AuditStream::open("echo", &Log::default(), &Tracing::default(), Some(file)).expect("settings");
    let (stream, _) = opened.expect("a file is a destination");
    tracing::subscriber::with_default(Registry::default().with(vec![audit_lines(stream)]), || {
        let event = authn::audit::Event::new("sign_in", "failure");
        authn::audit::Event { reason: &"unknown", count: &3_u64, again: &true, ..event }.log();
    });
    let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("reads")).expect("JSON");
    for required in schema["required"].as_array().expect("names") {
        assert!(line.get(required.as_str().expect("a name")).is_some(), "{required} is not in {line}");
    }
    for (field, value) in line.as_object().expect("an object") {
        let described = &schema["properties"][field];
        let fits = match described["type"].as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64(),
            Some("boolean") => value.is_boolean(),
            _ => described["const"] == *value || described["enum"].as_array().is_some_and(|all| all.contains(value)),
        };
        assert!(fits, "{field} is {value}, described as {described}");
    }
}
