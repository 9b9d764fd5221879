//! The documented settings: every row of the table that operators of oCIS know, and the shape of its YAML example.

use auth_app::{AuthApp, Config};
use config::{Environment, docs, example, load};
use runtime::Service;

/// Names, type, default.
const TABLE: &[(&str, &str, &str)] = &[
    ("OCIS_TRACING_ENABLED<br>AUTH_APP_TRACING_ENABLED", "bool", "false"),
    ("OCIS_TRACING_TYPE<br>AUTH_APP_TRACING_TYPE", "string", ""),
    ("OCIS_TRACING_ENDPOINT<br>AUTH_APP_TRACING_ENDPOINT", "string", ""),
    ("OCIS_TRACING_COLLECTOR<br>AUTH_APP_TRACING_COLLECTOR", "string", ""),
    ("OCIS_LOG_LEVEL<br>AUTH_APP_LOG_LEVEL", "string", ""),
    ("OCIS_LOG_PRETTY<br>AUTH_APP_LOG_PRETTY", "bool", "false"),
    ("OCIS_LOG_COLOR<br>AUTH_APP_LOG_COLOR", "bool", "false"),
    ("OCIS_LOG_FILE<br>AUTH_APP_LOG_FILE", "string", ""),
    ("AUTH_APP_DEBUG_ADDR", "string", "127.0.0.1:9245"),
    ("AUTH_APP_DEBUG_TOKEN", "string", ""),
    ("AUTH_APP_DEBUG_PPROF", "bool", "false"),
    ("AUTH_APP_DEBUG_ZPAGES", "bool", "false"),
    ("AUTH_APP_GRPC_ADDR", "string", "127.0.0.1:9246"),
    ("OCIS_GRPC_PROTOCOL<br>AUTH_APP_GRPC_PROTOCOL", "string", "tcp"),
    ("AUTH_APP_HTTP_ADDR", "string", "127.0.0.1:9247"),
    ("AUTH_APP_HTTP_ROOT", "string", "/"),
    ("OCIS_CORS_ALLOW_ORIGINS<br>AUTH_APP_CORS_ALLOW_ORIGINS", "[]string", "[*]"),
    ("OCIS_CORS_ALLOW_METHODS<br>AUTH_APP_CORS_ALLOW_METHODS", "[]string", "[GET POST DELETE]"),
    (
        "OCIS_CORS_ALLOW_HEADERS<br>AUTH_APP_CORS_ALLOW_HEADERS",
        "[]string",
        "[Authorization Origin Content-Type Accept X-Requested-With X-Request-Id Ocs-Apirequest]",
    ),
    ("OCIS_CORS_ALLOW_CREDENTIALS<br>AUTH_APP_CORS_ALLOW_CREDENTIALS", "bool", "true"),
    ("OCIS_HTTP_TLS_ENABLED", "bool", "false"),
    ("OCIS_HTTP_TLS_CERTIFICATE", "string", ""),
    ("OCIS_HTTP_TLS_KEY", "string", ""),
    ("OCIS_JWT_SECRET<br>AUTH_APP_JWT_SECRET", "string", ""),
    ("OCIS_REVA_GATEWAY", "string", "com.owncloud.api.gateway"),
    ("OCIS_GRPC_CLIENT_TLS_MODE", "string", ""),
    ("OCIS_GRPC_CLIENT_TLS_CACERT", "string", ""),
    ("AUTH_APP_SKIP_USER_GROUPS_IN_TOKEN", "bool", "false"),
    ("OCIS_MACHINE_AUTH_API_KEY<br>AUTH_APP_MACHINE_AUTH_API_KEY", "string", ""),
    ("AUTH_APP_ENABLE_IMPERSONATION", "bool", "false"),
];

/// The keys of the documented example with the scalar values it shows, in its order; lists by their heading.
const EXAMPLE: &[&str] = &[
    "tracing:",
    "  enabled: false",
    "  type: \"\"",
    "  endpoint: \"\"",
    "  collector: \"\"",
    "log:",
    "  level: \"\"",
    "  pretty: false",
    "  color: false",
    "  file: \"\"",
    "debug:",
    "  addr: 127.0.0.1:9245",
    "  token: \"\"",
    "  pprof: false",
    "  zpages: false",
    "grpc:",
    "  addr: 127.0.0.1:9246",
    "  tls:",
    "  protocol: tcp",
    "http:",
    "  addr: 127.0.0.1:9247",
    "  root: /",
    "  cors:",
    "    allow_origins:",
    "    allow_methods:",
    "    allow_headers:",
    "    allow_credentials: true",
    "  tls:",
    "    enabled: false",
    "    cert: \"\"",
    "    key: \"\"",
    "grpc_client_tls:",
    "token_manager:",
    "  jwt_secret: \"\"",
    "reva:",
    "  address: com.owncloud.api.gateway",
    "  tls:",
    "    mode: \"\"",
    "    cacert: \"\"",
    "skip_user_groups_in_token: false",
    "machine_auth_api_key: \"\"",
    "allow_impersonation: false",
];

#[test]
fn every_documented_setting_is_there_with_its_type_and_default() {
    let docs = docs::<Config>(&AuthApp::IDENTITY);
    let rows: Vec<Vec<&str>> = docs.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    for (names, kind, default) in TABLE {
        let row = rows.iter().find(|row| row.get(1) == Some(names));
        let row = row.unwrap_or_else(|| panic!("{names} is not documented:\n{docs}"));
        assert_eq!((row[2], row[3]), (*kind, *default), "{names}");
    }
}

/// An OpenCloud's settings say where its tokens are; here they are imported into the database.
#[test]
fn storage_of_tokens_in_an_opencloud_is_reported_as_no_setting() {
    let secret = "an-adequate-secret-of-32-bytes-ok";
    let own = ["OCIS_JWT_SECRET", "AUTH_APP_TOKEN_KEY", "OCIS_MACHINE_AUTH_API_KEY"].map(|name| (name, secret));
    let theirs = [
        ("AUTH_APP_STORAGE_DRIVER", "jsoncs3"),
        ("AUTH_APP_JSONCS3_PROVIDER_ADDR", "eu.opencloud.api.storage-system"),
        ("AUTH_APP_JSONCS3_SYSTEM_USER_IDP", "internal"),
        ("AUTH_APP_JSONCS3_PASSWORD_GENERATOR", "diceware"),
        ("AUTH_APP_JSONCS3_DICEWARE_NUMBER_OF_WORDS", "6"),
    ];
    let environment: Environment = own.into_iter().chain(theirs).collect();
    let warnings = load::<Config>(&AuthApp::IDENTITY, &environment).expect("a configuration").warnings;
    for (name, _) in theirs {
        let line = format!("{name} is set, but auth-app has no such setting; it is ignored");
        assert!(warnings.iter().any(|warning| warning.starts_with(&line)), "{name}: {warnings:?}");
    }
}

#[test]
fn the_example_has_the_documented_shape() {
    let example = example::<Config>(&AuthApp::IDENTITY);
    let mut lines = example.lines();
    for expected in EXAMPLE {
        assert!(lines.any(|line| line == *expected), "{expected:?} is missing, or out of order:\n{example}");
    }
}
