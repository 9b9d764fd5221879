//! A client of the running service, for operators.

use std::time::Duration;

use authn::{BoxError, Channel};
use config::load_over;
use proto::doorward::idp::v1::{
    AccountSession, AddClientRequest, AddInitialAccessRequest, Client, EndAllUserSessionsRequest,
    EndEveryUsersSessionsRequest, EndUserSessionRequest, GetClientRequest, InviteUserRequest, Key, ListClientsRequest,
    ListClientsResponse, ListKeysRequest, ListUserEventsRequest, ListUserEventsResponse, ListUserSessionsRequest,
    ListUserSessionsResponse, RemoveClientRequest, ResetFactorsRequest, RetireKeyRequest, RotateKeyRequest,
    RotateSecretRequest, UpdateClientRequest, account_admin_api_client::AccountAdminApiClient,
    factors_api_client::FactorsApiClient, idp_admin_api_client::IdpAdminApiClient,
    invitations_api_client::InvitationsApiClient, keys_api_client::KeysApiClient,
};
use runtime::{Context, Service, client, endpoint_of, operator_token};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status};

use crate::{Config, Idp};

/// The timeout of a call. On a busy machine generating an RSA key alone takes seconds, and the operator waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The service at its own address, and a token that is signed with its secret.
pub(super) struct Operator {
    clients: IdpAdminApiClient<Channel>,
    keys: KeysApiClient<Channel>,
    accounts: AccountAdminApiClient<Channel>,
    factors: FactorsApiClient<Channel>,
    invitations: InvitationsApiClient<Channel>,
    token: MetadataValue<Ascii>,
    address: String,
}

impl Operator {
    /// Prepares the client; the connection is made later.
    pub(super) fn connect(defaults: &Config, context: &Context) -> Result<Self, BoxError> {
        let config = load_over(defaults, &Idp::IDENTITY, &context.environment)?.config;
        let address = endpoint_of(&config.grpc.addr);
        let channel = client::channel_within(&address, &config.grpc_client_tls, Some(PATIENCE), context)?;
        let token = operator_token(&config.token_manager, context)?;
        Ok(Self {
            clients: IdpAdminApiClient::new(channel.clone()),
            keys: KeysApiClient::new(channel.clone()),
            accounts: AccountAdminApiClient::new(channel.clone()),
            factors: FactorsApiClient::new(channel.clone()),
            invitations: InvitationsApiClient::new(channel),
            token,
            address,
        })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, self.token.clone());
        request
    }

    /// The response of the service, or why it refused.
    fn answered<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, BoxError> {
        answer
            .map(Response::into_inner)
            .map_err(|status| runtime::refusal(Idp::IDENTITY.name, &self.address, "IDP_GRPC_ADDR", &status))
    }

    /// Adds a client. Returns its secret, which is shown only once, and is empty if it has none.
    pub(super) async fn add(&mut self, message: AddClientRequest) -> Result<(Client, String), BoxError> {
        let answer = self.clients.add_client(self.request(message)).await;
        let answer = self.answered(answer)?;
        Ok((answer.client.ok_or("idp answered without a client")?, answer.secret))
    }

    pub(super) async fn list(&mut self, message: ListClientsRequest) -> Result<ListClientsResponse, BoxError> {
        let answer = self.clients.list_clients(self.request(message)).await;
        self.answered(answer)
    }

    pub(super) async fn get(&mut self, message: GetClientRequest) -> Result<Client, BoxError> {
        let answer = self.clients.get_client(self.request(message)).await;
        self.answered(answer)?.client.ok_or_else(|| "idp answered without a client".into())
    }

    /// Changes a client. Returns its new secret, which is empty if it has the one it had, or none.
    pub(super) async fn update(&mut self, message: UpdateClientRequest) -> Result<(Client, String), BoxError> {
        let answer = self.clients.update_client(self.request(message)).await;
        let answer = self.answered(answer)?;
        Ok((answer.client.ok_or("idp answered without a client")?, answer.secret))
    }

    pub(super) async fn rotate(&mut self, message: RotateSecretRequest) -> Result<String, BoxError> {
        let answer = self.clients.rotate_secret(self.request(message)).await;
        Ok(self.answered(answer)?.secret)
    }

    pub(super) async fn remove(&mut self, message: RemoveClientRequest) -> Result<(), BoxError> {
        let answer = self.clients.remove_client(self.request(message)).await;
        self.answered(answer).map(drop)
    }

    pub(super) async fn initial_access(&mut self, message: AddInitialAccessRequest) -> Result<String, BoxError> {
        let answer = self.clients.add_initial_access(self.request(message)).await;
        Ok(self.answered(answer)?.token)
    }

    pub(super) async fn keys(&mut self) -> Result<Vec<Key>, BoxError> {
        let answer = self.keys.list_keys(self.request(ListKeysRequest {})).await;
        Ok(self.answered(answer)?.keys)
    }

    pub(super) async fn rotate_key(&mut self, message: RotateKeyRequest) -> Result<Key, BoxError> {
        let answer = self.keys.rotate_key(self.request(message)).await;
        self.answered(answer)?.key.ok_or_else(|| "idp answered without a key".into())
    }

    pub(super) async fn sessions(
        &mut self,
        message: ListUserSessionsRequest,
    ) -> Result<ListUserSessionsResponse, BoxError> {
        let answer = self.accounts.list_user_sessions(self.request(message)).await;
        self.answered(answer)
    }

    /// Ends a session; returns it.
    pub(super) async fn end_session(&mut self, id: String) -> Result<AccountSession, BoxError> {
        let answer = self.accounts.end_user_session(self.request(EndUserSessionRequest { id, user: None })).await;
        self.answered(answer)?.session.ok_or_else(|| "idp answered without a session".into())
    }

    /// Signs a user out everywhere.
    pub(super) async fn end_all_sessions(&mut self, message: EndAllUserSessionsRequest) -> Result<(), BoxError> {
        let answer = self.accounts.end_all_user_sessions(self.request(message)).await;
        self.answered(answer).map(drop)
    }

    /// Signs all users out everywhere; returns how many.
    pub(super) async fn end_every_users_sessions(&mut self) -> Result<u64, BoxError> {
        let (mut users, mut page_token) = (0, String::new());
        loop {
            let message = EndEveryUsersSessionsRequest { page_token };
            let answer = self.accounts.end_every_users_sessions(self.request(message)).await;
            let answer = self.answered(answer)?;
            users += u64::from(answer.users);
            if answer.next_page_token.is_empty() {
                return Ok(users);
            }
            page_token = answer.next_page_token;
        }
    }

    /// A page of the events of the audit log.
    pub(super) async fn events(&mut self, message: ListUserEventsRequest) -> Result<ListUserEventsResponse, BoxError> {
        let answer = self.accounts.list_user_events(self.request(message)).await;
        self.answered(answer)
    }

    /// Removes the second factors of a user. Returns whether there were any.
    pub(super) async fn reset_factors(&mut self, message: ResetFactorsRequest) -> Result<bool, BoxError> {
        let answer = self.factors.reset_factors(self.request(message)).await;
        Ok(self.answered(answer)?.removed)
    }

    /// Sends a user a link to set the first password.
    pub(super) async fn invite_user(&mut self, message: InviteUserRequest) -> Result<(), BoxError> {
        let answer = self.invitations.invite_user(self.request(message)).await;
        self.answered(answer).map(drop)
    }

    pub(super) async fn retire_key(&mut self, message: RetireKeyRequest) -> Result<(), BoxError> {
        let answer = self.keys.retire_key(self.request(message)).await;
        self.answered(answer).map(drop)
    }
}
