//! People in an LDAP server, which verifies their passwords itself.

use async_trait::async_trait;
use authn::{AuthError, DirectoryError, Login};
use ldap::Binder;
use secrecy::SecretString;
use tokio::time::Instant;

use super::{Backend, Person, Proof};
use crate::digest::Digest;

/// Verifies by binding.
#[derive(Debug)]
pub(crate) struct Ldap(pub(crate) Binder);

#[async_trait]
impl Backend for Ldap {
    async fn find(&self, login: &Login) -> Result<Option<Person>, AuthError> {
        let account = self.0.find(login).await.map_err(failed)?;
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
        self.0.prove(entry, password, begun).await.map_err(failed)
    }
}

fn failed(error: DirectoryError) -> AuthError {
    match error {
        DirectoryError::Unavailable(source) => AuthError::Unavailable { service: "ldap", source },
        other => AuthError::Internal(Box::new(other)),
    }
}
