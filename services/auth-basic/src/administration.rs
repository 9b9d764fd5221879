//! Setting and removing passwords.

use std::sync::Arc;

use authn::{BoxError, Directory, DirectoryError, Groups, User, UserId};
use runtime::Clock;
use secrecy::{ExposeSecret, SecretString};
use status::Kind;
use store::StoreError;

use crate::backend::Hashing;
use crate::digest::Digester;
use crate::password::{Policy, Verifier, Weakness};
use crate::pool::PoolError;
use crate::store::Passwords;

/// Administers passwords, with or without gRPC. Whoever has it may do everything: guard the way to it.
pub struct Administration {
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) hashing: Arc<Hashing>,
    pub(crate) policy: Policy,
    pub(crate) digester: Digester,
    pub(crate) clock: Clock,
}

impl Administration {
    /// Sets the password of a person of the directory, in place of any there is.
    pub async fn set_password(&self, user_id: &str, password: &SecretString) -> Result<(), AdministrationError> {
        let user = self.user(user_id).await?;
        self.policy.check(password.expose_secret(), Some(&user))?;
        let lane = self.digester.digest(&[b"administration", user_id.as_bytes()]);
        let verifier = self.hashing.hash(lane, password).await?;
        Ok(self.passwords.set(user_id, &verifier, self.clock.now()).await?)
    }

    /// Keeps what another system kept of a password: a PHC string of argon2, or a bcrypt string. It is brought up to date
    /// when the person signs in.
    pub async fn import(&self, user_id: &str, verifier: &str) -> Result<(), AdministrationError> {
        self.user(user_id).await?;
        Verifier::parse(verifier).ok_or(AdministrationError::Verifier)?;
        Ok(self.passwords.set(user_id, verifier, self.clock.now()).await?)
    }

    /// Removes the password of a person, also of one whom the directory has forgotten; says whether there was one.
    pub async fn remove_password(&self, user_id: &str) -> Result<bool, AdministrationError> {
        Ok(self.passwords.remove(named(user_id)?).await?)
    }

    /// Whether a person has a password.
    pub async fn has_password(&self, user_id: &str) -> Result<bool, AdministrationError> {
        Ok(self.passwords.verifier(named(user_id)?).await?.is_some())
    }

    async fn user(&self, user_id: &str) -> Result<Arc<User>, AdministrationError> {
        let id = UserId { opaque_id: named(user_id)?.to_owned(), ..UserId::default() };
        Ok(self.directory.user(&id, Groups::Skip).await?)
    }
}

fn named(user_id: &str) -> Result<&str, AdministrationError> {
    if user_id.is_empty() { Err(AdministrationError::Unnamed) } else { Ok(user_id) }
}

/// Why a password was not administered.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// No person is named.
    #[error("user_id is empty")]
    Unnamed,
    /// The password is not good enough.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// What is to be imported is no verifier.
    #[error("this is neither an argon2 nor a bcrypt string, or it is one that would cost too much")]
    Verifier,
    /// Passwords are hashed elsewhere, or too many at once.
    #[error("too many passwords are being hashed, try again")]
    Busy,
    /// The directory did not answer with that person.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The database did not do it.
    #[error("the password database failed")]
    Store(#[from] StoreError),
    /// A fault of ours.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

impl AdministrationError {
    /// The kind, which decides the status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unnamed | Self::Weak(_) | Self::Verifier => Kind::InvalidArgument,
            Self::Busy => Kind::ResourceExhausted,
            Self::Directory(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Internal(_) => Kind::Internal,
        }
    }
}

impl From<PoolError> for AdministrationError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Full => Self::Busy,
            PoolError::Failed => Self::Internal(Box::new(error)),
        }
    }
}
