//! Which configurations are refused, and the messages to the operator.

use super::{Folder, read_ok, refusal};

fn refused_yaml(text: &str) -> String {
    let folder = Folder::holding("auth-app.yaml", text);
    let shown = refusal(&folder.env());
    shown.replace(&format!("{}/", folder.0.path().display()), "")
}

#[test]
fn unknown_keys() {
    assert_eq!(
        refused_yaml("token_manager:\n  jwt_secrt: x\n"),
        "auth-app.yaml: there is no setting token_manager.jwt_secrt; did you mean token_manager.jwt_secret?"
    );
    assert_eq!(
        refused_yaml("jwt_secret: x\n"),
        "auth-app.yaml: there is no setting jwt_secret; did you mean token_manager.jwt_secret?"
    );
    assert_eq!(refused_yaml("frobnicate: 1\n"), "auth-app.yaml: there is no setting frobnicate");
    let folder = Folder::holding("doorward.yaml", "auth-app:\n  logs: {}\n");
    assert!(refusal(&folder.env()).ends_with("no setting auth-app.logs; did you mean auth-app.log?"));
}

#[test]
fn wrong_types() {
    let text = refusal(&Folder::new().env().with("AUTH_APP_LOG_COLOR", "yes"));
    assert_eq!(text, r#"AUTH_APP_LOG_COLOR must be a bool (true or false), not "yes""#);
    assert_eq!(
        refused_yaml("grpc: {request_timeout: soon}\n"),
        r#"auth-app.yaml: grpc.request_timeout must be a duration (like 10s, 5m or 1h30m), not "soon""#
    );
    assert!(refused_yaml("http: {max_body_size: 1.5}\n").contains("must be an int"));
    assert!(refused_yaml("http: {addr: nowhere}\n").contains("http.addr must be an address"));
    assert_eq!(refused_yaml("log: {file: [a]}\n"), "auth-app.yaml: log.file must be a path, not a list");
}

#[test]
fn wrong_shapes_without_telling_values() {
    assert_eq!(
        refused_yaml("token_manager: hush\n"),
        "auth-app.yaml: token_manager must be a group of keys, not a single value"
    );
    let folder = Folder::holding("auth-app.yaml", "token_manager: {jwt_secret: [hush]}\n");
    assert!(refusal(&folder.bare_env()).ends_with("token_manager.jwt_secret must be a string, not a list"));
    assert_eq!(
        refused_yaml("log: {level: {a: b}}\n"),
        "auth-app.yaml: log.level must be a string, not a group of keys"
    );
    assert_eq!(refused_yaml("- a\n"), "auth-app.yaml must be a group of keys, not a list");
}

#[test]
fn what_is_not_yaml() {
    assert!(refused_yaml("log: [\n").starts_with("auth-app.yaml is not valid YAML: "));
    assert!(refused_yaml("log: {}\nlog: {}\n").contains("duplicate"));
    assert!(refused_yaml("log: !secret {}\n").contains("YAML without tags"));
    assert!(refused_yaml("[a]: 1\n").contains("a key cannot be a list"));
}

#[test]
fn an_unreadable_file() {
    let folder = Folder::new();
    std::fs::create_dir(folder.0.path().join("auth-app.yaml")).expect("creates");
    assert!(refusal(&folder.env()).starts_with("cannot read the configuration file "));
}

#[test]
fn settings_that_do_not_fit() {
    let env = |name: &str, value: &str| Folder::new().env().with(name, value);
    assert_eq!(
        refusal(&env("OCIS_HTTP_TLS_CERTIFICATE", "a.pem")),
        "OCIS_HTTP_TLS_KEY is not set, but the certificate is; set both or none"
    );
    assert_eq!(
        refusal(&env("OCIS_GRPC_TLS_CLIENT_CA", "a.pem")),
        "OCIS_GRPC_TLS_ENABLED must be true where clients have to show a certificate"
    );
    assert_eq!(
        refusal(&env("OCIS_HTTP_TLS_CLIENT_CA", "a.pem")),
        "OCIS_HTTP_TLS_ENABLED must be true where clients have to show a certificate"
    );
    assert_eq!(
        refusal(&env("OC_LOG_LEVEL", "loud")),
        "OCIS_LOG_LEVEL (or AUTH_APP_LOG_LEVEL) must be one of: empty, panic, fatal, error, warn, info, debug, trace; it is \"loud\""
    );
    assert!(refusal(&env("OCIS_GRPC_PROTOCOL", "unix")).starts_with("AUTH_APP_GRPC_ADDR must be the path of a socket"));
    assert!(
        refusal(&env("OCIS_JWT_EXPIRES", "0"))
            .starts_with("OCIS_JWT_EXPIRES (or AUTH_APP_JWT_EXPIRES) must be at least")
    );
}

#[test]
fn pages_that_cannot_be_named_so() {
    let refused = |name: &str, value: &str| refusal(&Folder::new().env().with(name, value));
    let text = refused("OCIS_CORS_ALLOW_ORIGINS", "https://good.example,null");
    assert!(text.starts_with("OCIS_CORS_ALLOW_ORIGINS (or AUTH_APP_CORS_ALLOW_ORIGINS) must be origins"), "{text}");
    assert!(text.ends_with("\"null\" is none"), "{text}");
    assert!(refused("AUTH_APP_CORS_ALLOW_ORIGINS", "https://good.example/").contains("https://good.example/"));
    assert_eq!(
        refused("OC_CORS_ALLOW_METHODS", "GET,PUT IT"),
        "OCIS_CORS_ALLOW_METHODS (or AUTH_APP_CORS_ALLOW_METHODS) must be names of methods or *; \"PUT IT\" is none"
    );
    assert_eq!(
        refused("OCIS_CORS_ALLOW_HEADERS", "Accept, X:Y"),
        "OCIS_CORS_ALLOW_HEADERS (or AUTH_APP_CORS_ALLOW_HEADERS) must be names of headers or *; \"X:Y\" is none"
    );
    let env = Folder::new().env().with("OCIS_CORS_ALLOW_ORIGINS", "https://good.example, *");
    read_ok(&env.with("OCIS_CORS_ALLOW_METHODS", "*").with("OCIS_CORS_ALLOW_HEADERS", "*"));
}
