//! Tokens as they are printed.

use std::time::SystemTime;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use authn::BoxError;
use proto::doorward::apptokens::v1::{Kind, Token};
use runtime::print;
use serde_json::{Value, json};
use store::columns::time;

/// A time as text; `never` if there is none.
pub(super) fn date(seconds: Option<i64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), |seconds| rfc3339(time(seconds.saturating_mul(1_000_000))))
}

fn rfc3339(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

fn kind(token: &Token) -> &'static str {
    match token.kind() {
        Kind::Unspecified => "unknown",
        Kind::App => "app",
        Kind::Personal => "personal",
        Kind::Impersonated => "impersonated",
    }
}

/// The members are named as in the HTTP interface.
pub(super) fn value(token: &Token) -> Value {
    let moment = |seconds: Option<i64>| seconds.map(|seconds| date(Some(seconds)));
    json!({
        "id": token.id,
        "owner": token.owner_id,
        "kind": kind(token),
        "label": token.label,
        "scopes": token.scopes,
        "created_date": moment(Some(token.created)),
        "created_by": token.created_by,
        "expiration_date": moment(token.expires),
        "window": token.window,
        "max_expiration_date": moment(token.latest),
        "last_used": moment(token.last_used),
        "last_used_from": token.last_used_from,
        "last_used_by": token.last_used_by,
        "revoked": moment(token.revoked),
    })
}

/// A new token, with its secret.
pub(super) fn made(token: &Token, secret: &str) -> Value {
    let mut value = value(token);
    value["token"] = secret.into();
    value
}

/// Prints JSON.
pub(super) fn json(value: &Value) -> Result<(), BoxError> {
    print(format_args!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Prints one token.
pub(super) fn lines(token: &Token) -> Result<(), BoxError> {
    let lines = [
        ("id", token.id.clone()),
        ("owner", token.owner_id.clone()),
        ("kind", kind(token).to_owned()),
        ("label", token.label.clone()),
        ("scopes", token.scopes.join(", ")),
        ("created", date(Some(token.created))),
        ("created by", token.created_by.clone()),
        ("expires", date(token.expires)),
        (
            "window",
            token.window.map(|seconds| format!("{seconds} s, until {}", date(token.latest))).unwrap_or_default(),
        ),
        ("last used", token.last_used.map(|at| used(token, at)).unwrap_or_default()),
        ("revoked", token.revoked.map(|at| date(Some(at))).unwrap_or_default()),
    ];
    let mut lines = lines.iter().filter(|(_, value)| !value.is_empty());
    lines.try_for_each(|(name, value)| print(format_args!("{name:12}{value}\n")))
}

fn used(token: &Token, at: i64) -> String {
    let parts = [date(Some(at)), token.last_used_from.clone(), token.last_used_by.clone()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

/// Prints tokens in columns.
pub(super) fn table(tokens: &[Token]) -> Result<(), BoxError> {
    let row = |id: &str, kind: &str, expires: &str, used: &str, scopes: &str, label: &str| {
        print(format_args!("{id:36}  {kind:12}  {expires:20}  {used:20}  {scopes:16}  {label}\n"))
    };
    row("ID", "KIND", "EXPIRES", "LAST USED", "SCOPES", "LABEL")?;
    tokens.iter().try_for_each(|token| {
        let used = token.last_used.map_or_else(|| "never".to_owned(), |at| date(Some(at)));
        row(&token.id, kind(token), &date(token.expires), &used, &token.scopes.join(","), &token.label)
    })
}
