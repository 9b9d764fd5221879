//! The settings of every service, as its types describe them.

use config::{Environment, Loaded, example, load_over, schema};
use runtime::{Random, Service};
use serde_json::Value;

use crate::secrets::Secrets;
use crate::settings::defaults;

/// Calls `check` with each setting in a schema and its path; sections are checked here.
fn walk(schema: &Value, path: &str, check: &mut impl FnMut(&str, &Value)) {
    let Some(properties) = schema["properties"].as_object() else { return check(path, schema) };
    assert_eq!(schema["additionalProperties"], false, "{path}");
    assert!(schema.get("required").is_none(), "{path}: every setting has a default, or is checked when it is read");
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{path}.{key} has no description");
        walk(property, &format!("{path}.{key}"), check);
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        "null" => value.is_null(),
        _ => false,
    }
}

fn check_setting(path: &str, setting: &Value) {
    let types: Vec<&str> = match &setting["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    assert!(!types.is_empty() && types[0] != "null", "{path}: {setting}");
    assert!(setting["x-env"].is_array(), "{path}: {setting}");
    // `config` reads no other integers
    assert!(
        types[0] != "integer" || ["uint", "uint32", "uint64"].map(Value::from).contains(&setting["format"]),
        "{path}"
    );
    match setting.get("default") {
        None => assert_eq!(setting["x-secret"], true, "{path}: only a secret has no default"),
        Some(default) => {
            assert!(types.iter().any(|name| is_of_type(default, name)), "{path}: {setting}");
            let allowed = setting["enum"].as_array();
            assert!(allowed.is_none_or(|allowed| allowed.contains(default)), "{path}: {setting}");
        }
    }
}

fn check_service<S: Service>() {
    let service = S::IDENTITY.name;
    let schema: Value = serde_json::from_str(&schema::<S::Config>(&S::IDENTITY)).expect("JSON");
    assert_eq!(
        (&schema["title"], &schema["$schema"]),
        (&service.into(), &"https://json-schema.org/draft/2020-12/schema".into())
    );
    let mut count = 0;
    walk(&schema, service, &mut |path, setting| {
        count += 1;
        check_setting(path, setting);
    });
    assert!(count > 20, "{service}: {count} settings");
    let example = example::<S::Config>(&S::IDENTITY);
    assert_eq!(example.lines().nth(3), Some("allow_readable_secrets: false"), "{service}");
}

/// Overflows the stack if the `Default` of a section with `serde(default)` calls `config::defaults`, which needs the schema, which
/// needs that `Default`.
#[test]
fn every_service_describes_its_settings() {
    check_service::<users::Users>();
    check_service::<auth_basic::AuthBasic>();
    check_service::<auth_machine::AuthMachine>();
    check_service::<auth_service::AuthService>();
    check_service::<auth_app::AuthApp>();
    check_service::<auth_bearer::AuthBearer>();
    check_service::<idp::Idp>();
    check_service::<gateway::Gateway>();
    check_service::<proxy::Proxy>();
}

fn check_database_url<S: Service>(defaults: &S::Config) {
    let load = |url: &str| {
        let variables = [("OCIS_CONFIG_DIR", "/nonexistent"), ("OCIS_DATABASE_URL", url)];
        load_over(defaults, &S::IDENTITY, &Environment::from(variables))
    };
    let Loaded { shown, warnings, .. } = load("postgres://doorward:hush-hush@db/doorward").expect("valid");
    assert!(shown.contains("database_url: '***' # env OCIS_DATABASE_URL\n"), "{shown}");
    assert!(!shown.contains("hush-hush") && !warnings.concat().contains("hush-hush"), "{shown}{warnings:?}");
    let refusal =
        load("mysql://doorward:hush-hush@db/doorward").map(drop).expect_err("no database of ours").to_string();
    assert!(refusal.contains("DATABASE_URL") && !refusal.contains("hush-hush"), "{refusal}");
}

#[test]
fn password_in_the_url_of_a_database_is_not_shown() {
    let secrets = Secrets::make(&Random::seeded(1));
    check_database_url::<users::Users>(&defaults::users(&secrets));
    check_database_url::<auth_basic::AuthBasic>(&defaults::auth_basic(&secrets));
    check_database_url::<auth_app::AuthApp>(&defaults::auth_app(&secrets));
    check_database_url::<idp::Idp>(&defaults::idp(&secrets));
    check_database_url::<proxy::Proxy>(&defaults::proxy(&secrets, config::defaults()));
}
