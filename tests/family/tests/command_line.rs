//! The command line, as operators and their scripts use it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use doorward::Secrets;
use runtime::Random;
use serde_json::Value;
use testkit::{Certificates, Finished, Layout, Mode, Server, TestFamily, binary, note_secret, run, write_secret};

/// How long what a signal asks for may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn succeeded(finished: &Finished) -> &str {
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout.as_str()
}

fn doorward(layout: &Layout, arguments: &[&str], input: &str) -> Finished {
    run("doorward", arguments, layout.variables(), input)
}

/// Runs a binary whose standard output is a pipe that its reader has closed; its exit code, and what it complained of.
fn run_unread(name: &str, arguments: &[&str], variables: &BTreeMap<String, String>) -> (i32, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(binary(name));
    command.args(arguments).env_clear().envs(variables).stdin(Stdio::null()).stdout(writer);
    let output = command.output().expect("it runs");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A family whose secrets are files, and whose data folder has generated ones too.
fn layout_with_secret_files(name: &str) -> Layout {
    let mut layout = Layout::new(name, false);
    for variable in ["OCIS_JWT_SECRET", "AUTH_APP_TOKEN_KEY", "IDP_ENCRYPTION_SECRET"] {
        let file = layout.folder().join(variable);
        write_secret(&file, &layout.variables()[variable]);
        layout.unset(variable);
        layout.set(&format!("{variable}_FILE"), &file.display().to_string());
    }
    layout
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_accept_secrets_from_files() {
    let layout = layout_with_secret_files("process-secret-files");
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    assert!(family.layout.folder().join("data/secrets").is_file(), "the data folder has secrets too");
    for arguments in [
        &["client", "list"][..],
        &["keys", "list"],
        &["session", "list"],
        &["auth-app", "list", "--user-name", "marie"],
        &["user", "list"],
        &["group", "list"],
        &["config", "check"],
        &["secrets", "rotate"],
    ] {
        succeeded(&family.command(arguments, "").await);
    }
    let checks = ["configuration", "data-folder", "peers", "database", "migrations"];
    let arguments: Vec<_> = ["doctor"].into_iter().chain(checks.iter().flat_map(|name| ["--only", name])).collect();
    let report = family.command(&arguments, "").await;
    // a small disk is no fault of the family
    let failed: Vec<_> = report.stdout.lines().filter(|line| line.starts_with("failed")).collect();
    let is_good = failed.iter().all(|line| line.ends_with("MiB are free"));
    assert!(is_good && (report.code == 0 || !failed.is_empty()), "{}{}", report.stdout, report.stderr);
    assert!(checks.iter().all(|name| report.stdout.contains(name)), "{}", report.stdout);
    let refused = family.command(&["secrets", "rotate", "jwt"], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("OCIS_JWT_SECRET_FILE"), "{}", refused.stderr);
    let made = family.command(&["admin", "user", "token", "-u", "marie", "-e", "1h", "-q"], "").await;
    note_secret(succeeded(&made));
}

#[test]
fn missing_secret_names_the_data_folder_that_was_looked_at() {
    let mut layout = Layout::new("process-no-secrets", false);
    layout.unset("OCIS_JWT_SECRET");
    let folder = layout.folder().join("data").display().to_string();
    for arguments in [&["client", "list"][..], &["auth-app", "prune"], &["user", "list"], &["group", "list"]] {
        let refused = doorward(&layout, arguments, "");
        assert_eq!((refused.code, refused.stderr.lines().count()), (64, 1), "{}", refused.stderr);
        for part in ["OCIS_JWT_SECRET", "is not set", folder.as_str(), "OCIS_BASE_DATA_PATH"] {
            assert!(refused.stderr.contains(part), "{arguments:?}: {part} is missing in {}", refused.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_another_data_folder_are_named_when_the_family_refuses_them() {
    let mut layout = Layout::new("process-other-secrets", false);
    layout.unset("OCIS_JWT_SECRET");
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let other = tempfile::tempdir().expect("a folder");
    Secrets::read_or_make(other.path(), &Random::system()).expect("is made");
    let mut variables = family.layout.variables().clone();
    let folder = other.path().display().to_string();
    variables.insert("OCIS_BASE_DATA_PATH".to_owned(), folder.clone());
    for arguments in [&["client", "list"][..], &["auth-app", "prune"], &["user", "list"], &["group", "list"]] {
        let refused = run("doorward", arguments, &variables, "");
        assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{}", refused.stderr);
        assert!(refused.stderr.contains(&format!("the data folder is {folder}")), "{arguments:?}: {}", refused.stderr);
    }
}

/// Row D4.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_readable_by_others_are_corrected_at_start_with_a_warning() {
    let mut layout = Layout::new("process-readable-secrets", false);
    let (data, log) = (layout.folder().join("data"), layout.folder().join("log"));
    layout.set("OCIS_LOG_LEVEL", "");
    layout.set("OCIS_LOG_FILE", &log.display().to_string());
    Secrets::read_or_make(&data, &Random::system()).expect("is made");
    let file = data.join("secrets");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("sets the mode");
    let _family = TestFamily::start_empty(layout, Mode::OneProcess).await;
    assert_eq!(fs::metadata(&file).expect("is there").permissions().mode() & 0o7777, 0o600);
    let logged = fs::read_to_string(&log).expect("a log");
    assert!(logged.contains("\"WARN\"") && logged.contains("(mode 0644); the mode is corrected to 0600"), "{logged}");
}

/// Row D4.
#[test]
fn private_keys_readable_by_others_are_refused() {
    for (key, certificate) in [
        ("OCIS_GRPC_TLS_KEY", "OCIS_GRPC_TLS_CERTIFICATE"),
        ("OCIS_HTTP_TLS_KEY", "OCIS_HTTP_TLS_CERTIFICATE"),
        ("OCIS_MTLS_KEY", "OCIS_MTLS_CERTIFICATE"),
        ("OCIS_GRPC_CLIENT_TLS_KEY", "OCIS_GRPC_CLIENT_TLS_CERTIFICATE"),
        ("PROXY_TRANSPORT_TLS_KEY", "PROXY_TRANSPORT_TLS_CERT"),
    ] {
        let mut layout = Layout::new("process-readable-keys", false);
        let made = Certificates::make(layout.folder(), "spiffe://doorward.test/service");
        layout.set(certificate, &made.certificate.display().to_string());
        layout.set(key, &made.key.display().to_string());
        succeeded(&doorward(&layout, &["config", "check"], ""));
        fs::set_permissions(&made.key, fs::Permissions::from_mode(0o644)).expect("sets the mode");
        for command in [&["config", "check"][..], &["server"]] {
            let refused = doorward(&layout, command, "");
            assert_eq!((refused.code, refused.stderr.lines().count()), (64, 1), "{key}: {}", refused.stderr);
            assert!(refused.stderr.contains(key) && refused.stderr.contains("run chmod go-rwx"), "{}", refused.stderr);
        }
        layout.set("OCIS_ALLOW_READABLE_SECRETS", "true");
        let allowed = doorward(&layout, &["config", "check"], "");
        let warnings = succeeded(&allowed).lines().filter(|line| line.contains("run: chmod go-rwx")).count();
        assert!(warnings > 0, "{key}: {}", allowed.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_files_are_reopened_on_hangup() {
    let mut layout = Layout::new("process-log-rotation", false);
    let (log, rotated) = (layout.folder().join("log"), layout.folder().join("log.1"));
    let audit = layout.folder().join("audit.log");
    layout.set("OCIS_LOG_FILE", &log.display().to_string());
    layout.set("OCIS_AUDIT_LOG_FILE", &audit.display().to_string());
    layout.set("OCIS_TRACING_ENABLED", "true");
    layout.set("OCIS_TRACING_COLLECTOR", "http://jaeger.invalid:14268/api/traces");
    // one service is the quickest to start
    layout.set("OCIS_RUN_SERVICES", "auth-machine");
    let server = Server::start("doorward", layout.variables());
    let start = Instant::now();
    let wait = async |is_done: &dyn Fn() -> bool, what: &str| {
        while !is_done() {
            assert!(start.elapsed() < PATIENCE, "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let logged = |path: &std::path::Path, text: &str| fs::read_to_string(path).is_ok_and(|log| log.contains(text));
    wait(&|| logged(&log, "is serving"), "it does not start").await;
    let warning = "no spans are sent; set it to http://jaeger.invalid:4317 (OTLP over gRPC)";
    assert!(logged(&log, "OCIS_TRACING_COLLECTOR is ") && logged(&log, warning), "Jaeger's Thrift is not spoken");
    fs::rename(&log, &rotated).expect("renames");
    fs::remove_file(&audit).expect("is there, although nothing was audited");
    let sent = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    wait(&|| logged(&log, "asked to reload"), "the log file is not opened again").await;
    assert!(!logged(&rotated, "asked to reload"), "the renamed file is not written to any more");
    assert!(audit.is_file(), "the file of the audit log is opened again too");
}

#[test]
fn deletion_without_terminal_or_confirmation_changes_nothing() {
    let layout = Layout::new("process-deletion", false);
    succeeded(&doorward(&layout, &["user", "add", "niels", "--no-password"], ""));
    succeeded(&doorward(&layout, &["group", "add", "chemists"], ""));
    for (arguments, name) in [(["user", "delete", "niels"], "niels"), (["group", "delete", "chemists"], "chemists")] {
        let [noun, verb, _] = arguments;
        // what a script pipes in is no confirmation
        let refused = doorward(&layout, &arguments, "y\n");
        assert_eq!(refused.code, 1, "{}", refused.stdout);
        assert!(refused.stderr.contains("--yes") && refused.stderr.contains(name), "{}", refused.stderr);
        assert!(succeeded(&doorward(&layout, &[noun, "list"], "")).contains(name));
        succeeded(&doorward(&layout, &[noun, verb, name, "--yes"], ""));
        assert!(!succeeded(&doorward(&layout, &[noun, "list"], "")).contains(name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removal_and_revocation_without_terminal_or_confirmation_change_nothing() {
    let layout = Layout::new("process-removal", false);
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let add = ["client", "add", "--id", "wiki", "--public", "--redirect-uri", "https://wiki.example/cb"];
    succeeded(&family.command(&add, "").await);
    note_secret(succeeded(&family.command(&["auth-app", "create", "--user-name", "marie", "--quiet"], "").await));
    let keys = family.command(&["keys", "list", "--json"], "").await;
    let keys: Vec<Value> = serde_json::from_str(succeeded(&keys)).expect("JSON");
    let key = keys.iter().find(|key| key["state"] == "current").expect("a key that signs");
    let (kid, algorithm) = (key["kid"].as_str().expect("a name"), key["algorithm"].as_str().expect("a name"));
    // the only key of an algorithm cannot be retired
    succeeded(&family.command(&["keys", "rotate", "--at-once", "--algorithm", algorithm], "").await);

    // how each is listed, and what the list has until it is confirmed
    let retired = format!("{kid:24}  {algorithm:9}  retired ");
    let cases: [(&[&str], &[&str], &str); 3] = [
        (&["client", "remove", "wiki"], &["client", "list"], "wiki"),
        (&["keys", "retire", kid], &["keys", "list"], &retired),
        (
            &["auth-app", "revoke", "--all-of", "marie"],
            &["auth-app", "list", "--user-name", "marie"],
            "Generated via CLI",
        ),
    ];
    for (arguments, list, part) in cases {
        // what a script pipes in is no confirmation
        let refused = family.command(arguments, "y\n").await;
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{arguments:?}: {}", refused.stderr);
        let name = arguments.last().expect("a name");
        assert!(refused.stderr.contains("--yes") && refused.stderr.contains(name), "{}", refused.stderr);
        let listed = family.command(list, "").await;
        assert!(succeeded(&listed).contains(part), "{arguments:?}: {}", listed.stdout);
        succeeded(&family.command(&[arguments, &["--yes"]].concat(), "").await);
        let listed = family.command(list, "").await;
        assert!(!succeeded(&listed).contains(part), "{arguments:?}: {}", listed.stdout);
    }
    // a wrong name is reported before the confirmation
    for arguments in [["client", "remove", "wiki"], ["keys", "retire", "nothing"]] {
        let refused = family.command(&arguments, "").await;
        assert!(refused.code == 1 && !refused.stderr.contains("--yes"), "{arguments:?}: {}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_reader_is_not_a_failure() {
    let layout = Layout::new("process-unread", false);
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let variables = family.layout.variables();
    for arguments in [
        &["config", "docs", "idp"][..],
        &["config", "example", "proxy"],
        &["config", "show", "users"],
        &["config", "check"],
        &["health"],
        &["user", "list"],
        &["user", "show", "marie"],
        &["group", "list"],
        &["client", "list"],
        &["client", "list", "--json"],
        &["keys", "list"],
        &["session", "list"],
        &["auth-app", "list", "--user-name", "marie"],
    ] {
        assert_eq!(run_unread("doorward", arguments, variables), (0, String::new()), "{arguments:?}");
    }
    // a secret that was not shown is a failure
    for arguments in [
        &["auth-app", "create", "--user-name", "marie"][..],
        &["admin", "user", "token", "-u", "marie", "-e", "1h"],
        &["client", "add", "--name", "Wiki", "--redirect-uri", "https://wiki.example/cb"],
        &["client", "initial-access"],
        &["user", "passwd", "marie", "--generate"],
    ] {
        let (code, text) = run_unread("doorward", arguments, variables);
        assert!(code == 1 && text.contains("what is shown only once was not shown"), "{arguments:?}: {code} {text}");
    }
    for (name, arguments) in [
        ("idp", &["config", "docs"][..]),
        ("gateway", &["config", "example"]),
        ("proxy", &["config", "show"]),
        ("users", &["version"]),
        ("idp", &["keys", "list"]),
        ("auth-app", &["list", "--user-name", "marie"]),
    ] {
        assert_eq!(run_unread(name, arguments, variables), (0, String::new()), "{name} {arguments:?}");
    }
}

#[test]
fn generated_password_is_shown_only_after_success() {
    let layout = Layout::new("process-generate", false);
    let added = doorward(&layout, &["user", "add", "niels", "--generate"], "");
    assert!(succeeded(&added).starts_with("password of niels: "), "{}", added.stdout);
    let again = doorward(&layout, &["user", "add", "niels", "--generate"], "");
    assert_eq!((again.code, again.stdout.as_str()), (1, ""), "{}", again.stderr);
    let grouped = doorward(&layout, &["user", "add", "lise", "--generate", "--group", "nowhere"], "");
    assert_eq!((grouped.code, grouped.stdout.as_str()), (1, ""), "{}", grouped.stderr);

    let (code, text) = run_unread("doorward", &["user", "add", "otto", "--generate"], layout.variables());
    assert!(code == 1 && text.contains("the user is not added"), "{text}");
    let list = doorward(&layout, &["user", "list"], "");
    assert!(!succeeded(&list).contains("otto") && !list.stdout.contains("lise"), "{}", list.stdout);
}

#[test]
fn quickstart_whose_output_is_closed_adds_no_users() {
    let layout = Layout::new("process-quickstart", false);
    let (code, text) = run_unread("doorward", &["quickstart"], layout.variables());
    assert!(code == 1 && text.contains("no demo users were added"), "{code}: {text}");
    // as a shell closes it: >&-
    let discarded = Command::new(binary("doorward"))
        .arg("quickstart")
        .env_clear()
        .envs(layout.variables())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(discarded.status.code(), Some(1), "{}", String::from_utf8_lossy(&discarded.stderr));
    let list = doorward(&layout, &["user", "list"], "");
    assert_eq!(succeeded(&list).lines().count(), 1, "only the head: {}", list.stdout);
}

#[test]
fn config_check_reads_the_routes_file() {
    let mut layout = Layout::new("process-check-routes", false);
    let file = layout.folder().join("routes.yaml");
    layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
    let commands = [
        ("doorward", &["config", "check"][..]),
        ("doorward", &["config", "check", "proxy"]),
        ("proxy", &["config", "check"]),
    ];
    for (text, problem) in [
        (None, "cannot be read"),
        (Some("routes: [{ path: /a, backend: 'ftp://a' }]"), "route 1: backend"),
        (
            Some("routes: [{ path: /verify, backend: 'http://a' }]"),
            "route 1: path \"/verify\" is one of the edge's own",
        ),
        (Some("access: [{ path: /a, action: deny }, { regex: '(', action: deny }]"), "access rule 2: regex"),
    ] {
        if let Some(text) = text {
            fs::write(&file, text).expect("the file can be written");
        }
        for (binary, arguments) in commands.into_iter().chain([("proxy", &["server"][..])]) {
            let refused = run(binary, arguments, layout.variables(), "");
            assert_eq!(
                (refused.code, refused.stderr.lines().count()),
                (64, 1),
                "{binary} {arguments:?}: {}",
                refused.stderr
            );
            for part in ["PROXY_ROUTES_FILE", &file.display().to_string(), problem] {
                assert!(
                    refused.stderr.contains(part),
                    "{binary} {arguments:?}: {part} is missing in {}",
                    refused.stderr
                );
            }
        }
    }
    let relying = "routes: [{ path: /dav, backend: 'http://a' }]\naccess: [{ path: /dav/public, action: allow }]";
    fs::write(&file, relying).expect("the file can be written");
    for (binary, arguments) in commands {
        let checked = run(binary, arguments, layout.variables(), "");
        let warnings: Vec<_> = succeeded(&checked).lines().filter(|line| line.contains("PROXY_ROUTES_FILE")).collect();
        assert_eq!(warnings.len(), 2, "{binary} {arguments:?}: {warnings:?}");
        for (warning, remedy) in warnings.into_iter().zip(["paths: plain", "keep_authorization: true"]) {
            assert!(warning.starts_with("warning: ") && warning.contains("routes 1 (/dav)"), "{warning}");
            assert!(warning.contains(remedy), "{warning}");
        }
    }
}

#[test]
fn config_check_warns_where_rules_name_callers_and_no_gateway_is_trusted() {
    let mut layout = Layout::new("process-check-callers", false);
    layout.set("AUTH_MACHINE_ALLOW_IMPERSONATION", "spiffe://example.org/proxy=users");
    let check = |layout: &Layout| {
        let checked = doorward(layout, &["config", "check"], "");
        succeeded(&checked).contains("AUTH_MACHINE_TRUSTED_GATEWAYS")
    };
    assert!(check(&layout));
    layout.set("AUTH_MACHINE_TRUSTED_GATEWAYS", "spiffe://example.org/gateway");
    assert!(!check(&layout));
}
