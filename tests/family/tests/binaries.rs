//! The command line of every binary.

use std::collections::BTreeMap;

use testkit::run;

/// Each service, and the first variable it cannot do without.
const SERVICES: [(&str, &str); 10] = [
    ("gateway", "OCIS_JWT_SECRET"),
    ("users", "OCIS_JWT_SECRET"),
    ("auth-app", "OCIS_JWT_SECRET"),
    ("auth-basic", "OCIS_JWT_SECRET"),
    ("auth-machine", "OCIS_MACHINE_AUTH_API_KEY"),
    ("auth-service", "OCIS_SERVICE_ACCOUNT_ID"),
    ("auth-bearer", ""),
    ("idp", "OCIS_JWT_SECRET"),
    ("account", "OCIS_JWT_SECRET"),
    ("proxy", "OCIS_JWT_SECRET"),
];

fn nothing() -> BTreeMap<String, String> {
    let folder = std::env::temp_dir().join("doorward-no-configuration");
    BTreeMap::from([("OCIS_CONFIG_DIR".to_owned(), folder.display().to_string())])
}

#[test]
fn every_binary_explains_itself() {
    for name in SERVICES.iter().map(|(name, _)| *name).chain(["doorward"]) {
        let help = run(name, &["--help"], &nothing(), "");
        assert_eq!(help.code, 0, "{name}: {}", help.stderr);
        assert!(help.stdout.contains("Usage:") && help.stdout.contains("server"), "{name}: {}", help.stdout);
        let version = run(name, &["--version"], &nothing(), "");
        assert_eq!(
            (version.code, version.stdout.trim()),
            (0, format!("{name} {}", env!("CARGO_PKG_VERSION")).as_str())
        );
        let wrong = run(name, &["servre"], &nothing(), "");
        assert_eq!(wrong.code, 64, "{name}: a wrong word is a usage error");
    }
}

#[test]
fn a_missing_secret_stops_the_start_with_one_line() {
    for (name, variable) in SERVICES.iter().filter(|(_, variable)| !variable.is_empty()) {
        let stopped = run(name, &["server"], &nothing(), "");
        assert_eq!(stopped.code, 64, "{name}: {}", stopped.stderr);
        assert_eq!(stopped.stderr.trim_end().lines().count(), 1, "{name}: {}", stopped.stderr);
        assert!(stopped.stderr.contains(variable), "{name}: {}", stopped.stderr);
    }
}

#[test]
fn a_short_secret_is_refused_and_not_shown() {
    let mut environment = nothing();
    environment.insert("OCIS_JWT_SECRET".to_owned(), "thirty-one-bytes-are-not-enough".to_owned());
    let stopped = run("gateway", &["server"], &environment, "");
    assert_eq!(stopped.code, 64, "{}", stopped.stderr);
    assert!(stopped.stderr.contains("OCIS_JWT_SECRET") && !stopped.stderr.contains("thirty-one"), "{}", stopped.stderr);
}

#[test]
fn an_unknown_service_stops_the_start_and_lists_the_valid_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut environment = nothing();
    environment.insert("OCIS_BASE_DATA_PATH".to_owned(), folder.path().display().to_string());
    environment.insert("OCIS_ADD_RUN_SERVICES".to_owned(), "auth-apps".to_owned());
    let stopped = run("doorward", &["server"], &environment, "");
    assert_eq!(stopped.code, 64, "{}", stopped.stderr);
    assert!(stopped.stderr.contains("auth-apps") && stopped.stderr.contains("auth-app,"), "{}", stopped.stderr);
}
