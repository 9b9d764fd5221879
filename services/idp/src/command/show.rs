//! Clients and times as they are printed.

use std::time::{Duration, UNIX_EPOCH};

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use authn::BoxError;
use proto::doorward::idp::v1::{Client, ClientSource};
use runtime::print;
use serde_json::{Value, json};

fn source(client: &Client) -> &'static str {
    match client.source() {
        ClientSource::Unspecified => "unknown",
        ClientSource::BuiltIn => "built-in",
        ClientSource::Configured => "configured",
        ClientSource::Added => "added",
        ClientSource::Registered => "registered",
        ClientSource::Document => "document",
    }
}

fn metadata(client: &Client) -> Value {
    serde_json::from_str(&client.metadata).unwrap_or_default()
}

/// A client.
pub(super) fn value(client: &Client) -> Value {
    json!({ "source": source(client), "created": client.created, "metadata": metadata(client) })
}

/// A new client, with its secret.
pub(super) fn made(client: &Client, secret: &str) -> Value {
    let mut value = metadata(client);
    if let Value::Object(members) = &mut value {
        members.insert("client_id".to_owned(), client.id.clone().into());
        if !secret.is_empty() {
            members.insert("client_secret".to_owned(), secret.into());
        }
    }
    value
}

/// Prints JSON.
pub(super) fn json(value: &Value) -> Result<(), BoxError> {
    print(format_args!("{}\n", serde_json::to_string_pretty(value)?))
}

/// A new client in lines.
pub(super) fn lines(client: &Client, secret: &str) -> String {
    let id = format!("client_id      {}\n", client.id);
    if secret.is_empty() { id } else { format!("{id}client_secret  {secret}\n") }
}

/// Prints clients in columns.
pub(super) fn table(clients: &[Client]) -> Result<(), BoxError> {
    let row = |id: &str, source: &str, name: &str| print(format_args!("{id:36}  {source:10}  {name}\n"));
    row("ID", "SOURCE", "NAME")?;
    clients.iter().try_for_each(|client| row(&client.id, source(client), &client.name))
}

/// A time (RFC 3339).
pub(super) fn date(seconds: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}
