//! The pages for groups: search, create, rename and delete them, and change their members.

mod delete;
mod edit;
mod list;
mod members;

use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::users::v1::{GetGroupRequest, Group, GroupRef, group_ref};
use status::Kind;
use tonic::Status;

use super::text::{AdminText, text};
use super::users::{UserAdministrator, segment};
use super::{AdminPage, AdminSection};
use crate::config::ADMIN;
use crate::state::AccountState;

/// The path of the groups, below that of the administration.
const GROUPS: &str = "/groups";
/// The longest name or identifier that is read, in bytes.
const MAX_NAME: usize = 1024;
/// The longest token of a page that is read, in bytes.
const MAX_PAGE_TOKEN: usize = 2048;

/// The entry in the navigation.
pub(super) const PAGE: AdminPage = AdminPage {
    section: AdminSection::Groups,
    path: GROUPS,
    label: |language| text(language).groups,
    is_available: |services| services.users.is_some(),
};

/// The pages.
pub(super) fn router() -> Router<AccountState> {
    let path = |below: &str| format!("{ADMIN}{GROUPS}{below}");
    Router::new()
        .route(&path(""), get(list::show).post(list::create))
        .route(&path("/{id}"), get(edit::show).post(edit::rename))
        .route(&path("/{id}/members"), post(members::add))
        .route(&path("/{id}/members/remove"), post(members::remove))
        .route(&path("/{id}/delete"), get(delete::confirm).post(delete::delete))
}

impl UserAdministrator {
    /// The group with this identifier.
    ///
    /// # Errors
    /// The page that says why there is none.
    async fn group(&mut self, id: &str) -> Result<Group, Response> {
        let request = self.administrator.signed_in.on_behalf().call(GetGroupRequest { group: Some(by_id(id)) });
        match self.users.get_group(request).await {
            Ok(response) => response.into_inner().group.ok_or_else(|| self.administrator.not_found()),
            Err(status) => Err(self.administrator.failure(&status)),
        }
    }

    /// The URL of a page of this group.
    fn path_of_group(&self, id: &str, below: &str) -> String {
        self.administrator.path(&format!("{GROUPS}/{}{below}", segment(id)))
    }
}

/// A group by the identifier.
fn by_id(id: &str) -> GroupRef {
    GroupRef { by: Some(group_ref::By::Id(id.to_owned())) }
}

/// What is wrong with a name that users has refused; `None` if the refusal is about something else.
fn name_error(texts: &AdminText, status: &Status) -> Option<&'static str> {
    let is_about_name = status.message().starts_with("the group name");
    match Kind::from_grpc(status.code()) {
        Kind::AlreadyExists if is_about_name => Some(texts.group_taken),
        Kind::InvalidArgument if is_about_name => Some(texts.group_invalid),
        _ => None,
    }
}
