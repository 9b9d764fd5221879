//! The running service, as the operator calls it.

use authn::BoxError;
use proto::doorward::idp::v1::{
    AddClientRequest, AddInitialAccessRequest, Client, GetClientRequest, ListClientsRequest, ListClientsResponse,
    RemoveClientRequest, RotateSecretRequest, idp_admin_api_client::IdpAdminApiClient,
};
use runtime::{Context, Service, client, endpoint_of, operator_token};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::{Config, Idp};

/// The service at its own address, and the token of whoever can read its secret.
pub(super) struct Operator {
    client: IdpAdminApiClient<Channel>,
    token: MetadataValue<Ascii>,
    address: String,
}

/// What the service said, without the dress of gRPC.
fn refused(address: &str, status: &Status) -> BoxError {
    match status.code() {
        Code::Unavailable | Code::Cancelled => {
            format!("idp does not answer at {address} (IDP_GRPC_ADDR): {}", status.message()).into()
        }
        _ => status.message().into(),
    }
}

impl Operator {
    /// Gets ready; nothing is connected yet.
    pub(super) fn connect(context: &Context) -> Result<Self, BoxError> {
        let config = runtime::config::load::<Config>(&Idp::IDENTITY, &context.environment)?.config;
        let address = endpoint_of(&config.grpc.addr);
        let channel = client::channel(&address, &config.grpc_client_tls, context)?;
        let token = operator_token(&config.token_manager, context)?;
        Ok(Self { client: IdpAdminApiClient::new(channel), token, address })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, self.token.clone());
        request
    }

    /// Adds a client; its secret is told this once, and empty if it has none.
    pub(super) async fn add(&mut self, message: AddClientRequest) -> Result<(Client, String), BoxError> {
        let request = self.request(message);
        let answer = self.client.add_client(request).await.map_err(|status| refused(&self.address, &status))?;
        let answer = answer.into_inner();
        Ok((answer.client.ok_or("idp answered without a client")?, answer.secret))
    }

    pub(super) async fn list(&mut self, message: ListClientsRequest) -> Result<ListClientsResponse, BoxError> {
        let request = self.request(message);
        let answer = self.client.list_clients(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(answer.into_inner())
    }

    pub(super) async fn get(&mut self, message: GetClientRequest) -> Result<Client, BoxError> {
        let request = self.request(message);
        let answer = self.client.get_client(request).await.map_err(|status| refused(&self.address, &status))?;
        answer.into_inner().client.ok_or_else(|| "idp answered without a client".into())
    }

    pub(super) async fn rotate(&mut self, message: RotateSecretRequest) -> Result<String, BoxError> {
        let request = self.request(message);
        let answer = self.client.rotate_secret(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(answer.into_inner().secret)
    }

    pub(super) async fn remove(&mut self, message: RemoveClientRequest) -> Result<(), BoxError> {
        let request = self.request(message);
        self.client.remove_client(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(())
    }

    pub(super) async fn initial_access(&mut self, message: AddInitialAccessRequest) -> Result<String, BoxError> {
        let request = self.request(message);
        let answer = self.client.add_initial_access(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(answer.into_inner().token)
    }
}
