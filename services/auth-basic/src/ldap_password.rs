//! A user changes the own password in LDAP: the LDAP server does it, after everything that a change in our own database needs.

use std::sync::Arc;
use std::time::SystemTime;

use authn::{AuthError, Authenticator, Caller, Credentials, Directory, Groups, User, prepare_password};
use crypto::HmacKey;
use ldap::{Account, PasswordChange, PasswordChangeError};
use secrecy::{ExposeSecret, SecretString};

use crate::AdministrationError;
use crate::administration::judge;
use crate::backend;
use crate::notification::{Notifier, id};
use crate::own_password::refused;
use crate::password::{Judgement, Policy};
use crate::pool::Pool;

/// Judges new passwords of users in LDAP, and changes them where the server supports it.
pub(crate) struct LdapPasswords {
    /// Has the LDAP server.
    pub(crate) backend: Arc<backend::Ldap>,
    /// Whether the operator lets users change their passwords.
    pub(crate) is_allowed: bool,
    /// Runs the judgement of passwords, as that takes long.
    pub(crate) pool: Pool,
    pub(crate) policy: Policy,
    pub(crate) digester: HmacKey,
    /// The directory that is notified. Its credentials depend on passwords.
    pub(crate) directory: Arc<dyn Directory>,
}

/// What is needed to change a password, in addition to judging it.
pub(crate) struct OwnLdapPasswords {
    pub(crate) passwords: Arc<LdapPasswords>,
    /// Verifies old passwords, and counts failures as at sign-in.
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) notifier: Notifier,
}

impl LdapPasswords {
    /// Fails unless users can change their passwords.
    ///
    /// # Errors
    /// [`AdministrationError::Elsewhere`] if the operator or the server does not let them.
    async fn check_offered(&self) -> Result<(), AdministrationError> {
        let is_offered = self.is_allowed && self.backend.supports_password_change().await.map_err(unverified)?;
        if is_offered { Ok(()) } else { Err(AdministrationError::Elsewhere) }
    }

    async fn account(&self, user_id: &str) -> Result<Account, AdministrationError> {
        let found = self.backend.find_by_id(user_id).await.map_err(unverified)?;
        found.ok_or(AdministrationError::Directory(authn::DirectoryError::NotFound))
    }

    async fn judge(&self, password: &SecretString, user: &User) -> Result<Judgement, AdministrationError> {
        let lane = self.digester.digest_of_parts(&[b"judgement", user.id.opaque_id.as_bytes()]);
        Ok(judge((&self.pool, lane), &self.policy, password, user.clone()).await?)
    }
}

impl OwnLdapPasswords {
    /// Judges a password as this user's own.
    ///
    /// # Errors
    /// [`AdministrationError::Elsewhere`] where no user can change the password here.
    pub(crate) async fn judge(&self, user_id: &str, password: &SecretString) -> Result<Judgement, AdministrationError> {
        self.passwords.check_offered().await?;
        let account = self.passwords.account(user_id).await?;
        self.passwords.judge(password, &account.user).await
    }

    /// Replaces the password of this user, and notifies the directory, by which sessions and tokens from before end. Returns
    /// the moment before which they were made.
    ///
    /// # Errors
    /// If the directory cannot be notified, the old password is put back; with [`AdministrationError::Untold`] the server refused
    /// that. With [`AdministrationError::Unknown`] the password may be changed, and the directory is notified to be safe.
    pub(crate) async fn change(
        &self,
        user_id: &str,
        old: &SecretString,
        new: &SecretString,
        caller: &Caller,
    ) -> Result<SystemTime, AdministrationError> {
        let passwords = &*self.passwords;
        passwords.check_offered().await?;
        // nothing is changed while the directory cannot be notified of it
        passwords.directory.user(&id(user_id), Groups::Skip).await?;
        let account = passwords.account(user_id).await?;
        self.verify(&account, old, caller).await?;
        // after the old password was verified: a stranger must not learn whether this is the old one
        if prepare_password(old).expose_secret() == prepare_password(new).expose_secret() {
            return Err(AdministrationError::Unchanged);
        }
        if let Some(weakness) = passwords.judge(new, &account.user).await?.weaknesses.first() {
            return Err(AdministrationError::Weak(*weakness));
        }
        replace(&passwords.backend, &self.notifier, &account, old, new).await
    }

    /// Verifies the old password as at sign-in.
    async fn verify(&self, account: &Account, old: &SecretString, caller: &Caller) -> Result<(), AdministrationError> {
        let credentials =
            Credentials { caller: caller.clone(), ..Credentials::new(account.login(), old.expose_secret()) };
        let verified = self.authenticator.authenticate(&credentials).await.map_err(refused)?;
        if verified.user.id.opaque_id == account.user.id.opaque_id {
            Ok(())
        } else {
            Err(AdministrationError::OldPassword)
        }
    }
}

/// Replaces the password at the server, and notifies the directory.
async fn replace(
    backend: &backend::Ldap,
    notifier: &Notifier,
    account: &Account,
    old: &SecretString,
    new: &SecretString,
) -> Result<SystemTime, AdministrationError> {
    let user_id = &account.user.id.opaque_id;
    match backend.change_password(account, old, new).await {
        Ok(PasswordChange::Changed) => {}
        Ok(PasswordChange::WrongPassword) => return Err(AdministrationError::OldPassword),
        Ok(PasswordChange::Refused(refusal)) => return Err(AdministrationError::Refused(refusal)),
        Err(PasswordChangeError::Unchanged(error)) => return Err(unverified(backend::Ldap::failed(error))),
        Err(PasswordChangeError::Unknown(unknown)) => {
            // if it is changed, no session from before may go on
            if let Err(error) = notifier.notify(user_id).await {
                tracing::error!(%error, user = user_id, "the directory is not notified of a password that may be changed");
            }
            return Err(AdministrationError::Unknown(unknown));
        }
    }
    match notifier.notify(user_id).await {
        Ok(at) => Ok(at),
        // doing it again takes the old password
        Err(error) => match backend.change_password(account, new, old).await {
            Ok(PasswordChange::Changed) => Err(AdministrationError::Directory(error)),
            _ => Err(AdministrationError::Untold(error)),
        },
    }
}

/// The LDAP server has not answered: that says nothing of the password.
fn unverified(error: AuthError) -> AdministrationError {
    AdministrationError::Verification(error)
}
