//! The floor: a bare tonic server that returns its request.

use std::net::SocketAddr;

use authn::BoxError;
use proto::cs3::auth::provider::v1beta1::{
    AuthenticateRequest, AuthenticateResponse,
    provider_api_server::{ProviderApi, ProviderApiServer},
};
use proto::cs3::identity::user::v1beta1::User;
use tonic::{Request, Response, Status};

struct Echo;

#[tonic::async_trait]
impl ProviderApi for Echo {
    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        let AuthenticateRequest { client_id, client_secret, .. } = request.into_inner();
        let user = User { username: client_id, display_name: client_secret, ..User::default() };
        Ok(Response::new(AuthenticateResponse { user: Some(user), ..AuthenticateResponse::default() }))
    }
}

/// Serves until the process is ended.
pub(crate) async fn serve(address: SocketAddr) -> Result<(), BoxError> {
    Ok(tonic::transport::Server::builder().add_service(ProviderApiServer::new(Echo)).serve(address).await?)
}
