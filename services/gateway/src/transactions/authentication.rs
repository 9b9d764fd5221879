//! A transaction token in the same call that authenticates: CS3 `Authenticate` with a request in its metadata.

use authn::AuthError;
use authn::gateway::TransactionWanted;
use serde::Deserialize;
use serde_json::{Map, Value};
use tonic::metadata::MetadataMap;

/// The metadata of a call that holds the request, as JSON.
pub(crate) const REQUEST_KEY: &str = "x-doorward-txn-request-bin";
/// The metadata of the response that holds the token.
pub(crate) const TOKEN_KEY: &str = "x-doorward-txn-token";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestJson {
    scope: String,
    #[serde(default)]
    request_context: Map<String, Value>,
    #[serde(default)]
    request_details: Map<String, Value>,
}

/// What a caller wants a transaction token for, if it wants one.
///
/// # Errors
/// [`AuthError::Malformed`] for a request that cannot be read.
pub(crate) fn requested(metadata: &MetadataMap) -> Result<Option<TransactionWanted>, AuthError> {
    const PROBLEM: &str =
        "x-doorward-txn-request-bin is no JSON object with scope, request_context and request_details";
    let Some(value) = metadata.get_bin(REQUEST_KEY) else { return Ok(None) };
    let json = value.to_bytes().map_err(|_| AuthError::Malformed(PROBLEM))?;
    let RequestJson { scope, request_context, request_details } =
        serde_json::from_slice(&json).map_err(|_| AuthError::Malformed(PROBLEM))?;
    let text =
        |object: Map<String, Value>| if object.is_empty() { String::new() } else { Value::Object(object).to_string() };
    Ok(Some(TransactionWanted { scope, context: text(request_context), details: text(request_details) }))
}
