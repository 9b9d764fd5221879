//! The directory of one user, whose password it verifies too.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use authn::{
    AuthError, Authenticated, Authenticator, Claim, Credentials, Directory, DirectoryError, Filter, Groups, MailChange,
    MailChangeError, Profile, Reason, User, UserId,
};
use secrecy::ExposeSecret;

use super::{EINSTEIN, PASSWORD};

/// One user, or none any more, the profile, and how mail addresses are changed.
pub(super) struct TestDirectory(
    pub(super) Mutex<Option<User>>,
    pub(super) Mutex<Profile>,
    pub(super) Mutex<MailChanges>,
);

/// How the directory changes mail addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct MailChanges {
    /// Whether the operator permits it.
    pub(crate) are_permitted: bool,
    /// The address of another user.
    pub(crate) taken: String,
    /// Whether the directory does not answer.
    pub(crate) is_away: bool,
    /// Whether it changes the address and does not answer.
    pub(crate) loses_answers: bool,
}

impl TestDirectory {
    pub(super) fn einstein() -> Self {
        let id = UserId { opaque_id: EINSTEIN.to_owned(), ..UserId::default() };
        let (username, display_name) = ("einstein".to_owned(), "Albert Einstein".to_owned());
        Self(
            Mutex::new(Some(User { id, username, display_name, ..User::default() })),
            Mutex::default(),
            Mutex::default(),
        )
    }
}

#[async_trait]
impl Directory for TestDirectory {
    async fn user(&self, id: &UserId, _: Groups) -> Result<Arc<User>, DirectoryError> {
        let found = self.0.lock().expect("not poisoned").clone();
        let found = found.filter(|user| user.id.opaque_id == id.opaque_id);
        found.map(Arc::new).ok_or(DirectoryError::NotFound)
    }

    async fn user_by_claim(&self, claim: &Claim, _: Groups) -> Result<Arc<User>, DirectoryError> {
        let found = self.0.lock().expect("not poisoned").clone();
        let is_meant = |user: &User| matches!(claim, Claim::Mail(mail) if !mail.is_empty() && *mail == user.mail);
        found.filter(is_meant).map(Arc::new).ok_or(DirectoryError::NotFound)
    }

    async fn groups(&self, _: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn profile(&self, _: &UserId) -> Result<Profile, DirectoryError> {
        Ok(self.1.lock().expect("not poisoned").clone())
    }

    async fn may_change_mail(&self) -> Result<bool, DirectoryError> {
        Ok(self.2.lock().expect("not poisoned").are_permitted)
    }

    async fn set_verified_mail(&self, id: &UserId, change: MailChange<'_>) -> Result<(), MailChangeError> {
        let changes = self.2.lock().expect("not poisoned").clone();
        if changes.is_away {
            return Err(DirectoryError::Unavailable("no answer".into()).into());
        }
        if !changes.are_permitted {
            return Err(MailChangeError::NotPermitted);
        }
        let mut found = self.0.lock().expect("not poisoned");
        let user = found.as_mut().filter(|user| user.id.opaque_id == id.opaque_id);
        let user = user.ok_or(DirectoryError::NotFound)?;
        if user.mail != change.expected {
            return Err(MailChangeError::Outdated);
        }
        if changes.taken == change.address {
            return Err(MailChangeError::Taken);
        }
        change.address.clone_into(&mut user.mail);
        if changes.loses_answers { Err(DirectoryError::Unavailable("no answer".into()).into()) } else { Ok(()) }
    }

    async fn find(&self, _: &[Filter], _: Groups, _: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        Err(DirectoryError::Unauthenticated)
    }

    async fn note_password_change(&self, _: &UserId, _: SystemTime, _: &str) -> Result<(), DirectoryError> {
        Err(DirectoryError::ReadOnly)
    }
}

#[async_trait]
impl Authenticator for TestDirectory {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let found = self.0.lock().expect("not poisoned").clone();
        let is_right = credentials.secret.expose_secret() == PASSWORD;
        match found.filter(|user| is_right && user.username == credentials.client_id) {
            Some(user) => Ok(Authenticated::full(Arc::new(user), "pwd")),
            None => Err(AuthError::Refused(Reason::EmptySecret)),
        }
    }
}
