//! The four CS3 user calls, answered by any [`Directory`]: `UserAPI` and `GatewayAPI` share them.

use std::sync::Arc;

use proto::{
    cs3::{identity::user::v1beta1 as identity, rpc::v1beta1::Status as Cs3Status},
    find_users::{UserFilter, decode_filters},
};

use super::Searchable;
use crate::{Claim, Directory, DirectoryError, Filter, Groups, User, UserId, UserType, causes, wire::from_directory};

fn wanted(skip: bool) -> Groups {
    if skip { Groups::Skip } else { Groups::Include }
}

fn failed(error: &DirectoryError, trace: &str) -> Cs3Status {
    let cause = causes(error);
    if !cause.is_empty() {
        tracing::error!(%error, cause, "the directory came to no answer");
    }
    status::failure(error.kind(), error.to_string(), trace)
}

/// What was found, if the caller may find it. It does not learn that there are users whom it may not find.
fn visible(found: Result<Arc<User>, DirectoryError>, searchable: &Searchable) -> Result<Arc<User>, DirectoryError> {
    match found {
        Ok(user) if !searchable.includes(&user) => Err(DirectoryError::NotFound),
        Err(DirectoryError::Ambiguous) if *searchable != Searchable::All => Err(DirectoryError::NotFound),
        found => found,
    }
}

/// Answers `GetUser`. The caller has found out which users it may look up (`docs/security-requirements.md#d43`). With `None` for a token
/// that cannot be verified the answer is `UNAUTHENTICATED`: that there is no such user would be taken for a deleted one.
pub async fn get_user(
    directory: &dyn Directory,
    request: identity::GetUserRequest,
    searchable: Option<&Searchable>,
    trace: &str,
) -> identity::GetUserResponse {
    let found = match (request.user_id, searchable) {
        (_, None) => Err(DirectoryError::Unauthenticated),
        (Some(id), Some(searchable)) if !id.opaque_id.is_empty() => {
            let found = directory.user(&id.into(), wanted(request.skip_fetching_user_groups)).await;
            visible(found, searchable)
        }
        _ => Err(DirectoryError::Malformed("user_id is missing")),
    };
    match found {
        Ok(user) => identity::GetUserResponse {
            status: Some(status::ok()),
            user: Some(from_directory(&user)),
            ..Default::default()
        },
        Err(error) => identity::GetUserResponse { status: Some(failed(&error, trace)), ..Default::default() },
    }
}

/// Answers `GetUserByClaim`; see [`get_user`].
pub async fn get_user_by_claim(
    directory: &dyn Directory,
    request: identity::GetUserByClaimRequest,
    searchable: Option<&Searchable>,
    trace: &str,
) -> identity::GetUserByClaimResponse {
    let found = match (Claim::parse(&request.claim, &request.value), searchable) {
        (_, None) => Err(DirectoryError::Unauthenticated),
        (Some(claim), Some(searchable)) if !request.value.is_empty() => {
            let found = directory.user_by_claim(&claim, wanted(request.skip_fetching_user_groups)).await;
            visible(found, searchable)
        }
        (Some(_), _) => Err(DirectoryError::Malformed("value is empty")),
        (None, _) => Err(DirectoryError::Malformed("claim must be one of username, userid, mail, uid, gid")),
    };
    match found {
        Ok(user) => identity::GetUserByClaimResponse {
            status: Some(status::ok()),
            user: Some(from_directory(&user)),
            ..Default::default()
        },
        Err(error) => identity::GetUserByClaimResponse { status: Some(failed(&error, trace)), ..Default::default() },
    }
}

async fn groups_of(
    directory: &dyn Directory,
    id: &UserId,
    searchable: &Searchable,
) -> Result<Vec<String>, DirectoryError> {
    if *searchable != Searchable::All {
        visible(directory.user(id, Groups::Skip).await, searchable)?;
    }
    directory.groups(id).await
}

/// Answers `GetUserGroups`; see [`get_user`].
pub async fn get_user_groups(
    directory: &dyn Directory,
    request: identity::GetUserGroupsRequest,
    searchable: Option<&Searchable>,
    trace: &str,
) -> identity::GetUserGroupsResponse {
    let found = match (request.user_id, searchable) {
        (_, None) => Err(DirectoryError::Unauthenticated),
        (Some(id), Some(searchable)) if !id.opaque_id.is_empty() => groups_of(directory, &id.into(), searchable).await,
        _ => Err(DirectoryError::Malformed("user_id is missing")),
    };
    match found {
        Ok(groups) => identity::GetUserGroupsResponse { status: Some(status::ok()), groups, ..Default::default() },
        Err(error) => identity::GetUserGroupsResponse { status: Some(failed(&error, trace)), ..Default::default() },
    }
}

/// Answers `FindUsers`, whichever generation of the interface asks. The caller has checked the token, and found out which users it may
/// find (`docs/security-requirements.md#d43`).
pub async fn find_users(
    directory: &dyn Directory,
    request: identity::FindUsersRequest,
    (token, searchable): &(String, Searchable),
    trace: &str,
) -> identity::FindUsersResponse {
    let found = match decode_filters(&request.filters) {
        Ok(filters) => {
            let filters: Vec<Filter> = filters.into_iter().map(Filter::from).collect();
            let groups = wanted(request.skip_fetching_user_groups);
            match searchable {
                Searchable::All => directory.find(&filters, groups, token).await,
                Searchable::Tenant(tenant) if tenant.is_empty() => Ok(Vec::new()),
                Searchable::Tenant(tenant) => directory.find_in_tenant(tenant, &filters, groups, token).await,
            }
        }
        Err(_) => Err(DirectoryError::Malformed("a filter cannot be read")),
    };
    match found {
        Ok(users) => identity::FindUsersResponse {
            status: Some(status::ok()),
            users: users.iter().map(|user| from_directory(user)).collect(),
            ..Default::default()
        },
        Err(error) => identity::FindUsersResponse { status: Some(failed(&error, trace)), ..Default::default() },
    }
}

impl From<UserFilter> for Filter {
    fn from(filter: UserFilter) -> Self {
        match filter {
            UserFilter::Query(text) => Self::Query(text),
            UserFilter::Type(kind) => Self::Type(UserType::from_number(kind as i32)),
        }
    }
}

impl From<&Filter> for UserFilter {
    fn from(filter: &Filter) -> Self {
        match filter {
            Filter::Query(text) => Self::Query(text.clone()),
            Filter::Type(kind) => Self::Type(identity::UserType::try_from(*kind as i32).unwrap_or_default()),
        }
    }
}
