//! Cells: the rows of its table of personal tokens as JSON, a list or a row a line, as database tools write them.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;
use store::columns::time;

use super::{FormatError, Record};
use crate::legacy_hashes;
use crate::model::Kind;

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "Uuid", default)]
    uuid: String,
    #[serde(alias = "AccessToken", alias = "accessToken")]
    access_token: String,
    #[serde(alias = "Label", default)]
    label: Option<String>,
    #[serde(alias = "UserUuid", alias = "userUuid", default)]
    user_uuid: String,
    #[serde(alias = "UserLogin", alias = "userLogin", default)]
    user_login: String,
    /// The window in seconds.
    #[serde(alias = "AutoRefresh", alias = "AutoRefreshWindow", alias = "autoRefresh", default)]
    auto_refresh: Option<Value>,
    #[serde(alias = "ExpireAt", alias = "ExpiresAt", alias = "expireAt", default)]
    expire_at: Option<Value>,
    #[serde(alias = "CreatedAt", alias = "createdAt", default)]
    created_at: Option<Value>,
    #[serde(alias = "UpdatedAt", alias = "updatedAt", default)]
    updated_at: Option<Value>,
    /// A list, or the text of a JSON list.
    #[serde(alias = "Scopes", default)]
    scopes: Option<Value>,
}

/// Reads the rows.
///
/// # Errors
/// When they are none.
pub fn cells(file: &[u8]) -> Result<Vec<Record>, FormatError> {
    let is_list = file.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'[');
    let rows: Vec<Row> = if is_list {
        serde_json::from_slice(file)?
    } else {
        serde_json::Deserializer::from_slice(file).into_iter().collect::<Result<_, _>>()?
    };
    rows.into_iter().map(record).collect()
}

fn record(row: Row) -> Result<Record, FormatError> {
    let seconds = |value: &Option<Value>| value.as_ref().and_then(number).filter(|seconds| *seconds > 0);
    let moment = |value| seconds(value).map(|seconds| time(seconds.saturating_mul(1_000_000)));
    Ok(Record {
        id: row.uuid,
        owner_id: row.user_uuid,
        owner_username: row.user_login,
        verifier: verifier(row.access_token),
        label: row.label.unwrap_or_default(),
        kind: Kind::Personal,
        scopes: scopes(row.scopes)?,
        created: moment(&row.created_at).unwrap_or(SystemTime::UNIX_EPOCH),
        expires: moment(&row.expire_at),
        window: seconds(&row.auto_refresh).and_then(|window| u64::try_from(window).ok()).map(Duration::from_secs),
        last_used: moment(&row.updated_at),
    })
}

/// Earlier versions kept the token itself in `SQLite`.
fn verifier(text: String) -> String {
    if text.starts_with("sha256:") {
        return text;
    }
    legacy_hashes::name(&text).iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A token without scopes there is one with everything.
fn scopes(value: Option<Value>) -> Result<Vec<String>, FormatError> {
    let words: Option<Vec<String>> = match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => serde_json::from_str(&text)?,
        Some(list) => serde_json::from_value(list)?,
    };
    Ok(words.filter(|words| !words.is_empty()).unwrap_or_else(|| vec!["user".to_owned()]))
}

/// Seconds since the epoch, as a number, as its text, or as an RFC 3339 time.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok().or_else(|| {
            let format = &::time::format_description::well_known::Rfc3339;
            ::time::OffsetDateTime::parse(text, format).ok().map(::time::OffsetDateTime::unix_timestamp)
        }),
        _ => None,
    }
}
