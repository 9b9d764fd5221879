//! What the tests of services share: a directory in memory, and the reason of a refusal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use crate::{
    AuthError, Authenticated, Claim, Directory, DirectoryError, Filter, Groups, Reason, User, UserId, UserType, role,
};

/// The error that a [`MemoryDirectory`] returns in place of an answer.
pub type Failure = fn() -> DirectoryError;

/// The user with this login name and the identifier `id-of-NAME`; `admin` is an administrator.
pub fn user(name: &str) -> User {
    let id = UserId { opaque_id: format!("id-of-{name}"), kind: UserType::Primary, ..UserId::default() };
    let roles = if name == "admin" { vec![role::ADMIN.to_owned()] } else { Vec::new() };
    User { id, username: name.to_owned(), roles, ..User::default() }
}

/// The reason of a refusal.
///
/// # Panics
/// If it is not one.
#[track_caller]
pub fn refusal_reason(outcome: Result<Authenticated, AuthError>) -> Reason {
    match outcome {
        Err(AuthError::Refused(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// A directory in memory. Names and mail addresses are compared without regard to case; password changes are refused with
/// [`DirectoryError::ReadOnly`] until [`fail_password_changes`](Self::fail_password_changes) changes that.
pub struct MemoryDirectory {
    users: Mutex<Vec<Arc<User>>>,
    changes: AtomicU64,
    password_changes: Mutex<Vec<PasswordChange>>,
    lookup_failure: Mutex<Option<Failure>>,
    password_change_failure: Mutex<Option<Failure>>,
}

/// A notification of a changed password.
#[derive(Debug, PartialEq, Eq)]
pub struct PasswordChange {
    /// The opaque identifier of the user.
    pub user_id: String,
    /// When the password was changed.
    pub at: SystemTime,
    /// The internal token of the administrator.
    pub token: String,
}

impl MemoryDirectory {
    /// A directory of these users.
    pub fn new(users: impl IntoIterator<Item = User>) -> Arc<Self> {
        Arc::new(Self {
            users: Mutex::new(users.into_iter().map(Arc::new).collect()),
            changes: AtomicU64::new(0),
            password_changes: Mutex::default(),
            lookup_failure: Mutex::default(),
            password_change_failure: Mutex::new(Some(|| DirectoryError::ReadOnly)),
        })
    }

    /// Adds a user, in place of the one with the same login name.
    pub fn put(&self, user: User) {
        let mut users = lock(&self.users);
        users.retain(|other| other.username != user.username);
        users.push(Arc::new(user));
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Removes the user with this login name.
    pub fn remove(&self, username: &str) {
        lock(&self.users).retain(|user| user.username != username);
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Fails every lookup of a user with this error from now on; `None` ends that.
    pub fn fail_lookups(&self, failure: Option<Failure>) {
        *lock(&self.lookup_failure) = failure;
    }

    /// Fails every notification of a changed password with this error from now on; `None` ends that.
    pub fn fail_password_changes(&self, failure: Option<Failure>) {
        *lock(&self.password_change_failure) = failure;
    }

    /// The password changes since the previous call.
    pub fn password_changes(&self) -> Vec<PasswordChange> {
        std::mem::take(&mut *lock(&self.password_changes))
    }

    fn only(&self, matches: impl Fn(&User) -> bool) -> Result<Arc<User>, DirectoryError> {
        if let Some(failure) = *lock(&self.lookup_failure) {
            return Err(failure());
        }
        let users = lock(&self.users);
        let mut found = users.iter().filter(|user| matches(user));
        match (found.next(), found.next()) {
            (Some(user), None) => Ok(Arc::clone(user)),
            (Some(_), Some(_)) => Err(DirectoryError::Ambiguous),
            (None, _) => Err(DirectoryError::NotFound),
        }
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn user(&self, id: &UserId, _: Groups) -> Result<Arc<User>, DirectoryError> {
        self.only(|user| user.id.opaque_id == id.opaque_id && (id.idp.is_empty() || id.idp == user.id.idp))
    }

    async fn user_by_claim(&self, claim: &Claim, _: Groups) -> Result<Arc<User>, DirectoryError> {
        match claim {
            Claim::Username(name) => self.only(|user| user.username.to_lowercase() == name.to_lowercase()),
            Claim::Mail(address) => self.only(|user| user.mail.to_lowercase() == address.to_lowercase()),
            Claim::UserId(id) => self.only(|user| user.id.opaque_id == *id),
            Claim::Uid(_) | Claim::Gid(_) => Err(DirectoryError::NotFound),
        }
    }

    async fn groups(&self, _: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &[Filter], _: Groups, _: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        Ok(Vec::new())
    }

    fn changes(&self) -> Option<u64> {
        Some(self.changes.load(Ordering::SeqCst))
    }

    async fn note_password_change(&self, id: &UserId, at: SystemTime, token: &str) -> Result<(), DirectoryError> {
        if let Some(failure) = *lock(&self.password_change_failure) {
            return Err(failure());
        }
        let user_id = self.user(id, Groups::Skip).await?.id.opaque_id.clone();
        lock(&self.password_changes).push(PasswordChange { user_id, at, token: token.to_owned() });
        Ok(())
    }
}

/// The value, even after a panic of another thread: the panic fails the test by itself.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
