//! All groups, and their members.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::users::v1::users_admin_api_client::UsersAdminApiClient;
use proto::doorward::users::v1::{
    self as messages, AddMemberRequest, CreateGroupRequest, DeleteGroupRequest, GetGroupRequest, GroupRef,
    ListGroupsRequest, ListMembersRequest, PersonRef, RemoveMemberRequest, RenameGroupRequest, group_ref, person_ref,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::problem::{Problem, ProblemDetails};
use super::super::request::{Id, Ids, Members, Parameters};
use super::super::tokens::Page;
use super::super::{created, given};
use super::Search;
use super::users::User;
use crate::administration::users::by_id;
use crate::http::admin::users::segment;
use crate::state::AccountState;
use crate::transport::Transport;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, rename, delete))
        .routes(routes!(list_members, add_member))
        .routes(routes!(remove_member))
}

/// A group.
#[derive(Serialize, ToSchema)]
struct Group {
    /// The identifier.
    id: String,
    /// The name.
    name: String,
    /// A text about it; `null` if there is none.
    description: Option<String>,
    /// How many members it has.
    member_count: u64,
}

impl From<messages::Group> for Group {
    fn from(group: messages::Group) -> Self {
        let messages::Group { id, name, description, member_count } = group;
        Self { id, name, description, member_count }
    }
}

/// A page of groups.
#[derive(Serialize, ToSchema)]
struct GroupList {
    groups: Vec<Group>,
    /// For the next page; left out if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A page of the members of a group.
#[derive(Serialize, ToSchema)]
struct MemberList {
    members: Vec<User>,
    /// For the next page; left out if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A new group.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    /// The name, which no other group has.
    name: String,
    /// A text about it.
    description: Option<String>,
}

/// A change of a group.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GroupChange {
    /// The name, which no other group has.
    name: String,
}

/// A user who is to be a member: either by the identifier or by the name of the sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// The identifier of the user.
    user_id: Option<String>,
    /// The name of the sign-in.
    username: Option<String>,
}

impl NewMember {
    fn user(self) -> Result<PersonRef, Problem> {
        match (self.user_id, self.username) {
            (Some(id), None) => Ok(by_id(&id)),
            (None, Some(username)) => Ok(PersonRef { by: Some(person_ref::By::Username(username)) }),
            _ => Err(Problem::parameter("user_id", "either user_id or username must be given")),
        }
    }
}

/// The group with this identifier.
fn with_id(id: &str) -> GroupRef {
    GroupRef { by: Some(group_ref::By::Id(id.to_owned())) }
}

fn users(administrator: &Administrator) -> Result<UsersAdminApiClient<Transport>, Problem> {
    administrator.0.state.administration.users.clone().ok_or_else(|| Problem::without("users"))
}

async fn group(administrator: &Administrator, id: &str) -> Result<Group, Problem> {
    let call = administrator.0.on_behalf().call(GetGroupRequest { group: Some(with_id(id)) });
    let found = users(administrator)?.get_group(call).await?.into_inner().group;
    Ok(found.ok_or_else(Problem::not_found)?.into())
}

/// Lists groups, or searches in their names.
#[utoipa::path(
    get,
    path = "/admin/api/v1/groups",
    operation_id = "listGroups",
    tag = "administration: groups",
    params(Search),
    responses((status = 200, description = "A page of the groups.", body = GroupList))
)]
async fn list(
    administrator: Administrator,
    Parameters(search): Parameters<Search>,
) -> Result<Json<GroupList>, Problem> {
    let Search { query, page_size, page_token } = search;
    let request = ListGroupsRequest {
        page_size: page_size.unwrap_or_default(),
        page_token: page_token.unwrap_or_default(),
        query: query.unwrap_or_default(),
    };
    let listed = users(&administrator)?.list_groups(administrator.0.on_behalf().call(request)).await?.into_inner();
    let groups = listed.groups.into_iter().map(Group::from).collect();
    Ok(Json(GroupList { groups, next_page_token: given(listed.next_page_token) }))
}

/// Creates a group without members.
#[utoipa::path(
    post,
    path = "/admin/api/v1/groups",
    operation_id = "createGroup",
    tag = "administration: groups",
    request_body = NewGroup,
    responses(
        (
            status = 201,
            description = "The group.",
            body = Group,
            headers(("Location" = String, description = "The path of the group."))
        ),
        (
            status = 409,
            description = "The name is taken.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn create(administrator: Administrator, Members(new): Members<NewGroup>) -> Result<Response, Problem> {
    let NewGroup { name, description } = new;
    let request = CreateGroupRequest { name, description, ..CreateGroupRequest::default() };
    let call = administrator.0.on_behalf().call(request);
    let group: Group = users(&administrator)?.create_group(call).await?.into_inner().group.unwrap_or_default().into();
    Ok(created(&administrator.0, &format!("/admin/api/v1/groups/{}", segment(&group.id)), group))
}

/// Returns a group.
#[utoipa::path(
    get,
    path = "/admin/api/v1/groups/{id}",
    operation_id = "getGroup",
    tag = "administration: groups",
    params(("id" = String, Path, description = "The identifier of the group.")),
    responses((status = 200, description = "The group.", body = Group))
)]
async fn show(administrator: Administrator, Id(id): Id) -> Result<Json<Group>, Problem> {
    Ok(Json(group(&administrator, &id).await?))
}

/// Gives a group another name.
///
/// Needs a recent sign-in.
#[utoipa::path(
    patch,
    path = "/admin/api/v1/groups/{id}",
    operation_id = "renameGroup",
    tag = "administration: groups",
    params(("id" = String, Path, description = "The identifier of the group.")),
    request_body = GroupChange,
    responses(
        (status = 200, description = "The group as changed.", body = Group),
        (
            status = 409,
            description = "The name is taken.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn rename(
    administrator: Administrator,
    Id(id): Id,
    Members(change): Members<GroupChange>,
) -> Result<Json<Group>, Problem> {
    administrator.recent_sign_in().await?;
    let request = RenameGroupRequest { group: Some(with_id(&id)), name: change.name };
    users(&administrator)?.rename_group(administrator.0.on_behalf().call(request)).await?;
    Ok(Json(group(&administrator, &id).await?))
}

/// Deletes a group; its members stay.
///
/// Needs a recent sign-in.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/groups/{id}",
    operation_id = "deleteGroup",
    tag = "administration: groups",
    params(("id" = String, Path, description = "The identifier of the group.")),
    responses((status = 204, description = "The group is deleted."))
)]
async fn delete(administrator: Administrator, Id(id): Id) -> Result<StatusCode, Problem> {
    let mut users = users(&administrator)?;
    administrator.recent_sign_in().await?;
    users.delete_group(administrator.0.on_behalf().call(DeleteGroupRequest { group: Some(with_id(&id)) })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the members of a group.
#[utoipa::path(
    get,
    path = "/admin/api/v1/groups/{id}/members",
    operation_id = "listGroupMembers",
    tag = "administration: groups",
    params(("id" = String, Path, description = "The identifier of the group."), Page),
    responses((status = 200, description = "A page of the members.", body = MemberList))
)]
async fn list_members(
    administrator: Administrator,
    Id(id): Id,
    Parameters(page): Parameters<Page>,
) -> Result<Json<MemberList>, Problem> {
    let Page { page_size, page_token } = page;
    let request = ListMembersRequest {
        group: Some(with_id(&id)),
        page_size: page_size.unwrap_or_default(),
        page_token: page_token.unwrap_or_default(),
    };
    let listed = users(&administrator)?.list_members(administrator.0.on_behalf().call(request)).await?.into_inner();
    let members = listed.members.into_iter().map(User::from).collect();
    Ok(Json(MemberList { members, next_page_token: given(listed.next_page_token) }))
}

/// Adds a user to a group.
///
/// Needs a recent sign-in. A user who is a member stays one.
#[utoipa::path(
    post,
    path = "/admin/api/v1/groups/{id}/members",
    operation_id = "addGroupMember",
    tag = "administration: groups",
    params(("id" = String, Path, description = "The identifier of the group.")),
    request_body = NewMember,
    responses((status = 204, description = "The user is a member."))
)]
async fn add_member(
    administrator: Administrator,
    Id(id): Id,
    Members(new): Members<NewMember>,
) -> Result<StatusCode, Problem> {
    administrator.recent_sign_in().await?;
    let request = AddMemberRequest { group: Some(with_id(&id)), user: Some(new.user()?) };
    users(&administrator)?.add_member(administrator.0.on_behalf().call(request)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a user from a group.
///
/// Needs a recent sign-in. A user who is no member stays none.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/groups/{id}/members/{user_id}",
    operation_id = "removeGroupMember",
    tag = "administration: groups",
    params(
        ("id" = String, Path, description = "The identifier of the group."),
        ("user_id" = String, Path, description = "The identifier of the user."),
    ),
    responses((status = 204, description = "The user is no member."))
)]
async fn remove_member(administrator: Administrator, Ids(id, user_id): Ids) -> Result<StatusCode, Problem> {
    administrator.recent_sign_in().await?;
    let request = RemoveMemberRequest { group: Some(with_id(&id)), user: Some(by_id(&user_id)) };
    users(&administrator)?.remove_member(administrator.0.on_behalf().call(request)).await?;
    Ok(StatusCode::NO_CONTENT)
}
