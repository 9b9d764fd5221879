//! People in an LDAP server, which verifies their passwords itself.

mod changes;

use async_trait::async_trait;
use authn::{AuthError, DirectoryError, Login};
use ldap::{Account, Binder, PasswordChange, PasswordChangeError};
use secrecy::SecretString;
use tokio::time::Instant;

use super::{Backend, Person, Proof};
use crate::digest::Digest;
use changes::Changes;

/// Verifies by binding.
#[derive(Debug)]
pub(crate) struct Ldap {
    binder: Binder,
    changes: Changes,
}

impl Ldap {
    pub(crate) fn new(binder: Binder) -> Self {
        Self { binder, changes: Changes::default() }
    }

    /// Whether users can change their passwords at the server.
    pub(crate) async fn supports_password_change(&self) -> Result<bool, AuthError> {
        self.binder.supports_password_change().await.map_err(Self::failed)
    }

    /// The account with this identifier.
    pub(crate) async fn find_by_id(&self, user_id: &str) -> Result<Option<Account>, AuthError> {
        self.binder.find_by_id(user_id).await.map_err(Self::failed)
    }

    /// Replaces the password of an account. What was verified with the old one is not used from then on.
    pub(crate) async fn change_password(
        &self,
        account: &Account,
        old: &SecretString,
        new: &SecretString,
    ) -> Result<PasswordChange, PasswordChangeError> {
        let outcome = self.binder.change_password(account, old, new).await;
        if let Ok(PasswordChange::Changed) | Err(PasswordChangeError::Unknown(_)) = outcome {
            self.changes.note(&account.user.id.opaque_id, Instant::now());
        }
        outcome
    }

    /// The failure of a lookup or a bind as that of an authentication.
    pub(crate) fn failed(error: DirectoryError) -> AuthError {
        match error {
            DirectoryError::Unavailable(source) => AuthError::Unavailable { service: "ldap", source },
            other => AuthError::Internal(Box::new(other)),
        }
    }
}

#[async_trait]
impl Backend for Ldap {
    async fn find(&self, login: &Login) -> Result<Option<Person>, AuthError> {
        let account = self.binder.find(login).await.map_err(Self::failed)?;
        Ok(account.map(|account| Person { user: account.user.clone(), proof: Proof::Entry(account) }))
    }

    /// An attempt waits while all binds are in use.
    fn is_busy(&self, _account: Digest) -> bool {
        false
    }

    /// The password is the server's matter.
    fn sees_changes(&self) -> bool {
        false
    }

    fn generation(&self, user_id: &str) -> u64 {
        self.changes.of(user_id)
    }

    async fn verify(
        &self,
        _account: Digest,
        person: Option<&Person>,
        password: &SecretString,
        begun: Instant,
    ) -> Result<bool, AuthError> {
        let entry = person.and_then(|person| match &person.proof {
            Proof::Entry(account) => Some(account),
            Proof::Nothing | Proof::Verifier(_) => None,
        });
        self.binder.prove(entry, password, begun).await.map_err(Self::failed)
    }
}
