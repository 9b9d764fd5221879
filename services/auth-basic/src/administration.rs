//! Setting and removing passwords.

use std::sync::Arc;
use std::time::SystemTime;

use authn::{AuthError, BoxError, Directory, DirectoryError, Groups, User, prepare_password};
use crypto::HmacKey;
use ldap::Refusal;
use runtime::Clock;
use secrecy::{ExposeSecret, SecretString};
use status::Kind;
use store::StoreError;

use crate::backend::Hashing;
use crate::digest::Digest;
use crate::notification::{id, notify};
use crate::password::{Judgement, Memory, Policy, Verifier, Weakness};
use crate::pool::{Pool, PoolError};
use crate::store::PasswordStore;

/// Administers passwords, with or without gRPC. It checks no permissions: its callers must.
pub struct Administration {
    pub(crate) passwords: Arc<PasswordStore>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) hashing: Arc<Hashing>,
    pub(crate) policy: Policy,
    pub(crate) digester: HmacKey,
    pub(crate) clock: Clock,
}

impl Administration {
    /// Sets the password of a person of the directory, in place of any there is, and notifies the directory. `token` is the
    /// internal token of the administrator who does it.
    ///
    /// # Errors
    /// With [`AdministrationError::Untold`] the password is set all the same; doing it again is harmless.
    pub async fn set_password(
        &self,
        user_id: &str,
        password: &SecretString,
        token: &str,
    ) -> Result<(), AdministrationError> {
        let user = self.user(user_id).await?;
        let verifier = self.new_verifier(password, &user).await?;
        self.passwords.set(user_id, &verifier, self.clock.now()).await?;
        self.tell(user_id, token).await.map(drop).map_err(AdministrationError::Untold)
    }

    /// A verifier of a password that may be this user's.
    pub(crate) async fn new_verifier(
        &self,
        password: &SecretString,
        user: &User,
    ) -> Result<String, AdministrationError> {
        self.policy.check(prepare_password(password).expose_secret(), Some(user))?;
        let lane = self.digester.digest_of_parts(&[b"administration", user.id.opaque_id.as_bytes()]);
        Ok(self.hashing.hash(lane, password).await?)
    }

    /// Judges a password as this user's by the policy. That takes long enough to be done where passwords are hashed, and counts there as
    /// an attempt for the user with the identifier `on_behalf_of`.
    ///
    /// # Errors
    /// When too many passwords are being judged and hashed.
    pub(crate) async fn judge(
        &self,
        on_behalf_of: &str,
        password: &SecretString,
        user: User,
    ) -> Result<Judgement, AdministrationError> {
        let lane = self.digester.digest_of_parts(&[b"judgement", on_behalf_of.as_bytes()]);
        Ok(judge((&self.hashing.pool, lane), &self.policy, password, user).await?)
    }

    /// Keeps what another system kept of a password: a PHC string of argon2, or a bcrypt string. It is brought up to date
    /// when the person signs in. The directory is not notified, as the password itself does not change.
    pub async fn import(&self, user_id: &str, verifier: &str) -> Result<(), AdministrationError> {
        self.user(user_id).await?;
        Verifier::parse(verifier).ok_or(AdministrationError::Verifier)?;
        Ok(self.passwords.set(user_id, verifier, self.clock.now()).await?)
    }

    /// Removes the password of a person, also of one who is not in the directory any more, and notifies the directory; says
    /// whether there was one. `token` is the internal token of the administrator who does it.
    ///
    /// # Errors
    /// With [`AdministrationError::Untold`] the password is removed all the same; doing it again is harmless.
    pub async fn remove_password(&self, user_id: &str, token: &str) -> Result<bool, AdministrationError> {
        let removed = self.passwords.remove(named(user_id)?).await?;
        // notifies even if there was none: it may be the second attempt, after one that could not notify
        match self.tell(user_id, token).await {
            Ok(_) | Err(DirectoryError::NotFound) => Ok(removed),
            Err(error) => Err(AdministrationError::Untold(error)),
        }
    }

    /// Whether a person has a password.
    pub async fn has_password(&self, user_id: &str) -> Result<bool, AdministrationError> {
        Ok(self.passwords.verifier(named(user_id)?).await?.is_some())
    }

    pub(crate) async fn user(&self, user_id: &str) -> Result<Arc<User>, AdministrationError> {
        Ok(self.directory.user(&id(named(user_id)?), Groups::Skip).await?)
    }

    /// Notifies the directory that a password was changed. Returns the time that it is notified of.
    pub(crate) async fn tell(&self, user_id: &str, token: &str) -> Result<SystemTime, DirectoryError> {
        notify(&*self.directory, &self.clock, user_id, token).await
    }
}

/// Judges a password as this user's, on the pool.
pub(crate) async fn judge(
    (pool, lane): (&Pool, Digest),
    policy: &Policy,
    password: &SecretString,
    user: User,
) -> Result<Judgement, PoolError> {
    let (policy, password) = (policy.clone(), prepare_password(password));
    pool.run(lane, move |_: &mut Memory| policy.judge(password.expose_secret(), Some(&user))).await
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
    /// The password violates the policy.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// The old password, which a user has to give, is not the right one.
    #[error("the old password is not right")]
    OldPassword,
    /// The new password is the old one.
    #[error("the new password must not be the old one")]
    Unchanged,
    /// The user has no password that another one could replace.
    #[error("the user has no password to replace: an administrator has removed it, or the user signs in elsewhere")]
    NoPassword,
    /// The user has a password already.
    #[error("the user has a password already")]
    HasPassword,
    /// The password was changed by another request at the same time.
    #[error("the password was changed at the same time, try again")]
    Concurrent,
    /// The old password could not be verified.
    #[error(transparent)]
    Verification(AuthError),
    /// The LDAP server refuses the change.
    #[error(transparent)]
    Refused(Refusal),
    /// The LDAP server was asked to change the password, and has not answered.
    #[error("the LDAP server does not say whether it has changed the password")]
    Unknown(#[source] DirectoryError),
    /// Passwords are changed elsewhere.
    #[error(
        "passwords are kept in LDAP (AUTH_BASIC_AUTH_MANAGER): change them with the tools of the LDAP server; users change their own \
         here if the server supports RFC 3062 and AUTH_BASIC_LDAP_PASSWORD_CHANGE is not false"
    )]
    Elsewhere,
    /// What is to be imported is no verifier.
    #[error("this is neither an argon2 nor a bcrypt string, or it is one that would cost too much")]
    Verifier,
    /// Passwords are hashed elsewhere, or too many at once.
    #[error("too many passwords are being hashed, try again")]
    Busy,
    /// The directory did not answer with that person.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The password is changed, but the directory does not know.
    #[error("the password was changed, but other credentials of this person could not be told: do it again")]
    Untold(#[source] DirectoryError),
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
            Self::Unnamed | Self::Weak(_) | Self::Unchanged | Self::Verifier => Kind::InvalidArgument,
            Self::OldPassword => Kind::Unauthenticated,
            Self::NoPassword | Self::HasPassword | Self::Refused(_) => Kind::FailedPrecondition,
            Self::Concurrent => Kind::Aborted,
            Self::Verification(error) => error.kind(),
            Self::Elsewhere => Kind::Unimplemented,
            Self::Busy => Kind::ResourceExhausted,
            Self::Directory(error) => error.kind(),
            Self::Untold(_) | Self::Unknown(_) => Kind::Unavailable,
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
