//! The app tokens of the signed-in user, at auth-app. Every call carries the user's own internal token, so that auth-app decides
//! what the user may do.

use authn::{BoxError, Caller, Peer};
use proto::doorward::apptokens::v1::{
    CreateOwnTokenRequest, GetTokenPolicyRequest, GetTokenPolicyResponse, ListOwnTokensRequest, ListTokensResponse,
    RevokeOwnTokenRequest, RevokeOwnTokensRequest, Token, own_tokens_api_client::OwnTokensApiClient,
};
use token::METADATA_KEY;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

/// The transport to auth-app: a connection, or the service itself in one process.
type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, TransportError>;

/// auth-app is unreachable.
#[derive(Debug, thiserror::Error)]
#[error("auth-app cannot be reached")]
pub struct TransportError(#[source] BoxError);

/// A client of `OwnTokensAPI`, in this process or another.
#[derive(Clone)]
pub struct OwnTokens(OwnTokensApiClient<Transport>);

/// Who calls, and from where.
pub(crate) struct OnBehalfOf<'a> {
    /// The internal token of the user.
    pub(crate) token: &'a MetadataValue<Ascii>,
    /// The circumstances of the user's request.
    pub(crate) caller: &'a Caller,
}

impl OnBehalfOf<'_> {
    /// The user's request in the form of a call.
    pub(crate) fn call<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        self.caller.propagate(request.metadata_mut());
        request.metadata_mut().insert(METADATA_KEY, self.token.clone());
        // A service in this process has no connection from which it could tell the user's address.
        request.extensions_mut().insert(Peer { source: self.caller.source, ..Peer::default() });
        request
    }
}

impl OwnTokens {
    /// Calls a generated server of this process, or a channel.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        let transport = BoxCloneSyncService::new(service.map_err(|error| TransportError(error.into())));
        Self(OwnTokensApiClient::new(transport))
    }

    /// What a new token may have.
    pub(crate) async fn policy(&self, user: &OnBehalfOf<'_>) -> Result<GetTokenPolicyResponse, Status> {
        Ok(self.0.clone().get_token_policy(user.call(GetTokenPolicyRequest {})).await?.into_inner())
    }

    /// A page of the user's tokens, those behind the one with the identifier `after`.
    pub(crate) async fn list(&self, user: &OnBehalfOf<'_>, after: &str) -> Result<ListTokensResponse, Status> {
        let request = ListOwnTokensRequest { page_size: 0, page_token: after.to_owned() };
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
