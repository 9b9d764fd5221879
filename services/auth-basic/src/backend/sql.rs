//! People in a directory, and what is kept of their passwords in a database of our own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use authn::{AuthError, Claim, Directory, DirectoryError, Groups, User};
use runtime::{Clock, Random};
use secrecy::{ExposeSecret, SecretString};
use store::StoreError;

use super::{Backend, Person, Proof};
use crate::digest::Digest;
use crate::password::{Hasher, Verifier};
use crate::pool::{Pool, PoolError};
use crate::store::Passwords;

/// When to come again while all slots are taken.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// Nobody has this identifier: it is looked up for who does not exist, so that the database is asked for everybody.
const NOBODY: &str = "";

/// Making and holding against verifiers, on the pool.
pub(crate) struct Hashing {
    pub(crate) pool: Pool,
    hasher: Hasher,
    decoy: Verifier,
    random: Random,
}

impl Hashing {
    pub(crate) fn new(pool: Pool, hasher: Hasher, random: Random) -> Self {
        let decoy = hasher.decoy(random.bytes(), random.bytes());
        Self { pool, hasher, decoy, random }
    }

    /// A new verifier.
    pub(crate) async fn hash(&self, account: Digest, password: &SecretString) -> Result<String, PoolError> {
        let (hasher, password, salt) = (self.hasher.clone(), password.clone(), self.random.bytes());
        self.pool.run(account, move |memory| hasher.hash(password.expose_secret().as_bytes(), salt, memory)).await
    }

    /// Whether the password fits; without a verifier it does not, after the same work.
    async fn accepts(
        &self,
        account: Digest,
        verifier: Option<&Verifier>,
        password: &SecretString,
    ) -> Result<bool, PoolError> {
        let (held, password) = (verifier.unwrap_or(&self.decoy).clone(), password.clone());
        let fits = move |memory: &mut _| held.accepts(password.expose_secret().as_bytes(), memory);
        Ok(self.pool.run(account, fits).await? && verifier.is_some())
    }
}

/// Verifies by hashing.
pub(crate) struct Sql {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) hashing: Arc<Hashing>,
    pub(crate) clock: Clock,
}

#[async_trait]
impl Backend for Sql {
    async fn find(&self, login: &str) -> Result<Option<Person>, AuthError> {
        let user = self.user(login).await?;
        let id = user.as_ref().map_or(NOBODY, |user| &user.id.opaque_id);
        let verifier = self.passwords.verifier(id).await.map_err(failed)?;
        let proof = verifier.map_or(Proof::Nothing, Proof::Verifier);
        Ok(user.map(|user| Person { user, proof }))
    }

    async fn verify(
        &self,
        account: Digest,
        person: Option<&Person>,
        password: &SecretString,
    ) -> Result<bool, AuthError> {
        let kept = person.and_then(|person| match &person.proof {
            Proof::Verifier(text) => Some((person, text)),
            Proof::Nothing | Proof::Entry(_) => None,
        });
        let verifier = kept.and_then(|(person, text)| {
            let verifier = Verifier::parse(text);
            if verifier.is_none() {
                tracing::warn!(
                    user = person.user.id.opaque_id,
                    "what is kept of a password cannot be used; set the password anew"
                );
            }
            verifier
        });
        let accepted = self.hashing.accepts(account, verifier.as_ref(), password).await.map_err(busy)?;
        if let (true, Some((person, text)), Some(verifier)) = (accepted, kept, &verifier)
            && !self.hashing.hasher.is_current(verifier)
        {
            self.upgrade(account, &person.user, text, password).await;
        }
        Ok(accepted)
    }
}

impl Sql {
    /// Who signs in by name, or else by mail address. Who is ambiguous cannot sign in.
    async fn user(&self, login: &str) -> Result<Option<Arc<User>>, AuthError> {
        let by_name = self.user_by(Claim::Username(login.to_owned())).await?;
        if by_name.is_some() || !login.contains('@') {
            return Ok(by_name);
        }
        self.user_by(Claim::Mail(login.to_owned())).await
    }

    async fn user_by(&self, claim: Claim) -> Result<Option<Arc<User>>, AuthError> {
        match self.directory.user_by_claim(&claim, Groups::Include).await {
            Ok(user) if user.id.opaque_id.is_empty() => Ok(None),
            Ok(user) => Ok(Some(user)),
            Err(DirectoryError::NotFound) => Ok(None),
            Err(DirectoryError::Ambiguous) => {
                tracing::warn!("a login fits several people; nobody can sign in with it");
                Ok(None)
            }
            Err(other) => Err(other.into_auth(AuthError::UnknownUser)),
        }
    }

    /// Brings what is kept to today's algorithm and cost, now that the password is known. The sign-in succeeds either way.
    async fn upgrade(&self, account: Digest, user: &User, old: &str, password: &SecretString) {
        let id = &user.id.opaque_id;
        let outcome = match self.hashing.hash(account, password).await {
            Ok(new) => self.passwords.replace(id, old, &new, self.clock.now()).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(replaced) => tracing::info!(user = id, replaced, "what is kept of a password was brought up to date"),
            Err(error) => tracing::warn!(user = id, error, "what is kept of a password stays as it was"),
        }
    }
}

fn failed(error: StoreError) -> AuthError {
    match error {
        StoreError::Unavailable(_) => AuthError::Unavailable { service: "passwords", source: Box::new(error) },
        StoreError::Conflict(_) | StoreError::Internal(_) => AuthError::Internal(Box::new(error)),
    }
}

fn busy(error: PoolError) -> AuthError {
    match error {
        PoolError::Full => AuthError::Busy { retry_after: COME_AGAIN },
        PoolError::Failed => AuthError::Internal(Box::new(error)),
    }
}
