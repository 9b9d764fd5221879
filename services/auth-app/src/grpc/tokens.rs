//! `AppTokensAPI`, for the operator, and for administrators who look after the tokens of others.

use std::sync::Arc;

use ::store::page::PositionError;
use ::token::{Claims, Verifier, authorize_admin};
use authn::Caller;
use proto::doorward::apptokens::v1::{
    CreateTokenRequest, CreateTokenResponse, GetTokenRequest, GetTokenResponse, ImportOutcome, ImportTokensRequest,
    ImportTokensResponse, ListTokensRequest, ListTokensResponse, PruneTokensRequest, PruneTokensResponse,
    RevokeTokenRequest, RevokeTokenResponse, RevokeTokensRequest, RevokeTokensResponse, SearchTokensRequest,
    SearchTokensResponse,
    app_tokens_api_server::{AppTokensApi, AppTokensApiServer},
};
use runtime::{Clock, is_operator};
use secrecy::ExposeSecret;
use status::Kind as Failure;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert;
use crate::applications::{Applications, ApplicationsError};
use crate::import::Outcome;
use crate::prune::Pruner;
use crate::store::{Page, TokenFilter};

/// Entries of a page, at most and when nothing is said.
const PAGE: u32 = 100;
/// Tokens of another system that are taken over in one call, at most.
const MOST_IMPORTED: usize = 500;
/// As large as that many are.
const IMPORT_LIMIT: usize = 2 * 1024 * 1024;

/// The gRPC face for the operator and administrators.
pub struct Api {
    pub(crate) applications: Arc<Applications>,
    pub(crate) pruner: Pruner,
    pub(crate) verifier: Verifier,
    pub(crate) clock: Clock,
}

/// Serves it, to requests of at most so many bytes; 2 MiB by default.
pub fn serve(api: Api, limit: Option<usize>) -> AppTokensApiServer<Api> {
    AppTokensApiServer::new(api).max_decoding_message_size(limit.unwrap_or(IMPORT_LIMIT))
}

impl Api {
    /// Who calls, if it is the operator, or an administrator who has signed in: these may see and end tokens, but not make them
    /// (`docs/security-requirements.md#n40`).
    fn administrator<T>(&self, request: &Request<T>) -> Result<(Claims, Caller), Status> {
        let claims = authorize_admin(&self.verifier, self.clock.now(), request.metadata())?;
        Ok((claims, Caller::of(request.metadata(), request.extensions())))
    }

    /// Who calls, if it is the operator: an administrator's session is not enough, or impersonation could not be off.
    fn operator<T>(&self, request: &Request<T>) -> Result<(Claims, Caller), Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = authorize_admin(&self.verifier, self.clock.now(), request.metadata())?;
        if is_operator(&claims) {
            return Ok((claims, caller));
        }
        Err(status::grpc(Failure::PermissionDenied, "only the operator may do this"))
    }
}

fn refused(error: &ApplicationsError) -> Status {
    if let Some(cause) = error.cause() {
        tracing::error!(%error, cause, "app tokens could not be administered");
    }
    status::grpc(error.kind(), error.to_string())
}

fn invalid(problem: impl Into<String>) -> Status {
    status::grpc(Failure::InvalidArgument, problem)
}

fn id(text: &str) -> Result<Uuid, Status> {
    Uuid::try_parse(text).map_err(|_| invalid("id is not a UUID"))
}

#[tonic::async_trait]
impl AppTokensApi for Api {
    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let (claims, caller) = self.operator(&request)?;
        let mut request = request.into_inner();
        let owner = convert::person(request.owner.take());
        let made = async {
            let acting = self.applications.operate(&claims, &caller, &owner).await?;
            self.applications.create(&acting, convert::token_request(request)?).await
        };
        let (token, secret) = made.await.map_err(|error| refused(&error))?;
        let (token, secret) = (Some(convert::token(&token)), secret.expose_secret().to_owned());
        Ok(Response::new(CreateTokenResponse { token, secret }))
    }

    async fn list_tokens(&self, request: Request<ListTokensRequest>) -> Result<Response<ListTokensResponse>, Status> {
        let (claims, caller) = self.administrator(&request)?;
        let ListTokensRequest { owner, page_size, page_token } = request.into_inner();
        let after = if page_token.is_empty() { None } else { Some(id(&page_token)?) };
        let size = if page_size == 0 { PAGE } else { page_size.min(PAGE) };
        let listed = async {
            let acting = self.applications.operate(&claims, &caller, &convert::person(owner)).await?;
            self.applications.list(&acting, Page { after, limit: u64::from(size) + 1 }).await
        };
        let mut tokens = listed.await.map_err(|error| refused(&error))?;
        let is_last = tokens.len() <= size as usize;
        tokens.truncate(size as usize);
        let next = tokens.last().filter(|_| !is_last).map(|token| token.id.to_string());
        let tokens = tokens.iter().map(convert::token).collect();
        Ok(Response::new(ListTokensResponse { tokens, next_page_token: next.unwrap_or_default() }))
    }

    async fn search_tokens(
        &self,
        request: Request<SearchTokensRequest>,
    ) -> Result<Response<SearchTokensResponse>, Status> {
        self.administrator(&request)?;
        let SearchTokensRequest { owner, label, unused_since, expires_before, page_size, page_token } =
            request.into_inner();
        let after = match &*page_token {
            "" => None,
            token => Some(token.parse().map_err(|error: PositionError| invalid(error.to_string()))?),
        };
        let filter = TokenFilter {
            owner: None,
            label: Some(label).filter(|label| !label.is_empty()),
            unused_since: unused_since.map(convert::moment),
            expires_before: expires_before.map(convert::moment),
        };
        let owner = owner.map(|owner| convert::person(Some(owner)));
        let size = if page_size == 0 { PAGE } else { page_size.min(PAGE) };
        let found = self.applications.search(owner.as_ref(), filter, (after, size)).await;
        let found = found.map_err(|error| refused(&error))?;
        let tokens = found.tokens.iter().map(convert::token).collect();
        let next_page_token = found.next.map(|next| next.to_string()).unwrap_or_default();
        Ok(Response::new(SearchTokensResponse { tokens, next_page_token }))
    }

    async fn get_token(&self, request: Request<GetTokenRequest>) -> Result<Response<GetTokenResponse>, Status> {
        self.administrator(&request)?;
        let found = self.applications.any(id(&request.into_inner().id)?).await.map_err(|error| refused(&error))?;
        Ok(Response::new(GetTokenResponse { token: Some(convert::token(&found)) }))
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let (claims, caller) = self.administrator(&request)?;
        let which = request.into_inner().token;
        let revoked = async {
            let id = self.applications.named(&which, None).await?;
            let owner = self.applications.any(id).await?.owner;
            let acting = Applications::operate_on(&claims, &caller, owner);
            self.applications.revoke(&acting, &id.to_string()).await
        };
        let id = revoked.await.map_err(|error| refused(&error))?.to_string();
        Ok(Response::new(RevokeTokenResponse { id }))
    }

    async fn revoke_tokens(
        &self,
        request: Request<RevokeTokensRequest>,
    ) -> Result<Response<RevokeTokensResponse>, Status> {
        let (claims, caller) = self.administrator(&request)?;
        let owner = convert::person(request.into_inner().owner);
        let revoked = async {
            let acting = self.applications.operate(&claims, &caller, &owner).await?;
            self.applications.revoke_all(&acting).await
        };
        let count = revoked.await.map_err(|error| refused(&error))? as u64;
        Ok(Response::new(RevokeTokensResponse { count }))
    }

    async fn prune_tokens(
        &self,
        request: Request<PruneTokensRequest>,
    ) -> Result<Response<PruneTokensResponse>, Status> {
        self.operator(&request)?;
        let count = self.pruner.prune().await.map_err(|error| refused(&error.into()))?;
        Ok(Response::new(PruneTokensResponse { count }))
    }

    async fn import_tokens(
        &self,
        request: Request<ImportTokensRequest>,
    ) -> Result<Response<ImportTokensResponse>, Status> {
        let (claims, caller) = self.operator(&request)?;
        let ImportTokensRequest { tokens, dry_run } = request.into_inner();
        if tokens.len() > MOST_IMPORTED {
            return Err(status::grpc(Failure::InvalidArgument, format!("more than {MOST_IMPORTED} tokens")));
        }
        let records = tokens.into_iter().map(convert::record).collect();
        let outcomes =
            self.applications.import(&claims, &caller, records, dry_run).await.map_err(|error| refused(&error))?;
        let word = |outcome| match outcome {
            Outcome::Imported => ImportOutcome::Imported,
            Outcome::Known => ImportOutcome::Known,
            Outcome::Expired => ImportOutcome::Expired,
            Outcome::UnknownOwner => ImportOutcome::UnknownOwner,
            Outcome::Refused => ImportOutcome::Refused,
        };
        Ok(Response::new(ImportTokensResponse { outcomes: outcomes.into_iter().map(|one| word(one).into()).collect() }))
    }
}
