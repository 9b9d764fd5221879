//! `ServiceAccountsAPI`, for administrators and the operator.

mod convert;
mod not_stored;

use std::sync::Arc;
use std::time::Duration;

use authn::Caller;
use authn::audit::Event;
use proto::doorward::serviceaccounts::v1::{
    AddSecretRequest, AddSecretResponse, CreateServiceAccountRequest, CreateServiceAccountResponse,
    DeleteServiceAccountRequest, DeleteServiceAccountResponse, GetServiceAccountRequest, GetServiceAccountResponse,
    ListServiceAccountsRequest, ListServiceAccountsResponse, RemoveSecretRequest, RemoveSecretResponse, ServiceAccount,
    UpdateServiceAccountRequest, UpdateServiceAccountResponse,
    service_accounts_api_server::{ServiceAccountsApi, ServiceAccountsApiServer},
};
use runtime::Clock;
use secrecy::ExposeSecret;
use token::{Verifier, authorize_admin};
use tonic::{Request, Response, Status};
use tracing::field::display;
use uuid::Uuid;

use crate::administration::{Administration, AdministrationError};
use crate::model::StoredAccount;
use crate::store::Page;
pub(crate) use not_stored::serve as serve_not_stored;

/// Accounts of a page, at most and when nothing is said.
const PAGE: u32 = 100;
/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;
/// The longest identifier in the audit log, in characters.
const MAX_AUDITED: usize = 64;

/// The gRPC face of [`Administration`].
pub(crate) struct Api {
    pub(crate) administration: Arc<Administration>,
    pub(crate) verifier: Verifier,
    pub(crate) clock: Clock,
}

/// Serves it, to requests of at most so many bytes; 64 KiB by default.
pub(crate) fn serve(api: Api, limit: Option<usize>) -> ServiceAccountsApiServer<Api> {
    ServiceAccountsApiServer::new(api).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

/// The administrator who calls, and from where.
struct Circumstances {
    caller: Caller,
    administrator: String,
}

impl Circumstances {
    /// Writes the audit log, and turns a failure into a status. `secret` identifies the secret that was added or removed.
    fn conclude<T>(
        &self,
        event: &str,
        account: &str,
        secret: impl FnOnce(&T) -> Option<Uuid>,
        outcome: Result<T, AdministrationError>,
    ) -> Result<T, Status> {
        let (word, reason, secret) = match &outcome {
            Ok(done) => ("granted", String::new(), secret(done)),
            Err(error) => ("failed", format!("{:?}", error.kind()), None),
        };
        // what a caller names may be no identifier, and as long as a request
        let subject: String = account.chars().take(MAX_AUDITED).collect();
        Event {
            reason: &reason,
            subject: &subject,
            caller: &self.administrator,
            token: &secret.map(display),
            source: &self.caller.source.map(display),
            trace_id: &self.caller.trace_id,
            ..Event::new(event, word)
        }
        .log();
        outcome.map_err(|error| refused(&error))
    }
}

fn refused(error: &AdministrationError) -> Status {
    if let AdministrationError::Store(cause) = error {
        tracing::error!(%error, %cause, "service accounts could not be administered");
    }
    status::grpc(error.kind(), error.to_string())
}

impl Api {
    /// Who calls, if it is the operator, or an administrator who has signed in: a program must not make itself credentials that outlive
    /// its own (`docs/security-requirements.md#m8`).
    fn administrator<T>(&self, request: &Request<T>) -> Result<Circumstances, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = authorize_admin(&self.verifier, self.clock.now(), request.metadata()).inspect_err(|error| {
            Event {
                reason: &error.reason(),
                source: &caller.source.map(display),
                trace_id: &caller.trace_id,
                ..Event::new("service_account_administration", "refused")
            }
            .log();
        })?;
        Ok(Circumstances { caller, administrator: claims.user.id.opaque_id })
    }

    fn message(&self, account: &StoredAccount) -> ServiceAccount {
        let is_overridden = self.administration.is_overridden(&account.id);
        convert::account(account, is_overridden, self.clock.now())
    }
}

#[tonic::async_trait]
impl ServiceAccountsApi for Api {
    async fn list_service_accounts(
        &self,
        request: Request<ListServiceAccountsRequest>,
    ) -> Result<Response<ListServiceAccountsResponse>, Status> {
        self.administrator(&request)?;
        let ListServiceAccountsRequest { page_size, page_token, query } = request.into_inner();
        let size = if page_size == 0 { PAGE } else { page_size.min(PAGE) };
        let page = Page { query: &query, after: &page_token, limit: u64::from(size) + 1 };
        let mut accounts = self.administration.list(&page).await.map_err(|error| refused(&error))?;
        let is_last = accounts.len() <= size as usize;
        accounts.truncate(size as usize);
        let next = accounts.last().filter(|_| !is_last).map(|account| account.id.clone());
        let accounts = accounts.iter().map(|account| self.message(account)).collect();
        Ok(Response::new(ListServiceAccountsResponse { accounts, next_page_token: next.unwrap_or_default() }))
    }

    async fn get_service_account(
        &self,
        request: Request<GetServiceAccountRequest>,
    ) -> Result<Response<GetServiceAccountResponse>, Status> {
        self.administrator(&request)?;
        let found = self.administration.get(&request.into_inner().id).await.map_err(|error| refused(&error))?;
        Ok(Response::new(GetServiceAccountResponse { account: Some(self.message(&found)) }))
    }

    async fn create_service_account(
        &self,
        request: Request<CreateServiceAccountRequest>,
    ) -> Result<Response<CreateServiceAccountResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let request = request.into_inner();
        let id = request.id.clone();
        let outcome = self.administration.create(convert::new_account(request), &circumstances.administrator).await;
        let made = circumstances.conclude("service_account_created", &id, |made| Some(made.secret_id), outcome)?;
        let secret = made.secret.expose_secret().to_owned();
        Ok(Response::new(CreateServiceAccountResponse { account: Some(self.message(&made.account)), secret }))
    }

    async fn update_service_account(
        &self,
        request: Request<UpdateServiceAccountRequest>,
    ) -> Result<Response<UpdateServiceAccountResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let (id, change) = convert::change(request.into_inner());
        let event = match change.disabled {
            Some(true) => "service_account_disabled",
            Some(false) => "service_account_enabled",
            None => "service_account_updated",
        };
        let outcome = self.administration.update(&id, &change).await;
        let account = circumstances.conclude(event, &id, |_| None, outcome)?;
        Ok(Response::new(UpdateServiceAccountResponse { account: Some(self.message(&account)) }))
    }

    async fn delete_service_account(
        &self,
        request: Request<DeleteServiceAccountRequest>,
    ) -> Result<Response<DeleteServiceAccountResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let id = request.into_inner().id;
        let outcome = self.administration.delete(&id).await;
        circumstances.conclude("service_account_deleted", &id, |()| None, outcome)?;
        Ok(Response::new(DeleteServiceAccountResponse {}))
    }

    async fn add_secret(&self, request: Request<AddSecretRequest>) -> Result<Response<AddSecretResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let AddSecretRequest { id, expire_old_in } = request.into_inner();
        let expire_old_in = expire_old_in.map(Duration::from_secs);
        let outcome = self.administration.add_secret(&id, expire_old_in, &circumstances.administrator).await;
        let made = circumstances.conclude("service_account_secret_added", &id, |made| Some(made.secret_id), outcome)?;
        Ok(Response::new(AddSecretResponse {
            account: Some(self.message(&made.account)),
            secret: made.secret.expose_secret().to_owned(),
            secret_id: made.secret_id.to_string(),
        }))
    }

    async fn remove_secret(
        &self,
        request: Request<RemoveSecretRequest>,
    ) -> Result<Response<RemoveSecretResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let RemoveSecretRequest { id, secret_id } = request.into_inner();
        let secret = Uuid::try_parse(&secret_id);
        let outcome = match secret {
            Ok(secret) => self.administration.remove_secret(&id, secret).await,
            Err(_) => Err(AdministrationError::SecretId),
        };
        let account = circumstances.conclude("service_account_secret_removed", &id, |_| secret.ok(), outcome)?;
        Ok(Response::new(RemoveSecretResponse { account: Some(self.message(&account)) }))
    }
}
