//! The settings of every service, as its types describe them.

use authn::BoxError;
use runtime::Random;
use serde_json::Value;

use crate::secrets::Secrets;
use crate::services::{Defaults, ServiceId, View};

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

fn view(service: ServiceId, view: View, variables: &[(&str, &str)]) -> Result<String, BoxError> {
    let secrets = Secrets::make(&Random::seeded(1));
    let variables = [("OCIS_CONFIG_DIR", "/nonexistent")].iter().chain(variables).copied();
    service.view(view, &variables.collect(), &Defaults::new(&secrets))
}

/// Overflows the stack if the `Default` of a section with `serde(default)` calls `config::defaults`, which needs the schema, which
/// needs that `Default`.
#[test]
fn every_service_describes_its_settings() {
    for service in ServiceId::ALL {
        let name = service.name();
        let schema: Value =
            serde_json::from_str(&view(service, View::Schema, &[]).expect("a schema")).expect("is JSON");
        assert_eq!(
            (&schema["title"], &schema["$schema"]),
            (&name.into(), &"https://json-schema.org/draft/2020-12/schema".into())
        );
        let mut count = 0;
        walk(&schema, name, &mut |path, setting| {
            count += 1;
            check_setting(path, setting);
        });
        assert!(count > 20, "{name}: {count} settings");
        let example = view(service, View::Example, &[]).expect("an example");
        assert_eq!(example.lines().nth(3), Some("allow_readable_secrets: false"), "{name}");
    }
}

#[test]
fn password_in_the_url_of_a_database_is_not_shown() {
    let with_database = [ServiceId::Users, ServiceId::AuthBasic, ServiceId::AuthApp, ServiceId::Idp, ServiceId::Proxy];
    for service in with_database {
        let of = |what, url| view(service, what, &[("OCIS_DATABASE_URL", url)]);
        let url = "postgres://doorward:hush-hush@db/doorward";
        let shown = of(View::Show, url).expect("valid");
        assert!(shown.contains("database_url: '***' # env OCIS_DATABASE_URL\n"), "{shown}");
        let checked = of(View::Check, url).expect("valid");
        assert!(!shown.contains("hush-hush") && !checked.contains("hush-hush"), "{shown}{checked}");
        let refusal = of(View::Show, "mysql://doorward:hush-hush@db/doorward").expect_err("not supported").to_string();
        assert!(refusal.contains("DATABASE_URL") && !refusal.contains("hush-hush"), "{refusal}");
    }
}
