//! The `OpenAPI` document itself.

use auth_app::http::openapi_document;
use auth_app::policy::{LONGEST_WINDOW, MAX_LABEL, MAX_REASON, SHORTEST_WINDOW};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::contract::{contract, escaped};
use crate::support::{Call, Reply, Service, TOKENS};

#[tokio::test]
async fn the_document_is_served_without_authentication() {
    let service = Service::new().await;
    let answer = service.send(&Call { method: "GET", target: "/auth-app/openapi.json", ..Call::default() }).await;
    assert_eq!(answer.text, openapi_document());
    assert_eq!(answer.body["openapi"], "3.1.0");
    answer.is(200);
}

#[test]
fn every_example_fits() {
    let mut count = 0;
    check_examples("", contract().at(""), &mut count);
    assert!(count > 20, "only {count} were found");
}

/// Examples are siblings of a schema, or members of one.
fn check_examples(pointer: &str, value: &Value, count: &mut usize) {
    let (schema, examples) = match value.get("schema") {
        Some(_) => (format!("{pointer}/schema"), [value.get("example"), value.get("examples")]),
        None => (pointer.to_owned(), [None, value.get("examples").filter(|examples| examples.is_array())]),
    };
    let [one, more] = examples;
    let more = more.into_iter().flat_map(|examples| match examples {
        Value::Array(examples) => examples.iter().collect::<Vec<_>>(),
        named => named.as_object().into_iter().flat_map(|named| named.values().map(|one| &one["value"])).collect(),
    });
    for example in one.into_iter().chain(more) {
        contract().assert_fits(&schema, example, pointer);
        *count += 1;
    }
    let below: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, one)| (escaped(name), one)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, one)| (at.to_string(), one)).collect(),
        _ => Vec::new(),
    };
    for (name, one) in below {
        check_examples(&format!("{pointer}/{name}"), one, count);
    }
}

#[test]
fn limits_are_those_of_the_policy() {
    let schemas = contract().at("/components/schemas");
    assert_eq!(schemas["Label"]["maxLength"], MAX_LABEL);
    assert_eq!(schemas["Reason"]["maxLength"], MAX_REASON);
    let window = &schemas["TokenDetails"]["properties"]["window"];
    assert_eq!(window["minimum"], SHORTEST_WINDOW.as_secs());
    assert_eq!(window["maximum"], LONGEST_WINDOW.as_secs());
}

#[test]
fn undocumented_request_is_rejected_by_the_contract() {
    let example = |schema: &str| contract().at(&format!("/components/schemas/{schema}/examples/0")).clone();
    let (made, shown) = (example("MadeToken"), example("Token"));
    let problem = contract().at("/components/responses/BadRequest/content/application~1problem+json/example").clone();
    for (schema, example) in [("MadeToken", made.clone()), ("Token", shown), ("Problem", problem)] {
        let schema = format!("/components/schemas/{schema}");
        let mut more = example.clone();
        more["digest"] = json!("x");
        assert!(contract().fits(&schema, &example) && !contract().fits(&schema, &more), "{schema}");
    }
    assert!(!contract().fits("/components/schemas/Token", &made), "a secret is not shown");
}

#[test]
#[should_panic(expected = "not described: GET /auth-app/tokens answers 418")]
fn a_status_that_is_not_described_is_noticed() {
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))].into_iter().collect();
    let answer = Reply { status: StatusCode::IM_A_TEAPOT, headers, body: Value::Null, text: String::new() };
    contract().check(&Call { method: "GET", target: TOKENS, ..Call::default() }, &answer);
}

#[test]
fn documented_formats_are_those_that_the_policy_reads() {
    for (text, is_one) in [
        ("72h", true),
        ("1h30m", true),
        ("1.5h", true),
        ("7d", true),
        ("1d12h", true),
        ("", false),
        ("-1h", false),
        ("72", false),
        ("1e9h", false),
        ("NaN", false),
        ("3x", false),
        ("1h ", false),
        ("1d1", false),
    ] {
        assert_eq!(contract().fits("/components/schemas/Duration", &json!(text)), is_one, "{text}");
        assert_eq!(auth_app::policy::duration(text).is_ok(), is_one, "{text}");
    }
}
