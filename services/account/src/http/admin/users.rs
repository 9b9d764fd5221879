//! The pages for users: search, create, change, disable and delete them, and end their access.

mod access;
mod act;
mod activity;
mod create;
mod edit;
mod invitation;
mod list;
mod membership;
mod password;
mod profile;
pub(crate) mod roles;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::users::v1::Person;
use proto::doorward::users::v1::users_admin_api_client::UsersAdminApiClient;
use status::Kind;
use tonic::Status;
use url::form_urlencoded::byte_serialize;

use super::administrator::Administrator;
use super::text::{AdminText, text};
use super::{AdminPage, AdminSection};
pub(super) use crate::administration::users::by_id;
use crate::config::ADMIN;
use crate::state::AccountState;
use crate::transport::Transport;

/// The path of the users, below that of the administration.
pub(super) const USERS: &str = "/users";

/// The entry in the navigation.
pub(super) const PAGE: AdminPage = AdminPage {
    section: AdminSection::Users,
    path: USERS,
    label: |language| text(language).users,
    is_available: |services| services.users.is_some(),
};

/// The pages.
pub(super) fn router() -> Router<AccountState> {
    let path = |below: &str| format!("{ADMIN}{USERS}{below}");
    Router::new()
        .route(&path(""), get(list::show))
        .route(&path("/new"), get(create::show).post(create::create))
        .route(&path("/{id}"), get(edit::show).post(edit::save))
        .route(&path("/{id}/groups"), post(membership::add))
        .route(&path("/{id}/groups/remove"), post(membership::remove))
        .route(&path("/{id}/roles"), get(roles::show).post(roles::save))
        .route(&path("/{id}/password"), get(password::show).post(password::set))
        .route(&path("/{id}/profile"), get(profile::show).post(profile::save))
        .route(&path("/{id}/access"), get(access::show))
        .route(&path("/{id}/access/end-session"), post(access::end_session))
        .route(&path("/{id}/access/disconnect"), post(access::disconnect))
        .route(&path("/{id}/activity"), get(activity::show))
        .route(&path("/{id}/{act}"), get(act::confirm).post(act::perform))
}

/// An administrator, and users, which has the users and groups.
pub(super) struct UserAdministrator {
    pub(super) administrator: Administrator,
    pub(super) users: UsersAdminApiClient<Transport>,
}

impl FromRequestParts<AccountState> for UserAdministrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let administrator = Administrator::from_request_parts(parts, state).await?;
        match &state.administration.users {
            Some(users) => Ok(Self { administrator, users: users.clone() }),
            None => Err(administrator.not_found()),
        }
    }
}

impl UserAdministrator {
    /// The user with this identifier.
    ///
    /// # Errors
    /// The page that says why there is none.
    pub(super) async fn user(&self, id: &str) -> Result<Person, Response> {
        let signed_in = &self.administrator.signed_in;
        let user = signed_in.state.administration.user(&signed_in.on_behalf(), id).await;
        user.map_err(|status| self.administrator.failure(&status))
    }

    /// The user with this identifier, if there is one.
    async fn find(&self, id: &str) -> Result<Option<Person>, Status> {
        let signed_in = &self.administrator.signed_in;
        match signed_in.state.administration.user(&signed_in.on_behalf(), id).await {
            Ok(person) => Ok(Some(person)),
            Err(status) if Kind::from_grpc(status.code()) == Kind::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// The URL of a page of this user.
    pub(super) fn path_of(&self, id: &str, below: &str) -> String {
        self.administrator.path(&format!("{USERS}/{}{below}", segment(id)))
    }

    /// Whether it is the administrator's own account.
    pub(super) fn is_own(&self, id: &str) -> bool {
        self.administrator.signed_in.user.id.opaque_id == id
    }
}

/// A text as a segment of a path.
pub(crate) fn segment(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// What to call a user: the name to show, or that of the sign-in.
pub(super) fn name_of(user: &Person) -> &str {
    if user.display_name.is_empty() { &user.username } else { &user.display_name }
}

/// The field that users has refused, and what is wrong with it.
fn field_error(texts: &AdminText, status: &Status) -> Option<(&'static str, &'static str)> {
    let is_about = |what: &str| status.message().strip_prefix("the ").is_some_and(|rest| rest.starts_with(what));
    let (is_username, is_mail) = (is_about("username"), is_about("mail address"));
    match Kind::from_grpc(status.code()) {
        Kind::AlreadyExists if is_username => Some(("username", texts.username_taken)),
        Kind::AlreadyExists if is_mail => Some(("mail", texts.mail_taken)),
        Kind::InvalidArgument if is_username => Some(("username", texts.username_invalid)),
        Kind::InvalidArgument if is_mail => Some(("mail", texts.mail_invalid)),
        Kind::InvalidArgument if is_about("display name") => Some(("display_name", texts.display_name_invalid)),
        _ => None,
    }
}
