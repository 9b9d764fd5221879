//! The app tokens of the signed-in user, at auth-app.

use authn::BoxError;
use proto::doorward::apptokens::v1::{
    CreateOwnTokenRequest, GetTokenPolicyRequest, GetTokenPolicyResponse, ListOwnTokensRequest, ListTokensResponse,
    RevokeOwnTokenRequest, RevokeOwnTokensRequest, Token, own_tokens_api_client::OwnTokensApiClient,
};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::transport::{OnBehalfOf, Transport, transport};

/// A client of `OwnTokensAPI`, in this process or another.
#[derive(Clone)]
pub struct OwnTokens(OwnTokensApiClient<Transport>);

impl OwnTokens {
    /// Calls a generated server of this process, or a channel.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self(OwnTokensApiClient::new(transport("auth-app", service)))
    }

    /// What a new token may have.
    pub(crate) async fn policy(&self, user: &OnBehalfOf<'_>) -> Result<GetTokenPolicyResponse, Status> {
        Ok(self.0.clone().get_token_policy(user.call(GetTokenPolicyRequest {})).await?.into_inner())
    }

    /// A page of the user's tokens, those behind the one with the identifier `after`; a page of 0 has as many as auth-app permits.
    pub(crate) async fn list(
        &self,
        user: &OnBehalfOf<'_>,
        page_size: u32,
        after: &str,
    ) -> Result<ListTokensResponse, Status> {
        let request = ListOwnTokensRequest { page_size, page_token: after.to_owned() };
        Ok(self.0.clone().list_own_tokens(user.call(request)).await?.into_inner())
    }

    /// Makes a token; returns it with its secret, which cannot be read again.
    pub(crate) async fn create(
        &self,
        user: &OnBehalfOf<'_>,
        request: CreateOwnTokenRequest,
    ) -> Result<(Token, String), Status> {
        let created = self.0.clone().create_own_token(user.call(request)).await?.into_inner();
        Ok((created.token.unwrap_or_default(), created.secret))
    }

    /// Revokes one of the user's tokens.
    pub(crate) async fn revoke(&self, user: &OnBehalfOf<'_>, id: &str) -> Result<(), Status> {
        self.0.clone().revoke_own_token(user.call(RevokeOwnTokenRequest { id: id.to_owned() })).await.map(drop)
    }

    /// Revokes all of them; how many there were.
    pub(crate) async fn revoke_all(&self, user: &OnBehalfOf<'_>) -> Result<u64, Status> {
        Ok(self.0.clone().revoke_own_tokens(user.call(RevokeOwnTokensRequest {})).await?.into_inner().count)
    }
}
