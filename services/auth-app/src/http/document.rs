//! The `OpenAPI` document: what the handlers do not say themselves, and the call that returns it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContentBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    Response, ResponseBuilder, Schema, SchemaFormat, Server, Type,
};
use utoipa::{IntoResponses, PartialSchema};
use web::openapi::{PROBLEM, info, one_of, operations, problem, set_default_response, tags};

use super::answer::Problem;
use super::{routes, schemas};

const DESCRIPTION: &str = "Creates, lists and revokes app tokens: secrets that a user gives to one program in place of a password.\n\n\
    The calls of `/auth-app/tokens` whose parameters are in the query are those of oCIS and OpenCloud. Names of parameters are \
    case-sensitive. `/auth-app/tokens/` is the same as `/auth-app/tokens`. `HEAD` is answered wherever `GET` is; any other method that is \
    not described is answered with 405 and `Allow`. Paths are below `AUTH_APP_HTTP_ROOT`.\n\n\
    An app token opens this interface only if its scope allows it: `tokens:read` to list and show, `tokens:write` to do everything, and \
    a token that it creates may do no more than it may itself.";

/// The tag of the calls for tokens.
const TOKENS: &str = "tokens";
/// The name of the response for what is not described otherwise.
const FAILURE: &str = "Failure";
/// The headers of responses that the document describes once, by their names in it.
const HEADERS: [(&str, &str); 4] =
    [("Cache-Control", "NoStore"), ("Link", "NextPage"), ("Location", "Location"), ("WWW-Authenticate", "Challenge")];

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi_document()));

/// Returns this document.
#[utoipa::path(
    get,
    path = "/auth-app/openapi.json",
    operation_id = "getDocument",
    tag = "document",
    security(()),
    responses((status = 200, description = "The document.", body = Object))
)]
pub(super) async fn show() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// The `OpenAPI` document of the interface.
pub fn openapi_document() -> String {
    let mut document = routes().into_openapi();
    for operation in operations(&mut document) {
        let is_of_tokens = operation.tags.as_ref().is_some_and(|tags| tags.iter().any(|tag| tag == TOKENS));
        if is_of_tokens {
            let responses = operation.responses.responses.values_mut();
            responses.for_each(refer_to_headers);
        }
        // a token can be created by the query alone
        let is_optional = operation.operation_id.as_deref() == Some("createToken");
        if let Some(RefOr::T(body)) = operation.request_body.as_mut().filter(|_| is_optional) {
            body.required = Some(Required::False);
        }
    }
    set_default_response(&mut document, FAILURE);
    require_window(&mut document);
    web::openapi::text(&document)
}

/// The document without operations.
pub(super) fn frame() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
        "At the edge: any credential that the edge accepts. At the service itself: the internal token of the family.",
    ));
    let access_token = ApiKeyValue::with_description(
        "x-access-token",
        "The internal token, which a proxy before the service sets. It wins over `Authorization`.",
    );
    let components = Components::builder()
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .security_scheme("accessToken", SecurityScheme::ApiKey(ApiKey::Header(access_token)))
        .schema(PROBLEM, Problem::schema());
    let mut components = with_responses(schemas::with_texts(components)).build();
    components.headers = headers().into_iter().map(|(name, header)| (name.to_owned(), RefOr::T(header))).collect();
    OpenApiBuilder::new()
        .info(info("auth-app", env!("CARGO_PKG_VERSION"), DESCRIPTION))
        .servers(Some([Server::new("/")]))
        .security(Some(one_of(["bearer", "accessToken"])))
        .tags(Some(tags([(TOKENS, "App tokens."), ("document", "The description of the interface.")])))
        .components(Some(components))
        .build()
}

fn headers() -> [(&'static str, Header); 4] {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let always = || Extensions::from_iter([("required", true)]);
    let header = |schema: ObjectBuilder, description: &str| {
        HeaderBuilder::new().schema(Some(schema)).description(Some(description))
    };
    let no_store =
        header(text().enum_values(Some(["no-store"])), "Responses have secrets, or say which user has which token.");
    let next = text().pattern(Some("^<[^<>]*/auth-app/tokens[?][^<>]*>; rel=\"next\"$"));
    let next_example = "</auth-app/tokens?limit=100&after=01912cd3-4f20-7d18-8a55-0c9b7e6d3a21>; rel=\"next\"";
    let path = text()
        .format(Some(SchemaFormat::Custom("uri-reference".to_owned())))
        .pattern(Some("/auth-app/tokens/[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"));
    let path_example = "/auth-app/tokens/01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c60";
    let challenge = text().pattern(Some("^Bearer realm=\"auth-app\"(, error=\"invalid_token\")?$"));
    let challenge_example = "Bearer realm=\"auth-app\", error=\"invalid_token\"";
    [
        ("NoStore", no_store.extensions(Some(always())).build()),
        (
            "NextPage",
            header(next, "The next page (RFC 8288), if there is one.").example(Some(json!(next_example))).build(),
        ),
        (
            "Location",
            header(path, "The path of the new token.")
                .example(Some(json!(path_example)))
                .extensions(Some(always()))
                .build(),
        ),
        (
            "Challenge",
            header(challenge, "RFC 6750, section 3.")
                .example(Some(json!(challenge_example)))
                .extensions(Some(always()))
                .build(),
        ),
    ]
}

fn reference_to_header(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

/// Says that a response is not cached, and refers to the headers that the components describe.
fn refer_to_headers(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    for (header, name) in HEADERS {
        if header == "Cache-Control" || response.headers.contains_key(header) {
            response.headers.insert(header.to_owned(), RefOr::Ref(reference_to_header(name)));
        }
    }
}

/// Says that `max_lifetime` goes with `window`, which cannot be said at a member.
fn require_window(document: &mut OpenApi) {
    let schemas = document.components.as_mut().map(|components| &mut components.schemas);
    if let Some(RefOr::T(Schema::Object(new_token))) = schemas.and_then(|schemas| schemas.get_mut("NewToken")) {
        let required = json!({ "max_lifetime": ["window"] });
        new_token.extensions.get_or_insert_default().extend([("dependentRequired".to_owned(), required)]);
    }
}

/// A problem of a call for tokens.
fn refusal(status: StatusCode, description: &str, detail: &str, parameter: Option<&str>) -> ResponseBuilder {
    let mut example = json!({
        "status": status.as_u16(),
        "title": status.canonical_reason().unwrap_or_default(),
        "detail": detail,
    });
    if let Some(parameter) = parameter {
        example["parameter"] = Value::from(parameter);
    }
    problem(description, Some(example)).header_ref("Cache-Control", reference_to_header("NoStore"))
}

fn with_responses(components: ComponentsBuilder) -> ComponentsBuilder {
    let bad_request = refusal(
        StatusCode::BAD_REQUEST,
        "The request is wrong; `parameter` names the parameter or member, if it is one. A parameter that is not known is refused, and so is \
         one that is given twice, except for `scope`.",
        "\"72\" is not a duration; it is written like 72h, 30m, 10s, 7d or 1h30m",
        Some("expiry"),
    );
    let unauthenticated = refusal(
        StatusCode::UNAUTHORIZED,
        "There is no internal token, or it is not accepted.",
        "the bearer token is not accepted",
        None,
    );
    let forbidden = refusal(
        StatusCode::FORBIDDEN,
        "The caller may not do this: an app token without the scope `tokens:read` or `tokens:write`, a scope that exceeds the caller's own, \
         or impersonation that is not allowed.",
        "impersonation is not allowed",
        None,
    );
    let not_found = refusal(
        StatusCode::NOT_FOUND,
        "There is no such token, or it belongs to another user, or it has ended; or there is no such user, or the user may not sign in.",
        "there is no such app token",
        None,
    );
    let too_many = refusal(
        StatusCode::CONFLICT,
        "The owner has as many live tokens as are allowed.",
        "there are 100 live app tokens already; end one first",
        None,
    );
    let too_long = refusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        "The body is longer than the operator allows, 1 MiB by default.",
        "the body is too long",
        None,
    );
    let not_json = refusal(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "There is a body, and it is not `application/json`.",
        "a body has to be application/json",
        None,
    );
    let unavailable = refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "The database or the directory of users does not answer. The same request may succeed later.",
        "app tokens are not available",
        None,
    );
    let failure = "Any other failure. From the service it is a problem with status 500, from the listener before it a short text with status \
        429 (too many requests at the same time), 500 or 504 (it took too long).";
    let text = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
    components
        .response("BadRequest", bad_request)
        .response("Unauthenticated", unauthenticated.header_ref("WWW-Authenticate", reference_to_header("Challenge")))
        .response("Forbidden", forbidden)
        .response("NotFound", not_found)
        .response("TooManyTokens", too_many)
        .response("TooLong", too_long)
        .response("NotJson", not_json)
        .response("Unavailable", unavailable)
        .response(FAILURE, problem(failure, None).content("text/plain", text))
}

fn references<const N: usize>(responses: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    responses.map(|(status, name)| (status.to_owned(), RefOr::Ref(Ref::from_response_name(name)))).into()
}

/// The refusals of every call for tokens.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        references([
            ("400", "BadRequest"),
            ("401", "Unauthenticated"),
            ("403", "Forbidden"),
            ("404", "NotFound"),
            ("503", "Unavailable"),
        ])
    }
}

/// Those of a call with a body.
pub(super) struct BodyRefusals;

impl IntoResponses for BodyRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        references([("413", "TooLong"), ("415", "NotJson")])
    }
}

/// That of a call that creates a token.
pub(super) struct TooManyTokens;

impl IntoResponses for TooManyTokens {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        references([("409", "TooManyTokens")])
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn copy_in_the_documentation_is_up_to_date() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi/auth-app.json");
        let copy = std::fs::read_to_string(file).unwrap_or_default();
        assert!(copy == openapi_document(), "docs/openapi/auth-app.json is not up to date; run: cargo xtask openapi");
    }

    #[test]
    fn references_resolve_and_each_call_has_its_refusals() {
        let text = openapi_document();
        let document: Value = serde_json::from_str(&text).expect("JSON");
        for reference in text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
        let statuses = |pointer: &str| -> Vec<String> {
            let responses = document.pointer(pointer).and_then(Value::as_object).expect("responses");
            responses.keys().cloned().collect()
        };
        let of = |path: &str, method: &str| statuses(&format!("/paths/{}/{method}/responses", path.replace('/', "~1")));
        let create = ["200", "201", "400", "401", "403", "404", "409", "413", "415", "503", "default"];
        assert_eq!(of("/auth-app/tokens", "post"), create);
        let plain = ["200", "400", "401", "403", "404", "503", "default"];
        assert_eq!(of("/auth-app/tokens", "get"), plain);
        assert_eq!(of("/auth-app/tokens", "delete"), plain);
        assert_eq!(of("/auth-app/tokens/{id}", "get"), plain);
        let rename = ["200", "400", "401", "403", "404", "413", "415", "503", "default"];
        assert_eq!(of("/auth-app/tokens/{id}", "patch"), rename);
        let revoke = ["204", "400", "401", "403", "404", "503", "default"];
        assert_eq!(of("/auth-app/tokens/{id}", "delete"), revoke);
        assert_eq!(of("/auth-app/openapi.json", "get"), ["200", "default"]);
        assert_eq!(document["components"]["schemas"]["NewToken"]["dependentRequired"]["max_lifetime"][0], "window");
        assert_eq!(document["components"]["headers"]["NoStore"]["required"], true);
        let body = |path: &str| document.pointer(&format!("/paths/{path}/requestBody/required")).cloned();
        assert_eq!(body("~1auth-app~1tokens/post"), Some(json!(false)), "a query creates a token too");
        assert_eq!(body("~1auth-app~1tokens~1{id}/patch"), Some(json!(true)));
    }
}
