use std::sync::Arc;

use authn::directory::{answer, may_look_up, searcher};
use authn::provider::failure;
use authn::trace::record_delegation;
use authn::{Caller, Credentials, caller::trace_id, gateway::write_password_change, kind};
use proto::cs3::{
    auth::{
        applications::v1beta1 as applications,
        registry::v1beta1::{
            GetAuthProvidersRequest, GetAuthProvidersResponse, ListAuthProvidersRequest,
            ListAuthProvidersResponse as Providers, ProviderInfo, registry_api_server::RegistryApi,
        },
    },
    gateway::v1beta1::{
        AuthenticateRequest, AuthenticateResponse, ListAuthProvidersResponse, WhoAmIRequest, WhoAmIResponse,
        gateway_api_server::GatewayApi,
    },
    identity::user::v1beta1 as identity,
};
use secrecy::SecretString;
use status::Kind;
use tonic::{Request, Response, Status};
use tracing::Span;

use crate::transactions::{TOKEN_KEY, requested};
use crate::{authenticate::Core, peers::Applications};

/// The gRPC service of the gateway.
#[derive(Clone)]
pub(crate) struct GatewayService(pub(crate) Arc<Core>);

type Reply<T> = Result<Response<T>, Status>;

impl GatewayService {
    fn applications(&self) -> Result<Applications, Status> {
        let missing = || status::grpc(Kind::Unavailable, "auth-app is not enabled");
        self.0.peers.applications.clone().ok_or_else(missing)
    }

    fn directory(&self) -> Result<&dyn authn::Directory, Status> {
        let directory = self.0.directory().map_err(|error| status::grpc(error.kind(), error.to_string()))?;
        Ok(directory.as_ref())
    }

    fn provider_infos(&self) -> impl Iterator<Item = ProviderInfo> {
        self.0.peers.providers.iter().map(|(kind, provider)| ProviderInfo {
            provider_type: (*kind).to_owned(),
            address: provider.address.clone(),
            ..ProviderInfo::default()
        })
    }
}

/// A request for another service, with the information about its caller that this gateway passes on.
fn passed_on<T>(mut request: Request<T>) -> Request<T> {
    let caller = Caller::of(request.metadata(), request.extensions());
    caller.propagate(request.metadata_mut());
    request
}

#[tonic::async_trait]
impl GatewayApi for GatewayService {
    async fn authenticate(&self, request: Request<AuthenticateRequest>) -> Reply<AuthenticateResponse> {
        let caller = Caller::of(request.metadata(), request.extensions()).with_propagated(request.metadata());
        let wanted = requested(request.metadata());
        let AuthenticateRequest { r#type, client_id, client_secret, .. } = request.into_inner();
        let credentials = Credentials { client_id, secret: SecretString::from(client_secret), caller };
        let mut response = Response::new(AuthenticateResponse::default());
        let outcome = self.0.authenticate_with_transaction(&r#type, &credentials, wanted).await;
        *response.get_mut() = match outcome {
            Ok((token, answer, transaction)) => {
                record_delegation(&Span::current(), &answer.user.id.opaque_id, answer.actor.as_ref(), None);
                // a JWT is always a header
                if let Some(transaction) = transaction.and_then(|transaction| transaction.parse().ok()) {
                    response.metadata_mut().insert(TOKEN_KEY, transaction);
                }
                if r#type == kind::MACHINE {
                    write_password_change(answer.user.password_changed, response.metadata_mut());
                }
                AuthenticateResponse {
                    status: Some(status::ok()),
                    token: token.as_ref().to_owned(),
                    user: Some(answer.user.as_ref().into()),
                    ..AuthenticateResponse::default()
                }
            }
            Err(error) => AuthenticateResponse {
                status: Some(failure(&error, &credentials.caller.trace_id)),
                ..AuthenticateResponse::default()
            },
        };
        Ok(response)
    }

    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Reply<WhoAmIResponse> {
        let trace = trace_id(request.metadata());
        Ok(Response::new(match self.0.who_am_i(&request.into_inner().token).await {
            Ok(user) => {
                WhoAmIResponse { status: Some(status::ok()), user: Some((&user).into()), ..WhoAmIResponse::default() }
            }
            Err(error) => WhoAmIResponse {
                status: Some(status::failure(error.kind(), error.to_string(), &trace)),
                ..WhoAmIResponse::default()
            },
        }))
    }

    async fn list_auth_providers(&self, _: Request<ListAuthProvidersRequest>) -> Reply<ListAuthProvidersResponse> {
        let types = self.0.peers.providers.keys().map(|&kind| kind.to_owned()).collect();
        Ok(Response::new(ListAuthProvidersResponse { status: Some(status::ok()), types, ..Default::default() }))
    }

    async fn generate_app_password(
        &self,
        request: Request<applications::GenerateAppPasswordRequest>,
    ) -> Reply<applications::GenerateAppPasswordResponse> {
        self.applications()?.generate_app_password(passed_on(request)).await
    }

    async fn list_app_passwords(
        &self,
        request: Request<applications::ListAppPasswordsRequest>,
    ) -> Reply<applications::ListAppPasswordsResponse> {
        self.applications()?.list_app_passwords(passed_on(request)).await
    }

    async fn invalidate_app_password(
        &self,
        request: Request<applications::InvalidateAppPasswordRequest>,
    ) -> Reply<applications::InvalidateAppPasswordResponse> {
        self.applications()?.invalidate_app_password(passed_on(request)).await
    }

    async fn get_app_password(
        &self,
        request: Request<applications::GetAppPasswordRequest>,
    ) -> Reply<applications::GetAppPasswordResponse> {
        self.applications()?.get_app_password(passed_on(request)).await
    }

    async fn get_user(&self, request: Request<identity::GetUserRequest>) -> Reply<identity::GetUserResponse> {
        let trace = trace_id(request.metadata());
        let searchable = may_look_up(request.metadata(), &|token| self.0.may_look_up(token));
        Ok(Response::new(answer::get_user(self.directory()?, request.into_inner(), searchable.as_ref(), &trace).await))
    }

    async fn get_user_by_claim(
        &self,
        request: Request<identity::GetUserByClaimRequest>,
    ) -> Reply<identity::GetUserByClaimResponse> {
        let trace = trace_id(request.metadata());
        let searchable = may_look_up(request.metadata(), &|token| self.0.may_look_up(token));
        Ok(Response::new(
            answer::get_user_by_claim(self.directory()?, request.into_inner(), searchable.as_ref(), &trace).await,
        ))
    }

    async fn get_user_groups(
        &self,
        request: Request<identity::GetUserGroupsRequest>,
    ) -> Reply<identity::GetUserGroupsResponse> {
        let trace = trace_id(request.metadata());
        let searchable = may_look_up(request.metadata(), &|token| self.0.may_look_up(token));
        Ok(Response::new(
            answer::get_user_groups(self.directory()?, request.into_inner(), searchable.as_ref(), &trace).await,
        ))
    }

    async fn find_users(&self, request: Request<identity::FindUsersRequest>) -> Reply<identity::FindUsersResponse> {
        let trace = trace_id(request.metadata());
        let searcher = searcher(request.metadata(), &|token| self.0.may_search(token))?;
        Ok(Response::new(answer::find_users(self.directory()?, request.into_inner(), &searcher, &trace).await))
    }
}

#[tonic::async_trait]
impl RegistryApi for GatewayService {
    async fn get_auth_providers(&self, request: Request<GetAuthProvidersRequest>) -> Reply<GetAuthProvidersResponse> {
        let trace = trace_id(request.metadata());
        let kind = request.into_inner().r#type;
        let providers: Vec<_> = self.provider_infos().filter(|info| info.provider_type == kind).collect();
        let status = match self.0.peers.provider(&kind) {
            Ok(_) => status::ok(),
            Err(error) => status::failure(error.kind(), error.to_string(), &trace),
        };
        Ok(Response::new(GetAuthProvidersResponse { status: Some(status), providers, ..Default::default() }))
    }

    async fn list_auth_providers(&self, _: Request<ListAuthProvidersRequest>) -> Reply<Providers> {
        let providers = self.provider_infos().collect();
        Ok(Response::new(Providers { status: Some(status::ok()), providers, ..Default::default() }))
    }
}
