//! The signing keys of the provider. Changes need a recent sign-in.

use axum::Json;
use axum::http::StatusCode;
use proto::doorward::idp::v1::keys_api_client::KeysApiClient;
use proto::doorward::idp::v1::{
    self as messages, KeyState as State, ListKeysRequest, RetireKeyRequest, RotateKeyRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::problem::{Problem, ProblemDetails};
use super::super::request::{Id, Members};
use super::super::timestamp::Timestamp;
use crate::state::AccountState;
use crate::transport::Transport;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(list, rotate)).routes(routes!(retire))
}

/// A signing key, without its private part.
#[derive(Serialize, ToSchema)]
struct Key {
    /// Its name, as in the header of tokens.
    kid: String,
    /// What it signs with.
    #[schema(example = "ES256")]
    algorithm: String,
    state: KeyState,
    /// When it was made.
    created: Timestamp,
    /// From when on it signs.
    active: Timestamp,
    /// Until when it is published, if another one has taken its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<Timestamp>,
}

/// What a key does.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum KeyState {
    /// It is published and does not sign yet.
    Next,
    /// It signs.
    Current,
    /// It does not sign any more; what it has signed is valid.
    Retired,
    /// Nothing that it has signed is valid any more.
    Over,
}

impl From<messages::Key> for Key {
    fn from(key: messages::Key) -> Self {
        Self {
            state: match key.state() {
                State::Next => KeyState::Next,
                State::Current => KeyState::Current,
                State::Retired => KeyState::Retired,
                State::Over | State::Unspecified => KeyState::Over,
            },
            kid: key.kid,
            algorithm: key.algorithm,
            created: Timestamp::at(key.created),
            active: Timestamp::at(key.active),
            retired: key.retired.and_then(Timestamp::of),
        }
    }
}

/// The signing keys.
#[derive(Serialize, ToSchema)]
struct KeyList {
    /// The keys of each algorithm, the newest first.
    keys: Vec<Key>,
}

/// A new signing key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// What it signs with: RS256, PS256, ES256 or `EdDSA`.
    #[schema(example = "ES256")]
    algorithm: String,
    /// Whether it signs at once, before all others have had the time to read it in the key set.
    #[serde(default)]
    at_once: bool,
}

fn api(administrator: &Administrator) -> Result<KeysApiClient<Transport>, Problem> {
    administrator.0.state.administration.keys.clone().ok_or_else(|| Problem::without("idp"))
}

/// Lists the signing keys.
#[utoipa::path(
    get,
    path = "/admin/api/v1/keys",
    operation_id = "listKeys",
    tag = "administration: keys",
    responses((status = 200, description = "The keys.", body = KeyList))
)]
async fn list(administrator: Administrator) -> Result<Json<KeyList>, Problem> {
    let call = administrator.0.on_behalf().call(ListKeysRequest {});
    let keys = api(&administrator)?.list_keys(call).await?.into_inner().keys;
    Ok(Json(KeyList { keys: keys.into_iter().map(Key::from).collect() }))
}

/// Makes the next signing key.
///
/// If there is one that does not sign yet, it is that one. Needs a recent sign-in.
#[utoipa::path(
    post,
    path = "/admin/api/v1/keys",
    operation_id = "rotateKey",
    tag = "administration: keys",
    request_body = NewKey,
    responses((status = 200, description = "The next key.", body = Key))
)]
async fn rotate(administrator: Administrator, Members(new): Members<NewKey>) -> Result<Json<Key>, Problem> {
    let mut api = api(&administrator)?;
    administrator.recent_sign_in().await?;
    let NewKey { algorithm, at_once } = new;
    let call = administrator.0.on_behalf().call(RotateKeyRequest { algorithm, at_once });
    let made = api.rotate_key(call).await?.into_inner().key.unwrap_or_default();
    Ok(Json(made.into()))
}

/// Withdraws a signing key.
///
/// What it has signed is not valid any more. Needs a recent sign-in.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/keys/{kid}",
    operation_id = "retireKey",
    tag = "administration: keys",
    params(("kid" = String, Path, description = "The name of the key.")),
    responses(
        (status = 204, description = "The key is withdrawn."),
        (
            status = 412,
            description = "No other key of its algorithm signs.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn retire(administrator: Administrator, Id(kid): Id) -> Result<StatusCode, Problem> {
    let mut api = api(&administrator)?;
    administrator.recent_sign_in().await?;
    api.retire_key(administrator.0.on_behalf().call(RetireKeyRequest { kid })).await?;
    Ok(StatusCode::NO_CONTENT)
}
