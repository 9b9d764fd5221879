//! All users.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::passwords::v1::{JudgePasswordRequest, NewUserNames};
use proto::doorward::users::v1::{
    CreateUserRequest, ExpectedUser, ListUsersRequest, Person, PersonStatus, RoleList, UpdateUserRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::problem::{Problem, ProblemDetails, Weakness};
use super::super::request::{Id, Members, Parameters};
use super::super::timestamp::Timestamp;
use super::super::{created, given};
use super::Search;
use crate::administration::Administration;
use crate::administration::users::has_admin;
use crate::http::admin::users::segment;
use crate::state::AccountState;
use crate::transport::OnBehalfOf;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, change, delete))
}

/// A user, as administrators see one.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    /// The identifier.
    id: String,
    /// The name of the sign-in.
    username: String,
    /// The mail address; empty if there is none.
    mail: String,
    /// The name to show.
    display_name: String,
    /// Whether the user may sign in.
    status: UserStatus,
    /// The number of the user in the file system; 0 if there is none.
    uid_number: i64,
    /// The number of the user's group in the file system; 0 if there is none.
    gid_number: i64,
    /// The names of the roles.
    roles: Vec<String>,
    /// The groups.
    groups: Vec<Membership>,
    /// When the user was created; `null` if that is not known.
    created: Option<Timestamp>,
    /// When the user was last changed; `null` if that is not known.
    updated: Option<Timestamp>,
}

/// Whether a user may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum UserStatus {
    /// The user may sign in.
    Active,
    /// The user may not sign in.
    Disabled,
}

impl UserStatus {
    const fn message(self) -> PersonStatus {
        match self {
            Self::Active => PersonStatus::Active,
            Self::Disabled => PersonStatus::Disabled,
        }
    }
}

/// A group of a user.
#[derive(Serialize, ToSchema)]
struct Membership {
    /// The identifier of the group.
    id: String,
    /// Its name.
    name: String,
}

impl From<Person> for User {
    fn from(person: Person) -> Self {
        let is_disabled = person.status() == PersonStatus::Disabled;
        let groups = person.group_ids.into_iter().zip(person.groups);
        Self {
            id: person.id,
            username: person.username,
            mail: person.mail,
            display_name: person.display_name,
            status: if is_disabled { UserStatus::Disabled } else { UserStatus::Active },
            uid_number: person.uid_number,
            gid_number: person.gid_number,
            roles: person.roles,
            groups: groups.map(|(id, name)| Membership { id, name }).collect(),
            created: Timestamp::of(person.created),
            updated: Timestamp::of(person.updated),
        }
    }
}

/// A page of users.
#[derive(Serialize, ToSchema)]
struct UserList {
    users: Vec<User>,
    /// For the next page; left out if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The name of the sign-in.
    username: String,
    /// The mail address.
    #[serde(default)]
    mail: String,
    /// The name to show; the name of the sign-in if it is left out.
    #[serde(default)]
    display_name: String,
    /// The names of the roles: `user`, `guest`, `spaceadmin`, `admin`, or the identifier of another one.
    #[serde(default)]
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
    /// The password, if the user is to have one and passwords are not in another system.
    #[schema(format = Password)]
    password: Option<String>,
    /// Whether the user is sent an invitation by mail, to set the first password. Needs a mail address, no password, and an installation
    /// that sends invitations.
    #[serde(default)]
    invite: bool,
}

impl NewUser {
    fn names(&self) -> NewUserNames {
        let Self { username, mail, display_name, .. } = self;
        NewUserNames { username: username.clone(), mail: mail.clone(), display_name: display_name.clone() }
    }

    /// Refuses a password or an invitation that could not be given to the user, before there is one.
    async fn check_access(&self, services: &Administration, by: &OnBehalfOf<'_>) -> Result<(), Problem> {
        if self.invite {
            if self.mail.is_empty() {
                return Err(Problem::parameter("mail", "it is empty, and an invitation needs a mail address"));
            }
            if self.password.is_some() {
                return Err(Problem::parameter("password", "a user who is invited sets the first password"));
            }
            if !services.sends_invitations(by).await? {
                return Err(Problem::parameter("invite", "this installation sends no invitations"));
            }
        }
        let Some(password) = &self.password else { return Ok(()) };
        if services.passwords.is_none() {
            return Err(Problem::parameter("password", "passwords are in another system"));
        }
        let (password, new_user) = (password.clone(), Some(self.names()));
        let request = JudgePasswordRequest { password, new_user, ..JudgePasswordRequest::default() };
        let weaknesses = Weakness::all_of(&services.judge_password(by, request).await?);
        if weaknesses.is_empty() { Ok(()) } else { Err(Problem::weak_password("password", weaknesses)) }
    }
}

/// A user who was created.
#[derive(Serialize, ToSchema)]
struct CreatedUser {
    user: User,
    /// Whether the password was set. If there was one in the request, and this is `false`, set it again.
    password_set: bool,
    /// Whether the invitation is on its way. If the request asked for one, and this is `false`, send it again.
    invited: bool,
}

/// A change of a user. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// The mail address; empty for none.
    mail: Option<String>,
    /// The name to show.
    display_name: Option<String>,
    /// Whether the user may sign in. A user who is disabled is signed out everywhere.
    status: Option<UserStatus>,
    /// The names of all roles.
    roles: Option<Vec<String>>,
    /// What has to be stored for the change to be made, so that no change of another caller is lost; what is left out is not compared.
    expected: Option<ExpectedValues>,
}

/// Values of a user, as they were read before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExpectedValues {
    /// The mail address; empty for none.
    mail: Option<String>,
    /// The name to show.
    display_name: Option<String>,
    /// Whether the user may sign in.
    status: Option<UserStatus>,
    /// The names of all roles, in any order.
    roles: Option<Vec<String>>,
}

impl UserChange {
    /// Whether it gives or takes access, which needs a recent sign-in.
    fn is_about_access(&self) -> bool {
        self.status.is_some() || self.roles.is_some() || self.mail.is_some()
    }

    /// Whether administrators who do it to themselves may leave no other one.
    fn locks_out(&self) -> bool {
        self.status == Some(UserStatus::Disabled) || self.roles.as_ref().is_some_and(|roles| !has_admin(roles))
    }

    fn request(self) -> UpdateUserRequest {
        let expected = self.expected.map(|expected| ExpectedUser {
            mail: expected.mail,
            display_name: expected.display_name,
            status: expected.status.map(|status| status.message().into()),
            roles: expected.roles.map(|roles| RoleList { roles }),
        });
        UpdateUserRequest {
            mail: self.mail,
            display_name: self.display_name,
            status: self.status.map(|status| status.message().into()),
            roles: self.roles.map(|roles| RoleList { roles }),
            expected,
            ..UpdateUserRequest::default()
        }
    }
}

/// Lists users, or searches in their names and mail addresses.
#[utoipa::path(
    get,
    path = "/admin/api/v1/users",
    operation_id = "listUsers",
    tag = "administration: users",
    params(Search),
    responses((status = 200, description = "A page of the users.", body = UserList))
)]
async fn list(administrator: Administrator, Parameters(search): Parameters<Search>) -> Result<Json<UserList>, Problem> {
    let Search { query, page_size, page_token } = search;
    let mut users = administrator.0.state.administration.users.clone().ok_or_else(|| Problem::without("users"))?;
    let request = ListUsersRequest {
        page_size: page_size.unwrap_or_default(),
        page_token: page_token.unwrap_or_default(),
        query: query.unwrap_or_default(),
    };
    let listed = users.list_users(administrator.0.on_behalf().call(request)).await?.into_inner();
    let users = listed.users.into_iter().map(User::from).collect();
    Ok(Json(UserList { users, next_page_token: given(listed.next_page_token) }))
}

/// Creates a user.
///
/// Needs a recent sign-in.
#[utoipa::path(
    post,
    path = "/admin/api/v1/users",
    operation_id = "createUser",
    tag = "administration: users",
    request_body = NewUser,
    responses(
        (
            status = 201,
            description = "The user.",
            body = CreatedUser,
            headers(("Location" = String, description = "The path of the user."))
        ),
        (
            status = 409,
            description = "The name of the sign-in or the mail address is taken.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn create(administrator: Administrator, Members(new): Members<NewUser>) -> Result<Response, Problem> {
    administrator.recent_sign_in().await?;
    let (services, by) = (&administrator.0.state.administration, administrator.0.on_behalf());
    new.check_access(services, &by).await?;
    let NewUser { username, mail, display_name, roles, password, invite } = new;
    let request = CreateUserRequest { username, mail, display_name, roles, ..CreateUserRequest::default() };
    let person = services.create_user(&by, request).await?;
    // the user is there whether what follows succeeds or not
    let password_set = match password {
        Some(password) => {
            let set = services.set_password(&by, &person.id, &password).await;
            set.inspect_err(|status| tracing::warn!(%status, "the password of a new user was not set")).is_ok()
        }
        None => false,
    };
    let invited = invite && {
        let sent = services.invite_user(&by, &person.id).await;
        sent.inspect_err(|status| tracing::warn!(%status, "a new user was not invited")).is_ok()
    };
    let path = format!("/admin/api/v1/users/{}", segment(&person.id));
    Ok(created(&administrator.0, &path, CreatedUser { user: person.into(), password_set, invited }))
}

/// Returns a user.
#[utoipa::path(
    get,
    path = "/admin/api/v1/users/{id}",
    operation_id = "getUser",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    responses((status = 200, description = "The user.", body = User))
)]
async fn show(administrator: Administrator, Id(id): Id) -> Result<Json<User>, Problem> {
    let services = &administrator.0.state.administration;
    Ok(Json(services.user(&administrator.0.on_behalf(), &id).await?.into()))
}

/// Changes a user.
///
/// Needs a recent sign-in if it changes the status, the roles or the mail address. Administrators cannot disable themselves or give up their own role.
#[utoipa::path(
    patch,
    path = "/admin/api/v1/users/{id}",
    operation_id = "changeUser",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    request_body = UserChange,
    responses(
        (status = 200, description = "The user as changed.", body = User),
        (
            status = 409,
            description = "Something else is stored than was expected, and nothing was changed; or the mail address is taken.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn change(
    administrator: Administrator,
    Id(id): Id,
    Members(change): Members<UserChange>,
) -> Result<Json<User>, Problem> {
    if administrator.is_own(&id) && change.locks_out() {
        return Err(Problem::own_account());
    }
    if change.is_about_access() {
        administrator.recent_sign_in().await?;
    }
    let services = &administrator.0.state.administration;
    let changed = services.update_user(&administrator.0.on_behalf(), &id, change.request()).await?;
    Ok(Json(changed.into()))
}

/// Deletes a user.
///
/// The password, the second factors and the app tokens are removed, and the sessions end. If a service does not answer, repeat the request. Needs a recent sign-in. Administrators cannot delete themselves.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/users/{id}",
    operation_id = "deleteUser",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    responses((status = 204, description = "The user is deleted."))
)]
async fn delete(administrator: Administrator, Id(id): Id) -> Result<StatusCode, Problem> {
    if administrator.is_own(&id) {
        return Err(Problem::own_account());
    }
    administrator.recent_sign_in().await?;
    administrator.0.state.administration.delete_user(&administrator.0.on_behalf(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
