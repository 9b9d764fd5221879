//! How the command line reaches stored service accounts: the running auth-service by gRPC, or the database of a stopped one through the
//! very same service, called in this process.

use authn::BoxError;
use proto::doorward::serviceaccounts::v1::{
    AddSecretRequest, AddSecretResponse, CreateServiceAccountRequest, CreateServiceAccountResponse,
    DeleteServiceAccountRequest, GetServiceAccountRequest, ListServiceAccountsRequest, RemoveSecretRequest,
    ServiceAccount, UpdateServiceAccountRequest, service_accounts_api_client::ServiceAccountsApiClient,
};
use runtime::{Context, Service, client, operator_token, running};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status};

use crate::admin::{Transport, in_process, transport};
use crate::services::Settings;
use crate::user_administration::refused;

const NO_ACCOUNT: &str = "auth-service answered without an account";

/// Administers stored service accounts.
pub(crate) struct ServiceAccounts {
    api: ServiceAccountsApiClient<Transport>,
    token: MetadataValue<Ascii>,
    /// Where the running service answers.
    address: Option<String>,
}

impl ServiceAccounts {
    /// Reaches the accounts. The token is minted here: whoever can read the secret is the operator.
    pub(crate) async fn connect(settings: &Settings, context: &Context) -> Result<Self, BoxError> {
        let token = operator_token(&settings.gateway.token_manager, context)?;
        let config = &settings.auth_service;
        let address = running(&config.grpc.addr);
        let transport = if let Some(address) = &address {
            transport(client::channel(address, &settings.gateway.grpc_client_tls, context)?)
        } else {
            let opened = auth_service::open(config, context).await?;
            in_process(auth_service::app(&opened, config, context)?)?
        };
        Ok(Self { api: ServiceAccountsApiClient::new(transport), token, address })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, self.token.clone());
        request
    }

    /// The response of the service, or why it refused.
    fn answered<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, BoxError> {
        let refusal = |status: Status| match &self.address {
            Some(address) => {
                runtime::refusal(auth_service::AuthService::IDENTITY.name, address, "AUTH_SERVICE_GRPC_ADDR", &status)
            }
            None => refused(status),
        };
        answer.map(Response::into_inner).map_err(refusal)
    }

    /// All accounts whose id or name contains this text.
    pub(crate) async fn list(&mut self, query: &str) -> Result<Vec<ServiceAccount>, BoxError> {
        let (mut accounts, mut page_token) = (Vec::new(), String::new());
        loop {
            let message = ListServiceAccountsRequest { page_size: 0, page_token, query: query.to_owned() };
            let answer = self.api.list_service_accounts(self.request(message)).await;
            let page = self.answered(answer)?;
            accounts.extend(page.accounts);
            if page.next_page_token.is_empty() {
                return Ok(accounts);
            }
            page_token = page.next_page_token;
        }
    }

    /// The account with this id.
    pub(crate) async fn get(&mut self, id: &str) -> Result<ServiceAccount, BoxError> {
        let message = GetServiceAccountRequest { id: id.to_owned() };
        let answer = self.api.get_service_account(self.request(message)).await;
        self.answered(answer)?.account.ok_or_else(|| NO_ACCOUNT.into())
    }

    /// Adds an account.
    pub(crate) async fn create(
        &mut self,
        message: CreateServiceAccountRequest,
    ) -> Result<CreateServiceAccountResponse, BoxError> {
        let answer = self.api.create_service_account(self.request(message)).await;
        self.answered(answer)
    }

    /// Changes an account; returns it as it is then.
    pub(crate) async fn update(&mut self, message: UpdateServiceAccountRequest) -> Result<ServiceAccount, BoxError> {
        let answer = self.api.update_service_account(self.request(message)).await;
        self.answered(answer)?.account.ok_or_else(|| NO_ACCOUNT.into())
    }

    /// Deletes an account.
    pub(crate) async fn delete(&mut self, id: &str) -> Result<(), BoxError> {
        let message = DeleteServiceAccountRequest { id: id.to_owned() };
        let answer = self.api.delete_service_account(self.request(message)).await;
        self.answered(answer).map(drop)
    }

    /// Gives an account another secret.
    pub(crate) async fn add_secret(&mut self, message: AddSecretRequest) -> Result<AddSecretResponse, BoxError> {
        let answer = self.api.add_secret(self.request(message)).await;
        self.answered(answer)
    }

    /// Removes a secret; returns the account without it.
    pub(crate) async fn remove_secret(&mut self, id: &str, secret_id: &str) -> Result<ServiceAccount, BoxError> {
        let message = RemoveSecretRequest { id: id.to_owned(), secret_id: secret_id.to_owned() };
        let answer = self.api.remove_secret(self.request(message)).await;
        self.answered(answer)?.account.ok_or_else(|| NO_ACCOUNT.into())
    }
}
