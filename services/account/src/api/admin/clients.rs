//! The OAuth clients of the provider. What is wrong with the metadata of a client is for idp to say. Changes need a recent sign-in.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::idp::v1::idp_admin_api_client::IdpAdminApiClient;
use proto::doorward::idp::v1::{
    self as messages, AddClientRequest, ClientSource as Source, GetClientRequest, ListClientsRequest,
    RemoveClientRequest, RotateSecretRequest, UpdateClientRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::problem::{Problem, ProblemDetails};
use super::super::request::{Id, Members, Parameters};
use super::super::timestamp::Timestamp;
use super::super::tokens::Page;
use super::super::{created, given};
use crate::http::admin::users::segment;
use crate::state::AccountState;
use crate::transport::Transport;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, remove))
        .routes(routes!(rotate_secret))
}

/// The metadata of a client (RFC 7591, section 2, and members of Doorward's own). Members that are not known are refused.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object)]
struct ClientMetadata(Map<String, Value>);

impl ClientMetadata {
    fn into_text(self) -> String {
        Value::from(self.0).to_string()
    }
}

/// A client, without its secret.
#[derive(Serialize, ToSchema)]
struct Client {
    /// `client_id`
    id: String,
    /// What users are shown.
    name: String,
    /// Where it comes from.
    source: ClientSource,
    metadata: ClientMetadata,
    /// When it was added; `null` for those that are built in or configured.
    created: Option<Timestamp>,
}

/// Where a client comes from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ClientSource {
    /// It is built in, and cannot be changed.
    BuiltIn,
    /// It is in the file of clients, and cannot be changed here.
    Configured,
    /// An administrator has added it.
    Added,
    /// It has registered itself.
    Registered,
    /// It is described by the document at its `client_id`.
    Document,
}

impl From<messages::Client> for Client {
    fn from(client: messages::Client) -> Self {
        Self {
            source: match client.source() {
                Source::BuiltIn => ClientSource::BuiltIn,
                Source::Configured | Source::Unspecified => ClientSource::Configured,
                Source::Added => ClientSource::Added,
                Source::Registered => ClientSource::Registered,
                Source::Document => ClientSource::Document,
            },
            id: client.id,
            name: client.name,
            metadata: ClientMetadata(serde_json::from_str(&client.metadata).unwrap_or_default()),
            created: client.created.and_then(Timestamp::of),
        }
    }
}

/// A page of clients.
#[derive(Serialize, ToSchema)]
struct ClientList {
    clients: Vec<Client>,
    /// For the next page; left out if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A client that was created or changed.
#[derive(Serialize, ToSchema)]
struct ChangedClient {
    client: Client,
    /// The secret, if the request has made one. No other response has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A new secret of a client.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    /// For how many seconds the former secret stays valid, at most 30 days; not at all if it is left out.
    #[serde(default)]
    #[schema(maximum = 2_592_000)]
    grace: u64,
}

/// The new secret of a client.
#[derive(Serialize, ToSchema)]
struct ClientSecret {
    /// The secret, which no other response has.
    secret: String,
}

fn api(administrator: &Administrator) -> Result<IdpAdminApiClient<Transport>, Problem> {
    administrator.0.state.administration.clients.clone().ok_or_else(|| Problem::without("idp"))
}

/// Lists the clients, in the order of their identifiers.
#[utoipa::path(
    get,
    path = "/admin/api/v1/clients",
    operation_id = "listClients",
    tag = "administration: clients",
    params(Page),
    responses((status = 200, description = "A page of the clients.", body = ClientList))
)]
async fn list(administrator: Administrator, Parameters(page): Parameters<Page>) -> Result<Json<ClientList>, Problem> {
    let Page { page_size, page_token } = page;
    let request =
        ListClientsRequest { page_size: page_size.unwrap_or_default(), page_token: page_token.unwrap_or_default() };
    let listed = api(&administrator)?.list_clients(administrator.0.on_behalf().call(request)).await?.into_inner();
    let clients = listed.clients.into_iter().map(Client::from).collect();
    Ok(Json(ClientList { clients, next_page_token: given(listed.next_page_token) }))
}

/// Creates a client.
///
/// `client_id` may be in the metadata. The response has the secret, if the client has one. Needs a recent sign-in.
#[utoipa::path(
    post,
    path = "/admin/api/v1/clients",
    operation_id = "createClient",
    tag = "administration: clients",
    request_body(content = ClientMetadata, example = json!({
        "client_name": "Files",
        "redirect_uris": ["https://files.example.org/callback"],
        "token_endpoint_auth_method": "client_secret_basic"
    })),
    responses(
        (
            status = 201,
            description = "The client.",
            body = ChangedClient,
            headers(("Location" = String, description = "The path of the client."))
        ),
        (
            status = 409,
            description = "The identifier is taken.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn create(administrator: Administrator, Members(metadata): Members<ClientMetadata>) -> Result<Response, Problem> {
    let mut api = api(&administrator)?;
    administrator.recent_sign_in().await?;
    let request = AddClientRequest { metadata: metadata.into_text() };
    let added = api.add_client(administrator.0.on_behalf().call(request)).await?.into_inner();
    let client: Client = added.client.unwrap_or_default().into();
    let path = format!("/admin/api/v1/clients/{}", segment(&client.id));
    Ok(created(&administrator.0, &path, ChangedClient { client, secret: given(added.secret) }))
}

/// Returns a client.
#[utoipa::path(
    get,
    path = "/admin/api/v1/clients/{id}",
    operation_id = "getClient",
    tag = "administration: clients",
    params(("id" = String, Path, description = "The identifier of the client.")),
    responses((status = 200, description = "The client.", body = Client))
)]
async fn show(administrator: Administrator, Id(id): Id) -> Result<Json<Client>, Problem> {
    let call = administrator.0.on_behalf().call(GetClientRequest { id });
    let found = api(&administrator)?.get_client(call).await?.into_inner().client;
    Ok(Json(found.ok_or_else(Problem::not_found)?.into()))
}

/// Changes the metadata of a client.
///
/// Members that are left out stay, and one that is `null` is removed. Needs a recent sign-in.
#[utoipa::path(
    patch,
    path = "/admin/api/v1/clients/{id}",
    operation_id = "changeClient",
    tag = "administration: clients",
    params(("id" = String, Path, description = "The identifier of the client.")),
    request_body = ClientMetadata,
    responses((
        status = 200,
        description = "The client as changed, with a secret if the change has made one.",
        body = ChangedClient
    ))
)]
async fn change(
    administrator: Administrator,
    Id(id): Id,
    Members(metadata): Members<ClientMetadata>,
) -> Result<Json<ChangedClient>, Problem> {
    let mut api = api(&administrator)?;
    administrator.recent_sign_in().await?;
    let request = UpdateClientRequest { id, metadata: metadata.into_text() };
    let updated = api.update_client(administrator.0.on_behalf().call(request)).await?.into_inner();
    let client = updated.client.unwrap_or_default().into();
    Ok(Json(ChangedClient { client, secret: given(updated.secret) }))
}

/// Removes a client.
///
/// Everything that users have granted it ends. Needs a recent sign-in.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/clients/{id}",
    operation_id = "removeClient",
    tag = "administration: clients",
    params(("id" = String, Path, description = "The identifier of the client.")),
    responses((status = 204, description = "The client is removed."))
)]
async fn remove(administrator: Administrator, Id(id): Id) -> Result<StatusCode, Problem> {
    let mut api = api(&administrator)?;
    administrator.recent_sign_in().await?;
    api.remove_client(administrator.0.on_behalf().call(RemoveClientRequest { id })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a client a new secret.
///
/// The response has it. Needs a recent sign-in.
#[utoipa::path(
    post,
    path = "/admin/api/v1/clients/{id}/secret",
    operation_id = "rotateClientSecret",
    tag = "administration: clients",
    params(("id" = String, Path, description = "The identifier of the client.")),
    request_body = NewSecret,
    responses((status = 200, description = "The secret.", body = ClientSecret))
)]
async fn rotate_secret(
    administrator: Administrator,
    Id(id): Id,
    Members(new): Members<NewSecret>,
) -> Result<Json<ClientSecret>, Problem> {
    let mut api = api(&administrator)?;
    administrator.recent_sign_in().await?;
    let call = administrator.0.on_behalf().call(RotateSecretRequest { id, grace: new.grace });
    let secret = api.rotate_secret(call).await?.into_inner().secret;
    Ok(Json(ClientSecret { secret }))
}
