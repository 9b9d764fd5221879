//! The OpenAPI document: what the handlers do not say themselves.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi, OpenApiBuilder, Server};
use utoipa::{PartialSchema, ToSchema};
use web::openapi::{PROBLEM, info, one_of, problem, set_default_response, tags};

use super::problem::ProblemDetails;

const DESCRIPTION: &str = "What the account and administration pages do, for programs. The caller is the user of the credential that \
    the edge has accepted: an access token as `Authorization: Bearer`, or the session of a browser. App tokens and credentials with \
    restricted scopes may not do what only a user who has signed in may.\n\n\
    A request that changes something has `Content-Type: application/json`, also where its body is `{}`; a DELETE needs none. It is \
    refused if `Sec-Fetch-Site` or `Origin` names another site. Members of bodies and parameters that are not known are refused. \
    Responses are not cached.\n\n\
    A list that has `next_page_token` goes on: send it as `page_token`. Times are in UTC.\n\n\
    A problem with status 403 and `WWW-Authenticate: Bearer error=\"insufficient_user_authentication\"` means that the user has to sign \
    in anew, at most `max_age` seconds ago or with the level in `acr_values` (RFC 9470), and to send the request again with the access \
    token of that sign-in.\n\n\
    The edge has the paths that begin with `/admin` at `/admin`, too, unless the operator has moved them.";

/// The tags, in the order of the document, with what they stand for.
const TAGS: [(&str, &str); 16] = [
    ("account", "The account of the signed-in user."),
    ("tokens", "The app tokens of the signed-in user."),
    ("sessions", "The sessions of the signed-in user."),
    ("connected applications", "The applications with access to the account of the signed-in user."),
    ("events", "What happened with the account of the signed-in user."),
    ("profile", "The profile of the signed-in user."),
    ("password", "The password of the signed-in user."),
    ("administration: users", "All users; for administrators, as what follows."),
    ("administration: groups", "All groups and their members."),
    ("administration: tokens", "The app tokens of all users."),
    ("administration: service accounts", "The service accounts of the database."),
    ("administration: clients", "The OAuth clients of the provider."),
    ("administration: keys", "The signing keys of the provider."),
    ("administration: sessions", "The sessions of all users, and the applications with access to their accounts."),
    ("administration: events", "The audit log."),
    ("administration: health", "Whether the services are ready."),
];

/// The document without operations.
pub(super) fn frame() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token of a client that belongs to the installation, at the edge."));
    let session = ApiKeyValue::with_description("__Host-doorward", "The session of a browser at the edge.");
    let components = Components::builder()
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)))
        .schema(ProblemDetails::name(), ProblemDetails::schema())
        .schema(super::problem::Weakness::name(), super::problem::Weakness::schema())
        .response(PROBLEM, problem("Why the request was not fulfilled.", None))
        .build();
    OpenApiBuilder::new()
        .info(info("account", env!("CARGO_PKG_VERSION"), DESCRIPTION))
        .components(Some(components))
        .security(Some(one_of(["bearer", "session"])))
        .tags(Some(tags(TAGS)))
        .build()
}

/// The document with these operations, as the API below this root has them.
pub(super) fn text(mut document: OpenApi, root: &str) -> String {
    document.servers = Some(vec![Server::new(root)]);
    set_default_response(&mut document, PROBLEM);
    web::openapi::text(&document)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::super::openapi_document;
    use crate::Config;

    fn document() -> Value {
        serde_json::from_str(&openapi_document(Config::default().root())).expect("JSON")
    }

    #[test]
    fn copy_in_the_documentation_is_up_to_date() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi/account.json");
        let copy = std::fs::read_to_string(file).unwrap_or_default();
        let is_current = copy == openapi_document(Config::default().root());
        assert!(is_current, "docs/openapi/account.json is not up to date; run: cargo xtask openapi");
    }

    #[test]
    fn operations_have_names_of_their_own_and_known_tags() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let tags: BTreeSet<&str> = super::TAGS.iter().map(|(name, _)| *name).collect();
        let (mut names, mut used) = (BTreeSet::new(), BTreeSet::new());
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let name = operation["operationId"].as_str().expect("a name").to_owned();
                assert!(names.insert(name.clone()), "{name} names two operations");
                let tag = operation["tags"][0].as_str().expect("a tag").to_owned();
                assert!(tags.contains(&*tag), "{method} {path}: {tag}");
                assert_eq!(path.starts_with("/admin/api/v1/"), tag.starts_with("administration"), "{path}: {tag}");
                used.insert(tag);
                assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{method} {path}");
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let has_text = parameter["description"].as_str().is_some_and(|text| !text.is_empty());
                    assert!(has_text, "{method} {path}: {parameter}");
                }
            }
        }
        assert_eq!(used.len(), tags.len(), "each tag is used");
    }

    /// A body with another member is refused, and so the document says.
    #[test]
    fn bodies_have_no_other_members_and_references_resolve() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
        let bodies = document["paths"].as_object().expect("paths").values();
        let bodies = bodies.flat_map(|item| item.as_object().expect("operations").values());
        for schema in bodies.filter_map(|operation| {
            operation.pointer("/requestBody/content/application~1json/schema/$ref").and_then(Value::as_str)
        }) {
            let body = document.pointer(schema.trim_start_matches('#')).expect("a schema");
            let is_free = schema.ends_with("ClientMetadata");
            assert!(is_free || body["additionalProperties"] == false, "{schema}");
        }
    }
}
