//! The schemas of texts that several parameters and members have, for the `OpenAPI` document.

use utoipa::openapi::schema::{ArrayBuilder, RefBuilder};
use utoipa::openapi::{ComponentsBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type};

use crate::model::Kind;
use crate::policy::{MAX_LABEL, MAX_REASON};

/// The names of the schemas.
pub(super) const DURATION: &str = "Duration";
pub(super) const LABEL: &str = "Label";
pub(super) const REASON: &str = "Reason";
const SCOPE: &str = "Scope";

/// A duration, or `never`.
pub(super) const EXPIRY: &str = "^(never|([0-9]+d|([0-9]+d)?([0-9]+([.][0-9]+)?[hms])+))$";
/// A duration, as the policy reads it.
const DURATION_PATTERN: &str = "^([0-9]+d|([0-9]+d)?([0-9]+([.][0-9]+)?[hms])+)$";
/// A text without control characters.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
const SCOPE_PATTERN: &str = "^(user|profile|tokens:(read|write)|node:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}:(r|w|rw|wr)|\
    path:/.*:(r|w|rw|wr))$";
/// The most scopes that a token has.
const MAX_SCOPES: usize = 32;

/// Adds the schemas of texts.
pub(super) fn with_texts(components: ComponentsBuilder) -> ComponentsBuilder {
    let text = |pattern: &str, description: &str| {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).description(Some(description))
    };
    let duration = text(DURATION_PATTERN, "Numbers with the units `d`, `h`, `m` and `s`; at least a second.");
    let scope = text(
        SCOPE_PATTERN,
        "`user`: everything that the owner may. `node:UUID:PERM`: a file, or a folder with what is in it. `path:/PREFIX:PERM`: everything \
         at or below a path. `tokens:read`, `tokens:write`: reading, or administering, the owner's app tokens. `profile`: reading who the \
         owner is. PERM is `r`, `w` or `rw`. The operator may grant fewer kinds.",
    );
    let scopes = ["user", "node:4c510ada-c86b-4815-8820-42cdf82c3d51:r", "path:/Photos:rw"];
    components
        .schema(DURATION, duration.examples(["72h", "1h30m", "7d"]))
        .schema(LABEL, text(LINE, "One short line.").max_length(Some(MAX_LABEL)))
        .schema(REASON, text(LINE, "One short line.").max_length(Some(MAX_REASON)))
        .schema(SCOPE, scope.examples(scopes))
}

/// A list of scopes, with what they are for.
pub(super) fn scopes(description: &str) -> ArrayBuilder {
    let description = Some(description).filter(|text| !text.is_empty());
    let items = ArrayBuilder::new().items(Ref::from_schema_name(SCOPE)).description(description);
    items.min_items(Some(1)).max_items(Some(MAX_SCOPES))
}

/// The scopes of a token.
pub(super) fn scopes_of_token() -> RefOr<Schema> {
    scopes("What it may do, sorted.").into()
}

/// The scopes of a new token.
pub(super) fn scopes_of_new_token() -> RefOr<Schema> {
    scopes("What it may do; everything that its owner may if it is left out.").into()
}

/// How a token came to be.
pub(super) fn kind() -> RefOr<Schema> {
    let text = "Created by its owner for an application, by its owner as a personal access token, or by an administrator in the name of \
        the owner.";
    let names = Kind::ALL.map(Kind::name);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).description(Some(text)).into()
}

/// The label of a token.
pub(super) fn label() -> RefOr<Schema> {
    Ref::from_schema_name(LABEL).into()
}

/// Why an administrator acts in the name of a user.
pub(super) fn reason() -> RefOr<Schema> {
    let text =
        "With `user_id` or `user_name`: why an administrator acts in the name of another user, for the audit log.";
    RefBuilder::new().ref_location_from_schema_name(REASON).description(Some(text)).into()
}

/// After how long a token expires.
pub(super) fn expires_in() -> RefOr<Schema> {
    let text = "After how long it expires. `never` is refused unless the operator allows it.";
    let never = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["never"]));
    length(text).item(never).into()
}

/// The window of a sliding token.
pub(super) fn window() -> RefOr<Schema> {
    length("In place of `expires_in`: it expires when it was not used for so long. Between 60 seconds and 30 days.")
        .into()
}

/// The longest lifetime of a sliding token.
pub(super) fn max_lifetime() -> RefOr<Schema> {
    length("With `window`: after how long it expires however much it is used.").into()
}

/// The identifier of the owner of a new token.
pub(super) fn user_id() -> RefOr<Schema> {
    name("The identifier of its owner, as `userID` in a query.")
}

/// The login name of the owner of a new token.
pub(super) fn user_name() -> RefOr<Schema> {
    name("The login name of its owner, as `userName` in a query.")
}

fn name(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).description(Some(description)).into()
}

fn length(description: &str) -> OneOfBuilder {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).description(Some("Seconds."));
    let duration = Ref::from_schema_name(DURATION);
    OneOfBuilder::new().description(Some(description)).item(seconds).item(duration)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn new_tokens_may_have_lengths_in_seconds_and_as_texts() {
        let schema = serde_json::to_value(expires_in()).expect("JSON");
        assert_eq!(schema["oneOf"][0]["minimum"], 1);
        assert_eq!(schema["oneOf"][1], json!({ "$ref": "#/components/schemas/Duration" }));
        assert_eq!(schema["oneOf"][2]["enum"], json!(["never"]));
        let window = serde_json::to_value(window()).expect("JSON");
        assert_eq!(window["oneOf"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn kinds_are_those_of_the_domain() {
        let schema = serde_json::to_value(kind()).expect("JSON");
        assert_eq!(schema["enum"], json!(["app", "personal", "impersonated"]));
    }
}
