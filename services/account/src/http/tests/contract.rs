//! Whether a response is as the OpenAPI document describes it.

use std::sync::LazyLock;

use axum::http::Method;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use jsonschema::Draft;
use serde_json::{Value, json};

use super::support::Reply;
use crate::{Config, openapi_document};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&openapi_document(Config::default().root())).expect("JSON"));

/// Fails unless the document has the operation, and the response fits what it says.
#[track_caller]
pub(crate) fn check(method: &Method, target: &str, reply: &Reply) {
    let path = target.split('?').next().unwrap_or_default().strip_prefix("/account").expect("below the root");
    let what = format!("{method} {target}: {} {}", reply.status, reply.page);
    let operation = &DOCUMENT["paths"][template(path)][method.as_str().to_lowercase()];
    assert!(operation.is_object(), "{what}: is not in the document");
    assert_eq!(reply.headers[CACHE_CONTROL], "no-store", "{what}");
    assert_eq!(reply.headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{what}");
    let responses = &operation["responses"];
    let described = [reply.status.as_str(), "default"].into_iter().find_map(|status| responses.get(status));
    let response = resolved(described.expect("the default"));
    let is_described = responses.get(reply.status.as_str()).is_some();
    assert!(is_described || reply.status.is_client_error() || reply.status.is_server_error(), "{what}");
    let Some(content) = response.get("content") else {
        assert!(reply.page.is_empty(), "{what}");
        return;
    };
    let media_type = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let schema = content.get(media_type).unwrap_or_else(|| panic!("{what}: {media_type}"));
    let root = json!({ "allOf": [schema["schema"]], "components": DOCUMENT["components"] });
    let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    let validator = options.build(&root).expect("a schema");
    let body = reply.json();
    let errors: Vec<String> =
        validator.iter_errors(&body).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:?}");
}

/// The path in the document; one without parameters where there are two.
fn template(path: &str) -> &'static str {
    let fits = |template: &&String| {
        let (own, given) = (template.split('/'), path.split('/'));
        own.clone().count() == given.clone().count()
            && own.zip(given).all(|(own, given)| own == given || own.starts_with('{'))
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths").keys();
    let found = paths.filter(fits).min_by_key(|template| template.matches('{').count());
    found.unwrap_or_else(|| panic!("{path} is not in the document"))
}

fn resolved(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).expect("a reference"),
        None => value,
    }
}
