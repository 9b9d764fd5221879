//! The pages for `OAuth` clients of the provider: a list, a new client, its settings, its secret, its removal. What is wrong with the
//! metadata of a client is for idp to say.

mod create;
mod edit;
mod form;
mod list;
mod remove;
mod secret;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use proto::doorward::idp::v1::idp_admin_api_client::IdpAdminApiClient;
use proto::doorward::idp::v1::{Client, ClientSource, GetClientRequest, GetIssuersRequest, Issuer};
use serde_json::{Map, Value};
use status::Kind;
use tonic::Status;

use super::administrator::Administrator;
use super::client_text::{ClientText, client_text};
use super::users::segment;
use super::{AdminPage, AdminSection};
use crate::config::ADMIN;
use crate::state::AccountState;
use crate::transport::Transport;

/// The path of the clients, below that of the administration.
const CLIENTS: &str = "/clients";
/// The longest identifier that is read, in bytes.
const MAX_ID: usize = 2048;

/// The entry in the navigation.
pub(super) const PAGE: AdminPage = AdminPage {
    section: AdminSection::Clients,
    path: CLIENTS,
    label: |language| client_text(language).clients,
    is_available: |services| services.clients.is_some(),
};

/// The pages.
pub(super) fn router() -> Router<AccountState> {
    let path = |below: &str| format!("{ADMIN}{CLIENTS}{below}");
    Router::new()
        .route(&path(""), get(list::show))
        .route(&path("/new"), get(create::show).post(create::create))
        .route(&path("/of/{id}"), get(edit::show).post(edit::save))
        .route(&path("/of/{id}/metadata"), get(edit::show).post(edit::save_metadata))
        .route(&path("/of/{id}/secret"), get(secret::confirm).post(secret::rotate))
        .route(&path("/of/{id}/remove"), get(remove::confirm).post(remove::remove))
}

/// An administrator, and idp, which has the clients.
pub(super) struct ClientAdministrator {
    administrator: Administrator,
    api: IdpAdminApiClient<Transport>,
}

impl FromRequestParts<AccountState> for ClientAdministrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let administrator = Administrator::from_request_parts(parts, state).await?;
        match &state.administration.clients {
            Some(api) => Ok(Self { administrator, api: api.clone() }),
            None => Err(administrator.not_found()),
        }
    }
}

impl ClientAdministrator {
    /// The texts of these pages.
    fn texts(&self) -> &'static ClientText {
        client_text(self.administrator.context().language)
    }

    /// The client with this identifier.
    ///
    /// # Errors
    /// The page that says why there is none.
    async fn client(&mut self, id: &str) -> Result<Client, Response> {
        let request = self.administrator.signed_in.on_behalf().call(GetClientRequest { id: id.to_owned() });
        match self.api.get_client(request).await {
            Ok(response) => response.into_inner().client.ok_or_else(|| self.administrator.not_found()),
            Err(status) => Err(self.administrator.failure(&status)),
        }
    }

    /// The issuers of the provider. None if idp does not name them: the page of a secret is shown this once, also without them.
    async fn issuers(&mut self) -> Vec<Issuer> {
        let request = self.administrator.signed_in.on_behalf().call(GetIssuersRequest {});
        match self.api.get_issuers(request).await {
            Ok(response) => response.into_inner().issuers,
            Err(status) => {
                tracing::warn!(%status, "idp does not name its issuers, and the page of a client is shown without them");
                Vec::new()
            }
        }
    }

    /// The URL of a page of this client.
    fn path_of(&self, id: &str, below: &str) -> String {
        self.administrator.path(&format!("{CLIENTS}/of/{}{below}", segment(id)))
    }
}

/// What a service says is wrong with a form; `None` if it has failed for another reason.
pub(super) fn problem(status: &Status) -> Option<String> {
    let kind = Kind::from_grpc(status.code());
    let is_about_form = matches!(kind, Kind::InvalidArgument | Kind::AlreadyExists | Kind::FailedPrecondition);
    is_about_form.then(|| status.message().to_owned())
}

/// Whether a client can be changed here.
fn is_changeable(client: &Client) -> bool {
    matches!(client.source(), ClientSource::Added | ClientSource::Registered)
}

/// The metadata of a client.
fn metadata_of(client: &Client) -> Map<String, Value> {
    serde_json::from_str(&client.metadata).unwrap_or_default()
}

/// Whether a client authenticates with a secret, which is the default (RFC 7591 2): not if it is public, or has a key or certificate.
fn has_secret(metadata: &Map<String, Value>) -> bool {
    let method = metadata.get("token_endpoint_auth_method").and_then(Value::as_str);
    method.is_none_or(|method| method.starts_with("client_secret_"))
}

/// What to call a client.
fn name_of(client: &Client) -> &str {
    if client.name.is_empty() { &client.id } else { &client.name }
}

/// Where a client comes from, in words.
fn source_text(texts: &ClientText, source: ClientSource) -> &'static str {
    match source {
        ClientSource::BuiltIn => texts.built_in,
        ClientSource::Configured | ClientSource::Unspecified => texts.configured,
        ClientSource::Added => texts.added,
        ClientSource::Registered => texts.registered,
        ClientSource::Document => texts.document,
    }
}
