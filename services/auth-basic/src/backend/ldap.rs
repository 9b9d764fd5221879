//! People in an LDAP server, which verifies their passwords itself.

use async_trait::async_trait;
use authn::{AuthError, DirectoryError};
use ldap::Binder;
use secrecy::SecretString;

use super::{Backend, Person, Proof};
use crate::digest::Digest;

/// Verifies by binding.
#[derive(Debug)]
pub(crate) struct Ldap(pub(crate) Binder);

#[async_trait]
impl Backend for Ldap {
    async fn find(&self, login: &str) -> Result<Option<Person>, AuthError> {
        let account = self.0.find(login).await.map_err(failed)?;
        Ok(account.map(|account| Person { user: account.user.clone(), proof: Proof::Entry(account) }))
    }

    async fn verify(
        &self,
        _account: Digest,
        person: Option<&Person>,
        password: &SecretString,
    ) -> Result<bool, AuthError> {
        let entry = person.and_then(|person| match &person.proof {
            Proof::Entry(account) => Some(account),
            Proof::Nothing | Proof::Verifier(_) => None,
        });
        self.0.prove(entry, password).await.map_err(failed)
    }
}

fn failed(error: DirectoryError) -> AuthError {
    match error {
        DirectoryError::Unavailable(source) => AuthError::Unavailable { service: "ldap", source },
        other => AuthError::Internal(Box::new(other)),
    }
}
