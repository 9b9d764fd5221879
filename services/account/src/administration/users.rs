//! What administrators do with users, as the pages and the API do it.

use authn::role;
use proto::doorward::idp::v1::account_user::Name;
use proto::doorward::idp::v1::{AccountUser, EndAllUserSessionsRequest, ResetFactorsRequest};
use proto::doorward::passwords::v1::{
    JudgePasswordRequest, JudgePasswordResponse, RemovePasswordRequest, SetPasswordRequest,
};
use proto::doorward::users::v1::person_ref::By;
use proto::doorward::users::v1::{
    CreateUserRequest, GetUserRequest, Person, PersonRef, PersonStatus, UpdateUserRequest,
};
use status::Kind;
use tonic::Status;

use super::Administration;
use crate::transport::OnBehalfOf;

/// The service behind an act is not there.
pub(super) fn absent() -> Status {
    status::grpc(Kind::Unimplemented, "the service is not configured")
}

/// A user by the identifier.
pub(crate) fn by_id(id: &str) -> PersonRef {
    PersonRef { by: Some(By::Id(id.to_owned())) }
}

/// A user by the identifier, as idp refers to one.
pub(crate) fn account(id: &str) -> AccountUser {
    AccountUser { name: Some(Name::Id(id.to_owned())) }
}

/// Whether these roles have that of administrators.
pub(crate) fn has_admin(roles: &[String]) -> bool {
    roles.iter().any(|name| role::id(name) == role::ADMIN)
}

impl Administration {
    /// The user with this identifier.
    pub(crate) async fn user(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<Person, Status> {
        let mut users = self.users.clone().ok_or_else(absent)?;
        let found = users.get_user(by.call(GetUserRequest { user: Some(by_id(id)) })).await?.into_inner();
        found.user.ok_or_else(|| status::grpc(Kind::NotFound, "there is no such user"))
    }

    /// Creates a user.
    pub(crate) async fn create_user(&self, by: &OnBehalfOf<'_>, new: CreateUserRequest) -> Result<Person, Status> {
        let mut users = self.users.clone().ok_or_else(absent)?;
        Ok(users.create_user(by.call(new)).await?.into_inner().user.unwrap_or_default())
    }

    /// Changes a user. One who is disabled is signed out: the sessions end afterwards, so that no other one begins in between. Each use
    /// of one notices the status too, but other services accept stateless tokens until they learn that these have ended.
    pub(crate) async fn update_user(
        &self,
        by: &OnBehalfOf<'_>,
        id: &str,
        change: UpdateUserRequest,
    ) -> Result<Person, Status> {
        let mut users = self.users.clone().ok_or_else(absent)?;
        let disables = change.status == Some(PersonStatus::Disabled.into());
        let request = UpdateUserRequest { user: Some(by_id(id)), ..change };
        let changed = users.update_user(by.call(request)).await?.into_inner().user.unwrap_or_default();
        if disables {
            self.end_sessions(by, id).await.map_err(status::partly_done)?;
        }
        Ok(changed)
    }

    /// Changes whether a user may sign in.
    pub(crate) async fn set_status(&self, by: &OnBehalfOf<'_>, id: &str, status: PersonStatus) -> Result<(), Status> {
        let change = UpdateUserRequest { status: Some(status.into()), ..UpdateUserRequest::default() };
        self.update_user(by, id, change).await.map(drop)
    }

    /// Ends all sessions of a user, and the tokens from them; without idp there are none.
    pub(crate) async fn end_sessions(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<(), Status> {
        let Some(mut accounts) = self.accounts.clone() else { return Ok(()) };
        let request = EndAllUserSessionsRequest { user: Some(account(id)) };
        accounts.end_all_user_sessions(by.call(request)).await.map(drop)
    }

    /// Removes the second factors of a user.
    pub(crate) async fn reset_factors(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<(), Status> {
        let mut factors = self.factors.clone().ok_or_else(absent)?;
        factors.reset_factors(by.call(ResetFactorsRequest { user_id: id.to_owned() })).await.map(drop)
    }

    /// What the policy says of a password.
    pub(crate) async fn judge_password(
        &self,
        by: &OnBehalfOf<'_>,
        request: JudgePasswordRequest,
    ) -> Result<JudgePasswordResponse, Status> {
        let mut passwords = self.passwords.clone().ok_or_else(absent)?;
        Ok(passwords.judge_password(by.call(request)).await?.into_inner())
    }

    /// Sets the password of a user, which the policy has to have accepted.
    pub(crate) async fn set_password(&self, by: &OnBehalfOf<'_>, id: &str, password: &str) -> Result<(), Status> {
        let mut passwords = self.passwords.clone().ok_or_else(absent)?;
        let request = SetPasswordRequest { user_id: id.to_owned(), password: password.to_owned() };
        passwords.set_password(by.call(request)).await.map(drop)
    }

    /// Removes the password of a user.
    pub(crate) async fn remove_password(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<(), Status> {
        let mut passwords = self.passwords.clone().ok_or_else(absent)?;
        passwords.remove_password(by.call(RemovePasswordRequest { user_id: id.to_owned() })).await.map(drop)
    }
}
