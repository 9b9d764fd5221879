//! `IdpAdminAPI`, for administrators and the operator.

pub mod account;
pub mod account_admin;
mod account_messages;
mod change;
mod convert;
pub mod factors;
pub mod invitations;
pub mod keys;
pub mod sessions;

#[cfg(test)]
mod tests;

use std::time::Duration;

use ::token::{Claims, authorize_admin};
use authn::Caller;
use proto::doorward::idp::v1::{
    AddClientRequest, AddClientResponse, AddInitialAccessRequest, AddInitialAccessResponse, GetClientRequest,
    GetClientResponse, GetIssuersRequest, GetIssuersResponse, ListClientsRequest, ListClientsResponse,
    RemoveClientRequest, RemoveClientResponse, RotateSecretRequest, RotateSecretResponse, UpdateClientRequest,
    UpdateClientResponse,
    idp_admin_api_server::{IdpAdminApi, IdpAdminApiServer},
};
use secrecy::ExposeSecret;
use status::Kind;
use store::StoreError;
use tonic::{Request, Response, Status};

use self::change::Change;
use crate::Provider;
use crate::engine::claims::check_id_token_claims;
use crate::engine::clients::{Addition, ChangeError, Metadata, secret};
use crate::model::seconds;

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 128 * 1024;
/// The maximum and the default number of entries of a page.
const PAGE: u32 = 100;
/// The longest time for which a replaced secret stays valid.
const MOST_GRACE: Duration = Duration::from_hours(30 * 24);
/// The longest lifetime of an initial access token.
const LONGEST_ACCESS: Duration = Duration::from_hours(365 * 24);
/// The most registrations with an initial access token.
const MOST_USES: u32 = 1_000;

/// The gRPC service.
pub struct Api(Provider);

/// Serves it, to requests of at most so many bytes; 128 KiB by default.
pub fn serve(provider: Provider, limit: Option<usize>) -> IdpAdminApiServer<Api> {
    IdpAdminApiServer::new(Api(provider)).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

impl Api {
    /// The caller, who has to be an administrator.
    fn admin<T>(&self, request: &Request<T>) -> Result<(Claims, Caller), Status> {
        let claims = authorize_admin(&self.0.verifier, self.0.clock.now(), request.metadata())?;
        Ok((claims, Caller::of(request.metadata(), request.extensions())))
    }

    /// Records what was done with a client.
    fn record(&self, (claims, caller): &(Claims, Caller), event: &str, client: &str) {
        let change = Change { event, client, ..Change::default() };
        change::record(&self.0.audit_events, (claims, caller), &change, self.0.clock.now());
    }
}

fn refused(error: &ChangeError) -> Status {
    match error {
        ChangeError::Store(error) => failed(error),
        error => status::grpc(error.kind(), error.to_string()),
    }
}

/// The status for a failure of the store; the cause is logged, and not returned to the caller.
fn failed(error: &StoreError) -> Status {
    tracing::error!(%error, "the database failed");
    status::grpc(error.kind(), "the database failed")
}

fn invalid(text: impl Into<String>) -> Status {
    status::grpc(Kind::InvalidArgument, text)
}

#[tonic::async_trait]
impl IdpAdminApi for Api {
    async fn add_client(&self, request: Request<AddClientRequest>) -> Result<Response<AddClientResponse>, Status> {
        let by = self.admin(&request)?;
        let metadata = Metadata::parse(request.into_inner().metadata.as_bytes());
        let metadata = metadata.and_then(|metadata| metadata.refuse_unknown().map(|()| metadata));
        let metadata = metadata.map_err(|error| refused(&error.into()))?;
        check_id_token_claims(&metadata).map_err(|error| refused(&error.into()))?;
        let made = self.0.clients.add(metadata, Addition::ByOperator).await.map_err(|error| refused(&error))?;
        self.record(&by, "client_add", &made.described.client.id);
        let secret = made.secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default();
        Ok(Response::new(AddClientResponse { client: Some(convert::client(&made.described)), secret }))
    }

    async fn list_clients(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        self.admin(&request)?;
        let ListClientsRequest { page_size, page_token } = request.into_inner();
        let size = if page_size == 0 { PAGE } else { page_size.min(PAGE) } as usize;
        let mut all = self.0.clients.all().await.map_err(|error| failed(&error))?;
        all.retain(|described| page_token.is_empty() || described.client.id > page_token);
        let is_last = all.len() <= size;
        all.truncate(size);
        let next = all.last().filter(|_| !is_last).map(|described| described.client.id.clone());
        let clients = all.iter().map(convert::client).collect();
        Ok(Response::new(ListClientsResponse { clients, next_page_token: next.unwrap_or_default() }))
    }

    async fn get_client(&self, request: Request<GetClientRequest>) -> Result<Response<GetClientResponse>, Status> {
        self.admin(&request)?;
        let found = self.0.clients.describe(&request.into_inner().id).await.map_err(|error| failed(&error))?;
        let found = found.ok_or_else(|| refused(&ChangeError::Unknown))?;
        Ok(Response::new(GetClientResponse { client: Some(convert::client(&found)) }))
    }

    async fn update_client(
        &self,
        request: Request<UpdateClientRequest>,
    ) -> Result<Response<UpdateClientResponse>, Status> {
        let by = self.admin(&request)?;
        let UpdateClientRequest { id, metadata } = request.into_inner();
        let changes = serde_json::from_str(&metadata).map_err(|_| invalid("metadata: is no JSON object"))?;
        let made = self.0.clients.update(&id, &changes, check_id_token_claims).await;
        let made = made.map_err(|error| refused(&error))?;
        self.record(&by, "client_update", &id);
        let secret = made.secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default();
        Ok(Response::new(UpdateClientResponse { client: Some(convert::client(&made.described)), secret }))
    }

    async fn rotate_secret(
        &self,
        request: Request<RotateSecretRequest>,
    ) -> Result<Response<RotateSecretResponse>, Status> {
        let by = self.admin(&request)?;
        let RotateSecretRequest { id, grace } = request.into_inner();
        let grace = Duration::from_secs(grace);
        if grace > MOST_GRACE {
            return Err(invalid("grace is longer than 30 days"));
        }
        let secret = self.0.clients.rotate(&id, grace).await.map_err(|error| refused(&error))?;
        self.record(&by, "client_secret_rotate", &id);
        Ok(Response::new(RotateSecretResponse { secret: secret.expose_secret().to_owned() }))
    }

    async fn remove_client(
        &self,
        request: Request<RemoveClientRequest>,
    ) -> Result<Response<RemoveClientResponse>, Status> {
        let by = self.admin(&request)?;
        let id = request.into_inner().id;
        self.0.clients.remove(&id).await.map_err(|error| refused(&error))?;
        self.record(&by, "client_remove", &id);
        Ok(Response::new(RemoveClientResponse {}))
    }

    async fn add_initial_access(
        &self,
        request: Request<AddInitialAccessRequest>,
    ) -> Result<Response<AddInitialAccessResponse>, Status> {
        let by = self.admin(&request)?;
        let AddInitialAccessRequest { uses, expires_in } = request.into_inner();
        if !(1..=MOST_USES).contains(&uses) {
            return Err(invalid(format!("uses is not from 1 to {MOST_USES}")));
        }
        if !(1..=LONGEST_ACCESS.as_secs()).contains(&expires_in) {
            return Err(invalid("expires_in is not from 1 second to 365 days"));
        }
        let token = secret::generate(&self.0.random);
        let expires = self.0.clock.now() + Duration::from_secs(expires_in);
        let digest = secret::digest(token.expose_secret());
        self.0.store.add_initial_access(digest, uses, expires).await.map_err(|error| failed(&error))?;
        self.record(&by, "initial_access_add", "");
        let expires = i64::try_from(seconds(expires)).unwrap_or(i64::MAX);
        Ok(Response::new(AddInitialAccessResponse { token: token.expose_secret().to_owned(), expires }))
    }

    async fn get_issuers(&self, request: Request<GetIssuersRequest>) -> Result<Response<GetIssuersResponse>, Status> {
        self.admin(&request)?;
        let issuers = self.0.issuers.iter().map(convert::issuer).collect();
        Ok(Response::new(GetIssuersResponse { issuers }))
    }
}
