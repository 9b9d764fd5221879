//! The operations on users and groups of the command line and the quick start, over [`Admin`].

use account::{AccountPart, DeletionError, OnBehalfOf};
use authn::{BoxError, Caller};
use config::Secret;
use proto::doorward::{
    passwords::v1::{
        JudgePasswordRequest, JudgePasswordResponse, NewUserNames, RemovePasswordRequest, SetPasswordRequest,
    },
    users::v1::{
        AddMemberRequest, CreateGroupRequest, CreateUserRequest, DeleteUserRequest, GetProfileRequest, GetUserRequest,
        Group, GroupRef, ListGroupsRequest, ListUsersRequest, Person, PersonRef, PersonStatus, SetProfileRequest,
        UpdateUserRequest, UserProfile, group_ref, person_ref,
    },
};
use runtime::ForeignToken;
use tonic::Code;

use crate::admin::Admin;
use crate::cli::UserChange;

/// Users of one page: the most that the service returns.
const PAGE: u32 = 1_000;
/// The most pages that are read to find a user with a role.
const MOST_PAGES: usize = 10;

/// A user to add.
pub(crate) struct NewUser<'a> {
    pub(crate) username: &'a str,
    pub(crate) mail: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) roles: &'a [String],
    pub(crate) groups: &'a [String],
}

/// The user with this login name.
pub(crate) fn by_login(username: &str) -> PersonRef {
    PersonRef { by: Some(person_ref::By::Username(username.to_owned())) }
}

/// The group with this name.
pub(crate) fn by_name(name: &str) -> GroupRef {
    GroupRef { by: Some(group_ref::By::Name(name.to_owned())) }
}

impl Admin {
    /// Adds a user with a password and memberships. If one of these is refused the user is deleted again, so that a
    /// command that fails has changed nothing.
    pub(crate) async fn add(&mut self, user: &NewUser<'_>, password: Option<&Secret>) -> Result<Person, BoxError> {
        let request = self.request(CreateUserRequest {
            username: user.username.to_owned(),
            mail: user.mail.to_owned(),
            display_name: user.display_name.to_owned(),
            roles: user.roles.iter().map(|name| authn::role::id(name).to_owned()).collect(),
            ..CreateUserRequest::default()
        });
        let created = self.users.create_user(request).await.map_err(refused)?.into_inner();
        let created = created.user.ok_or("users answered without a person")?;
        match self.complete(&created, user.groups, password).await {
            Ok(()) => Ok(created),
            Err(error) => {
                self.undo_add(user.username).await?;
                Err(error)
            }
        }
    }

    async fn complete(
        &mut self,
        person: &Person,
        groups: &[String],
        password: Option<&Secret>,
    ) -> Result<(), BoxError> {
        if let Some(password) = password {
            self.set_password(&person.id, password).await?;
        }
        for group in groups {
            self.add_member(group, &person.username).await?;
        }
        Ok(())
    }

    /// Sets the password of the user with this identifier.
    pub(crate) async fn set_password(&mut self, user_id: &str, password: &Secret) -> Result<(), BoxError> {
        let message = SetPasswordRequest { user_id: user_id.to_owned(), password: password.expose().to_owned() };
        self.passwords.set_password(self.request(message)).await.map_err(refused)?;
        Ok(())
    }

    /// Removes the password of the user with this identifier; it is no error if there is none.
    pub(crate) async fn remove_password(&mut self, user_id: &str) -> Result<(), BoxError> {
        let message = RemovePasswordRequest { user_id: user_id.to_owned() };
        self.passwords.remove_password(self.request(message)).await.map_err(refused)?;
        Ok(())
    }

    /// What the policy says about a password of a user who does not exist yet.
    pub(crate) async fn judge_password(
        &mut self,
        user: &NewUser<'_>,
        password: &Secret,
    ) -> Result<JudgePasswordResponse, BoxError> {
        let names = NewUserNames {
            username: user.username.to_owned(),
            mail: user.mail.to_owned(),
            display_name: user.display_name.to_owned(),
        };
        let password = password.expose().to_owned();
        let message = JudgePasswordRequest { password, new_user: Some(names), ..JudgePasswordRequest::default() };
        Ok(self.passwords.judge_password(self.request(message)).await.map_err(refused)?.into_inner())
    }

    /// The user with this login name.
    pub(crate) async fn person(&mut self, username: &str) -> Result<Person, BoxError> {
        self.find(username).await?.ok_or_else(|| format!("no user has the login name {username:?}").into())
    }

    /// The user with this login name, if there is one.
    pub(crate) async fn find(&mut self, username: &str) -> Result<Option<Person>, BoxError> {
        let request = self.request(GetUserRequest { user: Some(by_login(username)) });
        match self.users.get_user(request).await {
            Ok(answer) => Ok(answer.into_inner().user),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(refused(status)),
        }
    }

    /// The user with this identifier, if there is one.
    pub(crate) async fn person_with_id(&mut self, id: &str) -> Result<Option<Person>, BoxError> {
        let user = PersonRef { by: Some(person_ref::By::Id(id.to_owned())) };
        match self.users.get_user(self.request(GetUserRequest { user: Some(user) })).await {
            Ok(answer) => Ok(answer.into_inner().user),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(refused(status)),
        }
    }

    /// The users whose login, name or mail address contains this text.
    pub(crate) async fn list(&mut self, query: &str) -> Result<Vec<Person>, BoxError> {
        let (mut people, mut page_token) = (Vec::new(), String::new());
        loop {
            let query = query.to_owned();
            let request = self.request(ListUsersRequest { page_size: PAGE, page_token, query });
            let page = self.users.list_users(request).await.map_err(refused)?.into_inner();
            people.extend(page.users);
            if page.next_page_token.is_empty() {
                return Ok(people);
            }
            page_token = page.next_page_token;
        }
    }

    /// Whether a user has this role, as far as the first [`MOST_PAGES`] pages tell; `true` if there are more.
    pub(crate) async fn has_role(&mut self, role: &str) -> Result<bool, BoxError> {
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = self.request(ListUsersRequest { page_size: PAGE, page_token, ..ListUsersRequest::default() });
            let page = self.users.list_users(request).await.map_err(refused)?.into_inner();
            if page.users.iter().any(|user| has_role(user, role)) {
                return Ok(true);
            }
            if page.next_page_token.is_empty() {
                return Ok(false);
            }
            page_token = page.next_page_token;
        }
        Ok(true)
    }

    /// Enables or disables a user.
    pub(crate) async fn set_status(&mut self, username: &str, status: PersonStatus) -> Result<(), BoxError> {
        let message = UpdateUserRequest {
            user: Some(by_login(username)),
            status: Some(status.into()),
            ..UpdateUserRequest::default()
        };
        self.users.update_user(self.request(message)).await.map_err(refused)?;
        Ok(())
    }

    /// The profile of a user.
    pub(crate) async fn profile(&mut self, username: &str) -> Result<UserProfile, BoxError> {
        let request = self.request(GetProfileRequest { user: Some(by_login(username)) });
        let answer = self.profiles.get_profile(request).await.map_err(refused)?;
        Ok(answer.into_inner().profile.unwrap_or_default())
    }

    /// Changes what is given of a user: the profile first, as its values are checked most strictly.
    pub(crate) async fn update(&mut self, username: &str, change: UserChange) -> Result<(), BoxError> {
        let UserChange { display_name, mail, profile } = change;
        let phone_number_verified = profile.phone_number_verified;
        let message = SetProfileRequest {
            user: Some(by_login(username)),
            attributes: profile.attributes(),
            display_name,
            phone_number_verified,
            ..SetProfileRequest::default()
        };
        let is_of_profile =
            !message.attributes.is_empty() || message.display_name.is_some() || phone_number_verified.is_some();
        if is_of_profile {
            self.profiles.set_profile(self.request(message)).await.map_err(refused)?;
        }
        if mail.is_some() {
            let message = UpdateUserRequest { user: Some(by_login(username)), mail, ..UpdateUserRequest::default() };
            self.users.update_user(self.request(message)).await.map_err(refused)?;
        }
        Ok(())
    }

    /// Deletes the user with this identifier, whom messages call `name`, with what the services that run have of the account: the password,
    /// second factors and app tokens first, and the sessions at the end. To repeat it after a failure completes it, also for a user who is
    /// not there any more.
    pub(crate) async fn delete(&self, name: &str, id: &str) -> Result<(), BoxError> {
        let caller = Caller::default();
        let deleted = self.administration.delete_user(&OnBehalfOf::new(&self.token, &caller), id).await;
        deleted.map_err(|error| match error {
            DeletionError::Refused(status) => refused(status),
            error @ DeletionError::Unfinished { .. } => unfinished(name, id, &error).into(),
        })
    }

    /// Removes a user who was added just now and has a password at most.
    pub(crate) async fn undo_add(&mut self, username: &str) -> Result<(), BoxError> {
        let person = self.person(username).await?;
        let request = self.request(RemovePasswordRequest { user_id: person.id });
        self.passwords.remove_password(request).await.map_err(refused)?;
        let request = self.request(DeleteUserRequest { user: Some(by_login(username)) });
        self.users.delete_user(request).await.map_err(refused)?;
        Ok(())
    }

    /// All groups.
    pub(crate) async fn groups(&mut self) -> Result<Vec<Group>, BoxError> {
        let (mut groups, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = self.request(ListGroupsRequest { page_size: PAGE, page_token, query: String::new() });
            let page = self.users.list_groups(request).await.map_err(refused)?.into_inner();
            groups.extend(page.groups);
            if page.next_page_token.is_empty() {
                return Ok(groups);
            }
            page_token = page.next_page_token;
        }
    }

    /// Adds a group unless it exists.
    pub(crate) async fn ensure_group(&mut self, name: &str) -> Result<(), BoxError> {
        let request = self.request(CreateGroupRequest { name: name.to_owned(), ..CreateGroupRequest::default() });
        match self.users.create_group(request).await {
            Ok(_) => Ok(()),
            Err(status) if status.code() == Code::AlreadyExists => Ok(()),
            Err(status) => Err(refused(status)),
        }
    }

    /// Makes a user a member of a group.
    pub(crate) async fn add_member(&mut self, group: &str, username: &str) -> Result<bool, BoxError> {
        let message = AddMemberRequest { group: Some(by_name(group)), user: Some(by_login(username)) };
        let answer = self.users.add_member(self.request(message)).await.map_err(refused)?;
        Ok(answer.into_inner().changed)
    }
}

/// Whether a user has the role with this identifier; the service has roles by their names.
fn has_role(user: &Person, role: &str) -> bool {
    user.roles.iter().any(|name| authn::role::id(name) == role)
}

/// The message for a deletion that has to be repeated, with the command that does it: by the identifier, as a user who is deleted already has
/// no login name any more.
fn unfinished(name: &str, id: &str, error: &DeletionError) -> String {
    let repeat = format!("doorward user delete --id {id}");
    match error {
        DeletionError::Unfinished { failed: AccountPart::Sessions, .. } => {
            format!(
                "{name} is deleted, but {error}. To end the sessions: {repeat}; until then each ends when it is used next"
            )
        }
        error => format!("{name} is not deleted: {error}. To continue: {repeat}"),
    }
}

/// The error of a refused call.
pub(crate) fn refused(status: tonic::Status) -> BoxError {
    if token::is_refused_token(&status) {
        Box::new(ForeignToken(status.message().to_owned()))
    } else if status.message().is_empty() {
        Box::new(status)
    } else {
        status.message().into()
    }
}

#[cfg(test)]
mod tests {
    use status::Kind;

    use super::*;

    #[test]
    fn administrator_is_recognised_by_the_name_of_the_role() {
        let user =
            |roles: &[&str]| Person { roles: roles.iter().map(|&role| role.to_owned()).collect(), ..Person::default() };
        assert!(has_role(&user(&["user", "admin"]), authn::role::ADMIN));
        assert!(has_role(&user(&[authn::role::ADMIN]), authn::role::ADMIN));
        assert!(!has_role(&user(&["user"]), authn::role::ADMIN));
    }

    #[test]
    fn unfinished_deletion_says_which_command_completes_it() {
        let error = |failed, removed: &[AccountPart]| DeletionError::Unfinished {
            removed: removed.to_vec(),
            failed,
            status: status::grpc(Kind::Unavailable, "idp cannot be reached"),
        };
        let sessions = error(AccountPart::Sessions, &[AccountPart::Password, AccountPart::User]);
        let message = unfinished("marie", "4c510ada", &sessions);
        assert!(message.starts_with("marie is deleted, but the sessions could not be removed"), "{message}");
        assert!(message.contains("doorward user delete --id 4c510ada;"), "{message}");
        let tokens = error(AccountPart::AppTokens, &[AccountPart::Password]);
        let message = unfinished("marie", "4c510ada", &tokens);
        assert!(message.starts_with("marie is not deleted: the app tokens could not be removed"), "{message}");
        assert!(message.ends_with("To continue: doorward user delete --id 4c510ada"), "{message}");
    }
}
