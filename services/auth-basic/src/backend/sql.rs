//! People in a directory, and what is kept of their passwords in a database of our own.

use std::sync::Arc;

use async_trait::async_trait;
use authn::{AuthError, Directory, DirectoryError, Groups, Login, User, prepare_password};
use runtime::{Clock, Random};
use secrecy::{ExposeSecret, SecretString};
use store::StoreError;
use tokio::time::Instant;

use super::{Backend, COME_AGAIN, Person, Proof};
use crate::digest::Digest;
use crate::password::{Hasher, Memory, Verifier};
use crate::pool::{Pool, PoolError};
use crate::store::PasswordStore;

/// An identifier that no user has: it is looked up for an unknown login, so that every attempt queries the database.
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

    /// A new verifier of the prepared password (RFC 8265 4.2).
    pub(crate) async fn hash(&self, account: Digest, password: &SecretString) -> Result<String, PoolError> {
        let (hasher, password, salt) = (self.hasher.clone(), prepare_password(password), self.random.bytes());
        self.pool.run(account, move |memory| hasher.hash(password.expose_secret().as_bytes(), salt, memory)).await
    }

    /// Whether the password matches: prepared (RFC 8265 4.2), or as it was given, for verifiers of passwords that were never
    /// prepared. Without a verifier it does not, after the same work.
    async fn accepts(
        &self,
        account: Digest,
        verifier: Option<&Verifier>,
        password: &SecretString,
    ) -> Result<Fit, PoolError> {
        let (held, given, prepared) =
            (verifier.unwrap_or(&self.decoy).clone(), password.clone(), prepare_password(password));
        let fits = move |memory: &mut Memory| {
            let (given, prepared) = (given.expose_secret().as_bytes(), prepared.expose_secret().as_bytes());
            if held.accepts(prepared, memory) {
                Fit::Prepared
            } else if given != prepared && held.accepts(given, memory) {
                Fit::AsGiven
            } else {
                Fit::None
            }
        };
        let fit = self.pool.run(account, fits).await?;
        Ok(if verifier.is_some() { fit } else { Fit::None })
    }
}

/// Which form of a password matches its verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// The prepared form.
    Prepared,
    /// The form as it was given, and not the prepared one.
    AsGiven,
    /// Neither.
    None,
}

/// Verifies by hashing.
pub(crate) struct Sql {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) passwords: Arc<PasswordStore>,
    pub(crate) hashing: Arc<Hashing>,
    pub(crate) clock: Clock,
}

#[async_trait]
impl Backend for Sql {
    async fn find(&self, login: &Login) -> Result<Option<Person>, AuthError> {
        let user = self.user(login).await?;
        let id = user.as_ref().map_or(NOBODY, |user| &user.id.opaque_id);
        let verifier = self.passwords.verifier(id).await.map_err(failed)?;
        let proof = verifier.map_or(Proof::Nothing, Proof::Verifier);
        Ok(user.map(|user| Person { user, proof }))
    }

    fn is_busy(&self, account: Digest) -> bool {
        self.hashing.pool.is_full(account)
    }

    fn sees_changes(&self) -> bool {
        true
    }

    async fn verify(
        &self,
        account: Digest,
        person: Option<&Person>,
        password: &SecretString,
        _begun: Instant,
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
        let fit = self.hashing.accepts(account, verifier.as_ref(), password).await.map_err(busy)?;
        if let (Fit::Prepared | Fit::AsGiven, Some((person, text)), Some(verifier)) = (fit, kept, &verifier)
            && (fit == Fit::AsGiven || !self.hashing.hasher.is_current(verifier))
        {
            self.upgrade(account, &person.user, text, password).await;
        }
        Ok(fit != Fit::None)
    }
}

impl Sql {
    /// The user with this login; one who is ambiguous cannot sign in.
    async fn user(&self, login: &Login) -> Result<Option<Arc<User>>, AuthError> {
        match self.directory.user_by_login(login, Groups::Include).await {
            Ok(user) => Ok(Some(user)),
            Err(DirectoryError::NotFound) => Ok(None),
            Err(DirectoryError::Ambiguous) => {
                tracing::warn!("a login fits several users; none can sign in with it");
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
        StoreError::Conflict(_) | StoreError::Internal(_) | StoreError::Misconfigured(_) => {
            AuthError::Internal(Box::new(error))
        }
    }
}

fn busy(error: PoolError) -> AuthError {
    match error {
        PoolError::Full => AuthError::Busy { retry_after: COME_AGAIN },
        PoolError::Failed => AuthError::Internal(Box::new(error)),
    }
}
