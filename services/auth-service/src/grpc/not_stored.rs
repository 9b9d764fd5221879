//! `ServiceAccountsAPI` where accounts are not stored: every call is refused with the reason.

use proto::doorward::serviceaccounts::v1::{
    AddSecretRequest, AddSecretResponse, CreateServiceAccountRequest, CreateServiceAccountResponse,
    DeleteServiceAccountRequest, DeleteServiceAccountResponse, GetServiceAccountRequest, GetServiceAccountResponse,
    ListServiceAccountsRequest, ListServiceAccountsResponse, RemoveSecretRequest, RemoveSecretResponse,
    UpdateServiceAccountRequest, UpdateServiceAccountResponse,
    service_accounts_api_server::{ServiceAccountsApi, ServiceAccountsApiServer},
};
use status::Kind;
use tonic::{Request, Response, Status};

use super::REQUEST_LIMIT;

/// `ServiceAccountsAPI` without accounts.
pub(crate) struct NotStored;

/// Serves it, to requests of at most so many bytes; 64 KiB by default.
pub(crate) fn serve(limit: Option<usize>) -> ServiceAccountsApiServer<NotStored> {
    ServiceAccountsApiServer::new(NotStored).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

fn refuse<T>() -> Result<Response<T>, Status> {
    let text =
        "auth-service stores no service accounts; set AUTH_SERVICE_STORE_ACCOUNTS=true and OCIS_JWT_SECRET for it";
    Err(status::grpc(Kind::Unimplemented, text))
}

#[tonic::async_trait]
impl ServiceAccountsApi for NotStored {
    async fn list_service_accounts(
        &self,
        _: Request<ListServiceAccountsRequest>,
    ) -> Result<Response<ListServiceAccountsResponse>, Status> {
        refuse()
    }

    async fn get_service_account(
        &self,
        _: Request<GetServiceAccountRequest>,
    ) -> Result<Response<GetServiceAccountResponse>, Status> {
        refuse()
    }

    async fn create_service_account(
        &self,
        _: Request<CreateServiceAccountRequest>,
    ) -> Result<Response<CreateServiceAccountResponse>, Status> {
        refuse()
    }

    async fn update_service_account(
        &self,
        _: Request<UpdateServiceAccountRequest>,
    ) -> Result<Response<UpdateServiceAccountResponse>, Status> {
        refuse()
    }

    async fn delete_service_account(
        &self,
        _: Request<DeleteServiceAccountRequest>,
    ) -> Result<Response<DeleteServiceAccountResponse>, Status> {
        refuse()
    }

    async fn add_secret(&self, _: Request<AddSecretRequest>) -> Result<Response<AddSecretResponse>, Status> {
        refuse()
    }

    async fn remove_secret(&self, _: Request<RemoveSecretRequest>) -> Result<Response<RemoveSecretResponse>, Status> {
        refuse()
    }
}
