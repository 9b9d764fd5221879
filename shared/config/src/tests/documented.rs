//! What is printed: names, types, defaults and descriptions that operators rely on.

use std::time::Duration;

use serde_json::{Value, json};

use super::{AuthAppLike, Folder, IDENTITY, JWT_SECRET, read_ok};
use crate::{Grpc, ListenAddr, docs, example, schema, shown};

/// Every wanted line is there, in this order; others may stand between them.
fn assert_in_order(wanted: impl Iterator<Item = String>, printed: &str) {
    let mut lines = printed.lines();
    for line in wanted {
        assert!(lines.any(|printed| printed == line), "missing, or out of order: {line}\nin:\n{printed}");
    }
}

#[test]
fn documents_every_known_variable() {
    let table = docs::<AuthAppLike>(&IDENTITY);
    let known = include_str!("auth_app_environment.md");
    assert_eq!(known.lines().count(), 31);
    assert_in_order(known.lines().map(Into::into), &table);
}

#[test]
fn documents_a_variable_once_where_two_keys_have_it() {
    let table = docs::<AuthAppLike>(&IDENTITY);
    assert_eq!(table.matches("| OCIS_GRPC_CLIENT_TLS_MODE |").count(), 1);
}

#[test]
fn schema_describes_every_setting_of_the_yaml_file() {
    let schema: Value = serde_json::from_str(&schema::<AuthAppLike>(&IDENTITY)).expect("JSON");
    let at = |path: &str| schema.pointer(&format!("/properties/{}", path.replace('.', "/properties/"))).expect(path);
    assert_eq!(schema["title"], "auth-app");
    for section in [&schema, at("http"), at("http.cors")] {
        assert_eq!(section["additionalProperties"], false);
        assert_eq!(section.get("required"), None);
    }
    assert_eq!(at("log.level")["enum"][7], "trace");
    assert_eq!(at("log.level")["x-env"][1], "AUTH_APP_LOG_LEVEL");
    assert_eq!(at("grpc.addr")["default"], "127.0.0.1:9246");
    assert_eq!(at("http.max_body_size")["default"], 1_048_576);
    let expires = at("token_manager.expires");
    assert_eq!((&expires["default"], &expires["type"]), (&"5m".into(), &json!(["string", "integer"])));
    assert!(expires["pattern"].is_string() && expires.get("properties").is_none(), "{expires}");
    assert_eq!(at("grpc.max_connection_age")["type"], json!(["string", "integer", "null"]));
    assert_eq!(at("http.cors.allow_methods")["type"], json!(["array", "string"]));
    assert_eq!((&at("http.tls.key")["default"], &at("http.tls.key")["type"][0]), (&Value::Null, &"string".into()));
    let secret = at("token_manager.jwt_secret");
    assert_eq!((&secret["x-secret"], secret.get("default")), (&true.into(), None));
    assert_eq!(at("allow_readable_secrets")["type"], "boolean");
}

#[test]
fn default_that_a_section_is_given_overrides_its_own() {
    let grpc = AuthAppLike::default().grpc;
    assert_eq!(grpc.addr.to_string(), "127.0.0.1:9246");
    assert_eq!(Grpc::default().addr, ListenAddr::Off);
    assert_eq!((grpc.protocol, grpc.max_concurrent_requests), ("tcp".into(), 1024));
    assert_eq!((grpc.request_timeout, grpc.max_connection_age), (Duration::from_secs(5), None));
}

#[test]
fn documents_how_secrets_are_read_from_files() {
    let table = docs::<AuthAppLike>(&IDENTITY);
    let secrets = table.lines().last().expect("not empty");
    assert!(secrets.contains("`_FILE`") && secrets.contains("`AUTH_APP_JWT_SECRET`"), "{secrets}");
}

#[test]
fn the_example_is_the_known_one_with_our_keys_added() {
    let expanded = |line: &str| line.replace("tls: null", "tls:");
    assert_in_order(include_str!("auth_app_example.yaml").lines().map(expanded), &example::<AuthAppLike>(&IDENTITY));
}

#[test]
fn the_known_example_is_read() {
    let folder = Folder::holding("auth-app.yaml", include_str!("auth_app_example.yaml"));
    let read = read_ok(&folder.env());
    assert_eq!(values(&read.shown), values(&read_ok(&Folder::new().env()).shown));
}

#[test]
fn the_example_says_what_is_the_default_anyway() {
    let folder = Folder::holding("auth-app.yaml", &example::<AuthAppLike>(&IDENTITY));
    let read = read_ok(&folder.env());
    assert_eq!(values(&read.shown), values(&read_ok(&Folder::new().env()).shown));
}

#[test]
fn configuration_is_shown_as_it_is_read() {
    let env = Folder::new().env().with("AUTH_APP_LOG_LEVEL", "debug").with("AUTH_APP_DEBUG_TOKEN", "hush-hush");
    let read = read_ok(&env);
    let text = shown(&IDENTITY, &read.config);
    assert_eq!(values(&text), values(&read.shown));
    assert!(text.contains("level: debug") && !text.contains("hush-hush") && !text.contains(JWT_SECRET), "{text}");
}

/// Printed YAML without its comments.
fn values(shown: &str) -> Vec<&str> {
    shown.lines().map(|line| line.split(" # ").next().unwrap_or_default()).collect()
}

#[test]
fn shows_what_is_in_force_and_where_it_came_from() {
    let folder = Folder::holding("auth-app.yaml", "log:\n  color: true\nreva:\n  address: 'a: b # c'\n");
    let env = folder.env().with("AUTH_APP_LOG_LEVEL", "debug").with("OC_CORS_ALLOW_METHODS", "GET");
    let shown = read_ok(&env).shown;
    let file = folder.0.path().join("auth-app.yaml").display().to_string();
    for line in [
        "  level: debug # env AUTH_APP_LOG_LEVEL".to_owned(),
        "  pretty: false".into(),
        format!("  color: true # file {file}"),
        "    allow_methods: # env OC_CORS_ALLOW_METHODS".into(),
        "    - GET".into(),
        "  jwt_secret: '***' # env OCIS_JWT_SECRET".into(),
        "machine_auth_api_key: \"\"".into(),
        format!("  address: 'a: b # c' # file {file}"),
        "  expires: 5m".into(),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\nin:\n{shown}");
    }
}

#[test]
fn shows_no_secret() {
    let read = read_ok(&Folder::new().env().with("AUTH_APP_DEBUG_TOKEN", "hush-hush"));
    assert_eq!(read.config.debug.token.expose(), "hush-hush");
    for text in [read.shown.clone(), format!("{read:?}"), read.config.debug.token.to_string()] {
        assert!(!text.contains("hush-hush") && !text.contains(JWT_SECRET), "{text}");
    }
}
