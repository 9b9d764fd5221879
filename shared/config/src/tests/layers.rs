//! Which layer, and which name, wins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Folder, read_ok};
use crate::{ClientTls, Environment, ListenAddr, base_data_path, config_dir};

#[test]
fn the_environment_wins_over_files_and_files_over_defaults() {
    let folder = Folder::holding("doorward.yaml", "auth-app:\n  log: {level: info, file: one, pretty: true}\n");
    folder.write("auth-app.yaml", "log: {level: warn, file: two}\n");
    let log = read_ok(&folder.env().with("OCIS_LOG_LEVEL", "trace")).config.log;
    assert_eq!(log.level, "trace");
    assert_eq!(log.file, Some("two".into()));
    assert!(log.pretty);
    assert!(!log.color);
}

#[test]
fn other_services_sections_are_not_judged() {
    let folder = Folder::holding("doorward.yaml", "auth-basic: {nonsense: [1]}\nidp: 3\n");
    assert_eq!(read_ok(&folder.env()).warnings, Vec::<String>::new());
}

#[test]
fn a_section_that_is_nearly_ours_is_warned_about() {
    let folder = Folder::holding("doorward.yaml", "auth_app: {log: {level: info}}\n");
    let warnings = read_ok(&folder.env()).warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("did you mean auth-app?"), "{warnings:?}");
}

#[test]
fn the_last_name_that_is_set_wins() {
    let env = Folder::new().env().with("OCIS_LOG_LEVEL", "info").with("AUTH_APP_LOG_LEVEL", "warn");
    assert_eq!(read_ok(&env).config.log.level, "warn");
    let env = Folder::new().env().with("OCIS_LOG_LEVEL", "info").with("OC_LOG_LEVEL", "debug");
    assert_eq!(read_ok(&env).config.log.level, "debug");
    let env = env.with("AUTH_APP_LOG_LEVEL", "error");
    assert_eq!(read_ok(&env).config.log.level, "error");
}

#[test]
fn an_empty_variable_empties_texts_and_lists_but_is_not_a_number() {
    let folder = Folder::holding("auth-app.yaml", "log: {level: info, color: true}\nhttp: {max_body_size: 7}\n");
    let env = folder
        .env()
        .with("AUTH_APP_LOG_LEVEL", "")
        .with("OCIS_CORS_ALLOW_ORIGINS", "")
        .with("AUTH_APP_LOG_COLOR", "")
        .with("OCIS_LOG_PRETTY", "1")
        .with("AUTH_APP_LOG_PRETTY", "")
        .with("AUTH_APP_HTTP_MAX_BODY_SIZE", "");
    let config = read_ok(&env).config;
    assert_eq!(config.log.level, "");
    assert_eq!(config.http.cors.allow_origins, Vec::<String>::new());
    assert!(config.log.color && config.log.pretty);
    assert_eq!(config.http.max_body_size, 7);
}

#[test]
fn empty_oc_variable_hides_the_equal_name_where_empty_is_a_value() {
    let env = Folder::new().env().with("OCIS_LOG_LEVEL", "debug").with("OCIS_LOG_PRETTY", "true");
    let log = read_ok(&env.with("OC_LOG_LEVEL", "").with("OC_LOG_PRETTY", "")).config.log;
    assert_eq!((log.level.as_str(), log.pretty), ("", true));
}

#[test]
fn yaml_values_are_typed_and_texts_keep_their_spelling() {
    let folder = Folder::holding(
        "auth-app.yaml",
        "reva: {address: 0x1F, tls: {mode: on}}\ngrpc:\n  tls: ~\n  request_timeout: 90\nhttp:\n  cors:\n    \
         allow_headers: [1e5, true]\n    allow_methods: GET, PUT\ntoken_manager: {expires: 1h30m}\n",
    );
    let config = read_ok(&folder.env()).config;
    assert_eq!(config.reva.address, "0x1F");
    assert_eq!(config.reva.tls.mode(), ClientTls::On);
    assert_eq!(config.grpc.request_timeout, Duration::from_secs(90));
    assert_eq!(config.http.cors.allow_headers, ["1e5", "true"]);
    assert_eq!(config.http.cors.allow_methods, ["GET", "PUT"]);
    assert_eq!(config.token_manager.expires, Duration::from_mins(90));
}

#[test]
fn empty_documents_and_aliases_are_yaml() {
    for text in ["", "# nothing\n", "---\n", "~\n", "{}\n", "log:\n"] {
        assert_eq!(read_ok(&Folder::holding("auth-app.yaml", text).env()).config.log.level, "");
    }
    let folder = Folder::holding("auth-app.yaml", "log: {level: &one info}\nreva: {address: *one}\n");
    assert_eq!(read_ok(&folder.env()).config.reva.address, "info");
}

#[test]
fn files_that_were_read_are_told() {
    let folder = Folder::holding("auth-app.yaml", "");
    let secret = folder.write("key", "0123456789abcdef0123456789abcdef\n");
    let env = folder.bare_env().with("OCIS_JWT_SECRET_FILE", secret.to_str().expect("UTF-8"));
    assert_eq!(read_ok(&env).files, [folder.0.path().join("auth-app.yaml"), secret]);
}

#[test]
fn mistyped_variables_are_warned_about() {
    let folder = Folder::new();
    let env = folder
        .env()
        .with("AUTH_APP_LOG_LEVLE", "info")
        .with("AUTH_APP_JWT_SECRET_PREVIOUS_FIEL", "x")
        .with("AUTH_APP_SERVICE_HOST", "10.0.0.1")
        .with("AUTH_APP_PORT_9246_TCP_ADDR", "10.0.0.1")
        .with("AUTH_APPLE", "1")
        .with("PROXY_ENABLE_APP_AUTH", "true");
    let warnings = read_ok(&env).warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].ends_with("did you mean AUTH_APP_JWT_SECRET_PREVIOUS_FILE?"), "{warnings:?}");
    assert!(warnings[1].ends_with("did you mean AUTH_APP_LOG_LEVEL?"), "{warnings:?}");
}

#[test]
fn addresses() {
    let env = Folder::new().env().with("AUTH_APP_DEBUG_ADDR", "").with("AUTH_APP_HTTP_ADDR", ":0");
    let config = read_ok(&env.with("AUTH_APP_GRPC_ADDR", "[::1]:80")).config;
    assert_eq!(config.debug.addr, ListenAddr::Off);
    assert_eq!(config.http.addr, ListenAddr::Tcp { host: String::new(), port: 0 });
    assert_eq!(config.grpc.addr, ListenAddr::Tcp { host: "::1".into(), port: 80 });
}

#[test]
fn a_named_folder_that_does_not_exist_is_warned_about() {
    let folder = Folder::new();
    let nowhere = folder.0.path().join("nowhere").display().to_string();
    let warnings = read_ok(&folder.env().with("OC_CONFIG_DIR", &nowhere)).warnings;
    assert_eq!(warnings, [format!("the configuration folder {nowhere} does not exist")]);
}

#[test]
fn folders() {
    let home = Environment::from([("HOME", "/home/ada")]);
    assert_eq!(config_dir(&home), Path::new("/home/ada/.config/doorward"));
    assert_eq!(base_data_path(&home), Path::new("/home/ada/.local/share/doorward"));
    let xdg = home.with("XDG_CONFIG_HOME", "/c").with("XDG_DATA_HOME", "/d");
    assert_eq!((config_dir(&xdg), base_data_path(&xdg)), ("/c/doorward".into(), "/d/doorward".into()));
    let given = xdg.with("OCIS_CONFIG_DIR", "/cc").with("OC_BASE_DATA_PATH", "/dd");
    assert_eq!((config_dir(&given), base_data_path(&given)), (PathBuf::from("/cc"), PathBuf::from("/dd")));
    assert_eq!(base_data_path(&Environment::default()), Path::new("/var/lib/doorward"));
}

#[test]
fn environment_shows_names_only() {
    let environment = Environment::from([("A", "1"), ("B", "1")]).with("B", "2");
    let values = (environment.get("A"), environment.get("B"), environment.get("C"));
    assert_eq!(values, (Some("1"), Some("2"), None));
    assert_eq!(format!("{environment:?}"), r#"{"A", "B"}"#);
}

#[test]
fn byte_order_mark_before_yaml_is_skipped() {
    let folder = Folder::new();
    folder.write("doorward.yaml", "\u{feff}auth-app:\n  log: {level: warn}\n");
    folder.write("auth-app.yaml", "\u{feff}grpc: {addr: 127.0.0.1:1}\r\nhttp: {addr: 127.0.0.1:2}\r\n");
    let read = read_ok(&folder.env());
    assert_eq!(read.config.log.level, "warn");
    assert_eq!(read.config.grpc.addr.to_string(), "127.0.0.1:1");
    assert_eq!(read.config.http.addr.to_string(), "127.0.0.1:2");
}
