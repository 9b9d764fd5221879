use std::sync::Arc;

use proto::cs3::identity::user::v1beta1::{
    FindUsersRequest, FindUsersResponse, GetUserByClaimRequest, GetUserByClaimResponse, GetUserGroupsRequest,
    GetUserGroupsResponse, GetUserRequest, GetUserResponse,
    user_api_server::{UserApi, UserApiServer},
};
use status::Kind;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{Searchable, answer};
use crate::{Directory, caller::trace_id};

/// Largest request the directory reads unless another limit is set, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;

/// The users that the bearer of this internal token may find; `None` if it may not search the directory.
pub type MaySearch = Arc<dyn Fn(&str) -> Option<Searchable> + Send + Sync>;

/// The users that the bearer of this internal token may look up by what is known of them; `None` if the token has to be verified for
/// that, and cannot be.
pub type MayLookUp = Arc<dyn Fn(&str) -> Option<Searchable> + Send + Sync>;

/// A CS3 `UserAPI` whose every answer comes from one [`Directory`].
pub struct Users {
    directory: Arc<dyn Directory>,
    may_search: MaySearch,
    may_look_up: MayLookUp,
}

/// Serves a directory as CS3 `UserAPI`. As in the systems that call it, looking one known user up needs no token inside
/// the network, and `may_look_up` says what a token restricts it to; searching needs one, and `may_search` verifies it. `limit` is
/// how many bytes a request may have; 64 KiB by default.
pub fn serve(
    directory: Arc<dyn Directory>,
    (may_search, may_look_up): (MaySearch, MayLookUp),
    limit: Option<usize>,
) -> UserApiServer<Users> {
    let server = UserApiServer::new(Users { directory, may_search, may_look_up });
    server.max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

#[tonic::async_trait]
impl UserApi for Users {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        let trace = trace_id(request.metadata());
        let searchable = may_look_up(request.metadata(), &*self.may_look_up);
        Ok(Response::new(answer::get_user(&*self.directory, request.into_inner(), searchable.as_ref(), &trace).await))
    }

    async fn get_user_by_claim(
        &self,
        request: Request<GetUserByClaimRequest>,
    ) -> Result<Response<GetUserByClaimResponse>, Status> {
        let trace = trace_id(request.metadata());
        let searchable = may_look_up(request.metadata(), &*self.may_look_up);
        Ok(Response::new(
            answer::get_user_by_claim(&*self.directory, request.into_inner(), searchable.as_ref(), &trace).await,
        ))
    }

    async fn get_user_groups(
        &self,
        request: Request<GetUserGroupsRequest>,
    ) -> Result<Response<GetUserGroupsResponse>, Status> {
        let trace = trace_id(request.metadata());
        let searchable = may_look_up(request.metadata(), &*self.may_look_up);
        Ok(Response::new(
            answer::get_user_groups(&*self.directory, request.into_inner(), searchable.as_ref(), &trace).await,
        ))
    }

    async fn find_users(&self, request: Request<FindUsersRequest>) -> Result<Response<FindUsersResponse>, Status> {
        let trace = trace_id(request.metadata());
        let searcher = searcher(request.metadata(), &*self.may_search)?;
        Ok(Response::new(answer::find_users(&*self.directory, request.into_inner(), &searcher, &trace).await))
    }
}

/// The users that a caller may look up: all without a token, as services do that sign users in. `None` is for [`answer`], which refuses
/// the caller.
pub fn may_look_up(metadata: &MetadataMap, may_look_up: &dyn Fn(&str) -> Option<Searchable>) -> Option<Searchable> {
    let token = metadata.get_all("x-access-token").iter().find(|token| !token.is_empty());
    token.map_or(Some(Searchable::All), |token| may_look_up(token.to_str().unwrap_or_default()))
}

/// The token of the user who searches, if it may, and which users it may find.
///
/// # Errors
/// `UNAUTHENTICATED` without a token, `PERMISSION_DENIED` with one that is not good: as the systems that call us expect.
pub fn searcher(
    metadata: &MetadataMap,
    may_search: &dyn Fn(&str) -> Option<Searchable>,
) -> Result<(String, Searchable), Status> {
    let token = metadata.get("x-access-token").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if token.is_empty() {
        return Err(status::grpc(Kind::Unauthenticated, "core access token not found"));
    }
    let searchable = may_search(token);
    let searchable = searchable.ok_or_else(|| status::grpc(Kind::PermissionDenied, "core access token is invalid"))?;
    Ok((token.to_owned(), searchable))
}
