//! What the `OpenAPI` documents of services have in common. Each document is generated from the handlers of its service, and
//! `cargo xtask openapi` writes its copy in `docs/openapi`.

use serde_json::Value;
use utoipa::openapi::info::{Info, InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder};

/// The media type of problems (RFC 9457, section 6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The name of the schema of problems in every document.
pub const PROBLEM: &str = "Problem";

/// What a document says of its service.
pub fn info(service: &str, version: &str, description: &str) -> Info {
    let licence = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new().title(service).version(version).description(Some(description));
    info.license(Some(licence)).build()
}

/// Tags with what they stand for.
pub fn tags<const N: usize>(tags: [(&str, &str); N]) -> [Tag; N] {
    tags.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())
}

/// Requires one of these security schemes.
pub fn one_of<const N: usize>(schemes: [&str; N]) -> [SecurityRequirement; N] {
    schemes.map(|scheme| SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []))
}

/// A response whose body is a problem of the schema [`PROBLEM`].
pub fn problem(description: &str, example: Option<Value>) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(PROBLEM))).example(example).build();
    ResponseBuilder::new().description(description).content(PROBLEM_JSON, content)
}

/// The operations of a document.
pub fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        let PathItem { get, put, post, delete, patch, .. } = item;
        [get, put, post, delete, patch].into_iter().flatten()
    })
}

/// Gives every operation the response with this name for each status that it does not describe.
pub fn set_default_response(document: &mut OpenApi, response: &str) {
    for operation in operations(document) {
        let reference = || Ref::from_response_name(response).into();
        operation.responses.responses.entry("default".to_owned()).or_insert_with(reference);
    }
}

/// The text of a document, with a line break at its end.
pub fn text(document: &OpenApi) -> String {
    // the document has no maps with keys other than texts, which alone could fail
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathsBuilder};
    use utoipa::openapi::{Components, OpenApiBuilder};

    use super::*;

    #[test]
    fn document_has_its_service_and_a_default_response_for_each_operation() {
        let operation = |id: &str| OperationBuilder::new().operation_id(Some(id));
        let described = operation("two").response("default", problem("Another one.", None));
        let paths = PathsBuilder::new()
            .path("/a", PathItem::new(HttpMethod::Get, operation("one")))
            .path("/b", PathItem::new(HttpMethod::Patch, described));
        let components = Components::builder().response("Failure", problem("Failed.", Some(json!({ "status": 500 }))));
        let mut document = OpenApiBuilder::new()
            .info(info("example", "1.0", "An example."))
            .tags(Some(tags([("things", "All of them.")])))
            .security(Some(one_of(["bearer", "session"])))
            .components(Some(components.build()))
            .paths(paths)
            .build();
        assert_eq!(operations(&mut document).count(), 2);
        set_default_response(&mut document, "Failure");
        let text = text(&document);
        assert!(text.ends_with("}\n"), "{text}");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.0"), &json!("example")));
        assert_eq!(document["security"], json!([{ "bearer": [] }, { "session": [] }]));
        let default = |pointer: &str| document.pointer(pointer).expect("a response").clone();
        let reference = json!({ "$ref": "#/components/responses/Failure" });
        assert_eq!(default("/paths/~1a/get/responses/default"), reference);
        assert_eq!(default("/paths/~1b/patch/responses/default")["description"], "Another one.");
        let content = default("/components/responses/Failure/content/application~1problem+json");
        assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem");
        assert_eq!(content["example"]["status"], 500);
    }
}
