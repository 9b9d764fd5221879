//! `OwnTokensAPI`: a user's own app tokens, for the account pages.

use std::sync::Arc;
use std::time::Duration;

use ::token::{Claims, Verifier, authorize};
use authn::{Caller, Grants, Permission};
use proto::doorward::apptokens::v1::{
    CreateOwnTokenRequest, CreateTokenResponse, GetTokenPolicyRequest, GetTokenPolicyResponse, ListOwnTokensRequest,
    ListTokensResponse, RevokeOwnTokenRequest, RevokeOwnTokensRequest, RevokeTokenResponse, RevokeTokensResponse,
    create_own_token_request::Life,
    own_tokens_api_server::{OwnTokensApi, OwnTokensApiServer},
};
use runtime::Clock;
use secrecy::ExposeSecret;
use status::Kind as Failure;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{REQUEST_LIMIT, convert};
use crate::applications::{Applications, ApplicationsError, TokenRequest};
use crate::model::Kind;
use crate::policy::LifetimeRequest;
use crate::store::Page;

/// Entries of a page, at most and by default.
const PAGE: u32 = 100;

/// The API over [`Applications`], for callers whose internal token the verifier accepts.
#[derive(Clone)]
pub struct Api {
    pub(crate) applications: Arc<Applications>,
    pub(crate) verifier: Verifier,
    pub(crate) clock: Clock,
}

/// Serves the API, to requests of at most so many bytes; 64 KiB by default.
pub fn serve(api: Api, limit: Option<usize>) -> OwnTokensApiServer<Api> {
    OwnTokensApiServer::new(api).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

impl Api {
    /// Administers tokens of these applications.
    pub fn new(applications: Arc<Applications>, verifier: Verifier, clock: Clock) -> Self {
        Self { applications, verifier, clock }
    }

    /// The user of the internal token, and the circumstances of the call.
    fn authorize<T>(&self, request: &Request<T>) -> Result<(Claims, Caller), Status> {
        let claims = authorize(&self.verifier, self.clock.now(), request.metadata())?;
        Ok((claims, Caller::of(request.metadata(), request.extensions())))
    }
}

/// The status of a failure. Only one that is not the caller's fault is logged.
fn failure(error: &ApplicationsError) -> Status {
    if let Some(cause) = error.cause() {
        tracing::error!(%error, cause, "the app tokens of a user could not be administered");
    }
    status::grpc(error.kind(), error.to_string())
}

fn page(request: &ListOwnTokensRequest) -> Result<(Option<Uuid>, u32), Status> {
    let after = match &*request.page_token {
        "" => None,
        text => Some(Uuid::try_parse(text).map_err(|_| invalid("page_token is not a UUID"))?),
    };
    let size = if request.page_size == 0 { PAGE } else { request.page_size.min(PAGE) };
    Ok((after, size))
}

fn invalid(problem: &str) -> Status {
    status::grpc(Failure::InvalidArgument, problem)
}

fn lifetime(life: Option<Life>) -> LifetimeRequest {
    match life {
        // a negative number is no lifetime, which the policy refuses
        Some(Life::ExpiresIn(after)) => LifetimeRequest::For(Duration::from_secs(u64::try_from(after).unwrap_or(0))),
        Some(Life::Never(true)) => LifetimeRequest::Never,
        Some(Life::Never(false)) | None => LifetimeRequest::Usual,
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[tonic::async_trait]
impl OwnTokensApi for Api {
    async fn get_token_policy(
        &self,
        request: Request<GetTokenPolicyRequest>,
    ) -> Result<Response<GetTokenPolicyResponse>, Status> {
        let (claims, caller) = self.authorize(&request)?;
        self.applications.own(&claims, &caller, Permission::Read).map_err(|error| failure(&error))?;
        let policy = &self.applications.policy;
        Ok(Response::new(GetTokenPolicyResponse {
            default_lifetime: seconds(policy.usual.min(policy.longest)),
            longest_lifetime: seconds(policy.longest),
            allows_never: policy.never,
            scope_kinds: policy.scopes.clone(),
            most_tokens: policy.most,
        }))
    }

    async fn list_own_tokens(
        &self,
        request: Request<ListOwnTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        let (claims, caller) = self.authorize(&request)?;
        let (after, size) = page(request.get_ref())?;
        let listed = async {
            let acting = self.applications.own(&claims, &caller, Permission::Read)?;
            self.applications.list(&acting, Page { after, limit: u64::from(size) + 1 }).await
        };
        let mut tokens = listed.await.map_err(|error| failure(&error))?;
        let is_last = tokens.len() <= size as usize;
        tokens.truncate(size as usize);
        let next = tokens.last().filter(|_| !is_last).map(|token| token.id.to_string());
        let tokens = tokens.iter().map(convert::token).collect();
        Ok(Response::new(ListTokensResponse { tokens, next_page_token: next.unwrap_or_default() }))
    }

    async fn create_own_token(
        &self,
        request: Request<CreateOwnTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let (claims, caller) = self.authorize(&request)?;
        let CreateOwnTokenRequest { label, scopes, life } = request.into_inner();
        let created = async {
            let acting = self.applications.own(&claims, &caller, Permission::Write)?;
            let grants = Grants::parse(scopes.iter().map(String::as_str))?;
            let request = TokenRequest { label, grants, life: lifetime(life), kind: Kind::App };
            self.applications.create(&acting, request).await
        };
        let (token, secret) = created.await.map_err(|error| failure(&error))?;
        let (token, secret) = (Some(convert::token(&token)), secret.expose_secret().to_owned());
        Ok(Response::new(CreateTokenResponse { token, secret }))
    }

    async fn revoke_own_token(
        &self,
        request: Request<RevokeOwnTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let (claims, caller) = self.authorize(&request)?;
        let revoked = async {
            let acting = self.applications.own(&claims, &caller, Permission::Write)?;
            // an identifier alone, and never a secret: nothing is searched for
            let id = Uuid::try_parse(&request.get_ref().id).map_err(|_| ApplicationsError::NotFound)?;
            self.applications.revoke(&acting, &id.to_string()).await
        };
        let id = revoked.await.map_err(|error| failure(&error))?.to_string();
        Ok(Response::new(RevokeTokenResponse { id }))
    }

    async fn revoke_own_tokens(
        &self,
        request: Request<RevokeOwnTokensRequest>,
    ) -> Result<Response<RevokeTokensResponse>, Status> {
        let (claims, caller) = self.authorize(&request)?;
        let revoked = async {
            let acting = self.applications.own(&claims, &caller, Permission::Write)?;
            self.applications.revoke_all(&acting).await
        };
        let count = revoked.await.map_err(|error| failure(&error))? as u64;
        Ok(Response::new(RevokeTokensResponse { count }))
    }
}
