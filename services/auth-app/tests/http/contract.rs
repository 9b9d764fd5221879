//! The `OpenAPI` document, as what every answer has to fit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};

use auth_app::http::openapi_document;
use axum::extract::Query;
use axum::http::Uri;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::support::{Call, Reply, TOKENS};

/// Schemas of responses in which every member must be described.
const CLOSED: [&str; 3] = ["Token", "MadeToken", "Problem"];
/// Headers that need no description.
const PLAIN: [&str; 3] = ["content-type", "content-length", "allow"];

/// The document, with the validators of its schemas by where they stand in it.
pub(crate) struct Contract {
    document: Value,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

pub(crate) fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);
    &CONTRACT
}

impl Contract {
    fn read() -> Self {
        let mut document: Value = serde_json::from_str(&openapi_document()).expect("the document is JSON");
        for name in CLOSED {
            document["components"]["schemas"][name]["unevaluatedProperties"] = json!(false);
        }
        Self { document, validators: Mutex::default() }
    }

    /// What stands at this place.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not described"))
    }

    /// Panics unless the answer is one that is described for the call.
    #[track_caller]
    pub(crate) fn check(&self, call: &Call<'_>, answer: &Reply) {
        let uri: Uri = call.target.parse().expect("a target");
        let what = format!("{} {} answers {} {}", call.method, call.target, answer.status, answer.text);
        check_secrets(call, answer, &what);
        let Some(path) = self.template(uri.path()) else {
            assert_eq!(answer.status, 404, "{what}");
            return;
        };
        let is_head = call.method == "HEAD";
        let method = if is_head { "get".to_owned() } else { call.method.to_lowercase() };
        let operation = format!("{path}/{method}");
        if self.document.pointer(&operation).is_none() {
            assert_eq!(answer.status, 405, "{what}");
            assert_eq!(methods(answer.header("allow")), self.methods(&path), "{what}");
            return;
        }
        let response = self.resolved(&format!("{operation}/responses/{}", answer.status.as_u16()));
        let response = response.unwrap_or_else(|| panic!("not described: {what}"));
        self.check_headers(&response, answer, &what);
        self.check_content(&response, answer, is_head, &what);
        if answer.status.is_success() {
            self.check_request(&path, &operation, &uri, call.body);
        }
    }

    /// Where the path of a target is described; with a `/` at its end the collection is the same.
    fn template(&self, path: &str) -> Option<String> {
        let path = if path == format!("{TOKENS}/") { TOKENS } else { path };
        let segments: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            let same =
                |(part, segment): (&&str, &&str)| part == segment || (part.starts_with('{') && !segment.is_empty());
            parts.len() == segments.len() && parts.iter().zip(&segments).all(same)
        };
        let mut templates = self.at("/paths").as_object()?.keys();
        // a path that is described as it stands goes before one with a variable part
        let found = templates.clone().find(|template| *template == path).or_else(|| templates.find(|one| fits(one)))?;
        Some(format!("/paths/{}", escaped(found)))
    }

    fn methods(&self, path: &str) -> BTreeSet<String> {
        let known = ["get", "post", "put", "patch", "delete"];
        let described = known.into_iter().filter(|method| self.at(path).get(method).is_some());
        let upper: BTreeSet<String> = described.map(str::to_uppercase).collect();
        let head = upper.contains("GET").then(|| "HEAD".to_owned());
        upper.into_iter().chain(head).collect()
    }

    fn check_headers(&self, response: &str, answer: &Reply, what: &str) {
        let none = serde_json::Map::new();
        let described = self.at(response).get("headers").and_then(Value::as_object).unwrap_or(&none);
        for name in answer.headers.keys() {
            let is_described = described.keys().any(|one| one.eq_ignore_ascii_case(name.as_str()));
            assert!(is_described || PLAIN.contains(&name.as_str()), "the header {name} is not described: {what}");
        }
        for name in described.keys() {
            let header = self.resolved(&format!("{response}/headers/{name}")).expect("a header");
            let values: Vec<_> = answer.headers.get_all(name).iter().collect();
            let is_required = self.at(&header)["required"] == json!(true);
            assert!(values.len() <= 1 && (!is_required || values.len() == 1), "{name} is there once: {what}");
            for value in values {
                let value = json!(value.to_str().expect("a text"));
                self.assert_fits(&format!("{header}/schema"), &value, &format!("{name}: {what}"));
            }
        }
    }

    fn check_content(&self, response: &str, answer: &Reply, is_head: bool, what: &str) {
        let Some(content) = self.at(response).get("content") else {
            assert_eq!(answer.text, "", "{what}");
            return;
        };
        let media_type = answer.header("content-type");
        assert!(content.get(media_type).is_some(), "{media_type} is not described: {what}");
        if is_head {
            assert_eq!(answer.text, "", "{what}");
        } else {
            self.assert_fits(&format!("{response}/content/{}/schema", escaped(media_type)), &answer.body, what);
        }
    }

    /// Each request that the service accepts must be valid by the document, or clients could not rely on it.
    fn check_request(&self, path: &str, operation: &str, uri: &Uri, body: &str) {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).expect("a query");
        let mut query = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in pairs {
            query.entry(name).or_default().push(value);
        }
        for (name, values) in query {
            let schema = self.parameter(path, operation, &name);
            let schema = schema.unwrap_or_else(|| panic!("the parameter {name} is not described: {uri}"));
            let value = match self.at(&schema)["type"].as_str() {
                Some("array") => json!(values),
                Some("integer") => json!(values[0].parse::<i64>().expect("a number")),
                _ => json!(values[0]),
            };
            self.assert_fits(&schema, &value, &format!("{name} was accepted: {uri}"));
        }
        if !body.is_empty() {
            let body = serde_json::from_str(body).expect("JSON");
            let schema = format!("{operation}/requestBody/content/application~1json/schema");
            self.assert_fits(&schema, &body, &format!("the body was accepted: {uri}"));
        }
    }

    /// Where the schema of a query's parameter stands.
    fn parameter(&self, path: &str, operation: &str, name: &str) -> Option<String> {
        let lists = [format!("{path}/parameters"), format!("{operation}/parameters")];
        let lengths =
            lists.iter().map(|list| self.document.pointer(list).and_then(Value::as_array).map_or(0, Vec::len));
        let places =
            lists.iter().zip(lengths).flat_map(|(list, length)| (0..length).map(move |at| format!("{list}/{at}")));
        let mut places = places.filter_map(|place| self.resolved(&place));
        places
            .find(|place| self.at(place)["in"] == "query" && self.at(place)["name"] == name)
            .map(|one| format!("{one}/schema"))
    }

    /// The place that a place refers to, if it does, or itself.
    fn resolved(&self, pointer: &str) -> Option<String> {
        match self.document.pointer(pointer)?.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.resolved(reference.trim_start_matches('#')),
            None => Some(pointer.to_owned()),
        }
    }

    #[track_caller]
    pub(crate) fn assert_fits(&self, schema: &str, value: &Value, what: &str) {
        let validator = self.validator(schema);
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what}: does not fit {schema}: {errors:?}");
    }

    /// Whether a value fits the schema at this place.
    pub(crate) fn fits(&self, schema: &str, value: &Value) -> bool {
        self.validator(schema).is_valid(value)
    }

    fn validator(&self, schema: &str) -> Arc<Validator> {
        let mut known = self.validators.lock().expect("no panic");
        Arc::clone(known.entry(schema.to_owned()).or_insert_with(|| Arc::new(self.compile(schema))))
    }

    fn compile(&self, schema: &str) -> Validator {
        // what it refers to stands at the same place as in the document
        let root = json!({ "allOf": [self.at(schema)], "components": self.document["components"] });
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        options.build(&root).unwrap_or_else(|error| panic!("{schema}: {error}"))
    }
}

/// Only the response that makes a token contains its secret, and no response may be cached.
#[track_caller]
fn check_secrets(call: &Call<'_>, answer: &Reply, what: &str) {
    if call.target.starts_with(TOKENS) {
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
        let makes_one = call.method == "POST" && answer.status.is_success();
        let whole = format!("{:?} {}", answer.headers, answer.text);
        assert_eq!(whole.matches("dwa_").count(), usize::from(makes_one), "{what}");
    }
}

fn methods(allow: &str) -> BTreeSet<String> {
    allow.split(',').map(|method| method.trim().to_owned()).collect()
}

/// A name as a part of a JSON pointer.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
