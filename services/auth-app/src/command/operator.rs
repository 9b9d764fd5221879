//! The running service, as the operator calls it.

use std::time::Duration;

use authn::{BoxError, Channel};
use config::load_over;
use proto::doorward::apptokens::v1::{
    CreateTokenRequest, GetTokenRequest, ImportOutcome, ImportTokensRequest, ListTokensRequest, ListTokensResponse,
    PersonRef, PruneTokensRequest, RevokeTokenRequest, RevokeTokensRequest, Token,
    app_tokens_api_client::AppTokensApiClient, person_ref,
};
use runtime::{Context, Service, client, endpoint_of, operator_token};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};

use crate::{AuthApp, Config};

/// The service at its own address, and a token that is signed with its secret.
pub(super) struct Operator {
    client: AppTokensApiClient<Channel>,
    token: MetadataValue<Ascii>,
    address: String,
}

/// What the service answered instead.
fn refused(address: &str, status: &Status) -> BoxError {
    runtime::refusal(AuthApp::IDENTITY.name, address, "AUTH_APP_GRPC_ADDR", status)
}

/// The user with this login name.
pub(super) fn by_login(name: &str) -> PersonRef {
    PersonRef { by: Some(person_ref::By::Username(name.to_owned())) }
}

/// As messages have it.
pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

impl Operator {
    /// Gets ready; nothing is connected yet.
    pub(super) fn connect(defaults: &Config, context: &Context) -> Result<Self, BoxError> {
        let config = load_over(defaults, &AuthApp::IDENTITY, &context.environment)?.config;
        let address = endpoint_of(&config.grpc.addr);
        let channel = client::channel(&address, &config.grpc_client_tls, context)?;
        let token = operator_token(&config.token_manager, context)?;
        Ok(Self { client: AppTokensApiClient::new(channel), token, address })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, self.token.clone());
        request
    }

    /// Makes a token and returns its secret, which cannot be read again.
    pub(super) async fn create(&mut self, message: CreateTokenRequest) -> Result<(Token, String), BoxError> {
        let request = self.request(message);
        let answer = self.client.create_token(request).await.map_err(|status| refused(&self.address, &status))?;
        let answer = answer.into_inner();
        Ok((answer.token.ok_or("auth-app answered without a token")?, answer.secret))
    }

    pub(super) async fn list(&mut self, message: ListTokensRequest) -> Result<ListTokensResponse, BoxError> {
        let request = self.request(message);
        let answer = self.client.list_tokens(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(answer.into_inner())
    }

    pub(super) async fn get(&mut self, message: GetTokenRequest) -> Result<Token, BoxError> {
        let request = self.request(message);
        let answer = self.client.get_token(request).await.map_err(|status| refused(&self.address, &status))?;
        answer.into_inner().token.ok_or_else(|| "auth-app answered without a token".into())
    }

    pub(super) async fn revoke(&mut self, message: RevokeTokenRequest) -> Result<String, BoxError> {
        let request = self.request(message);
        let answer = self.client.revoke_token(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(answer.into_inner().id)
    }

    pub(super) async fn revoke_all(&mut self, message: RevokeTokensRequest) -> Result<u64, BoxError> {
        let request = self.request(message);
        let answer = self.client.revoke_tokens(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(answer.into_inner().count)
    }

    pub(super) async fn prune(&mut self, message: PruneTokensRequest) -> Result<u64, BoxError> {
        let request = self.request(message);
        let answer = self.client.prune_tokens(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(answer.into_inner().count)
    }

    pub(super) async fn import(&mut self, message: ImportTokensRequest) -> Result<Vec<ImportOutcome>, BoxError> {
        let request = self.request(message);
        let answer = self.client.import_tokens(request).await.map_err(|status| refused(&self.address, &status))?;
        Ok(answer.into_inner().outcomes().collect())
    }
}
