//! A user changes the own password, or sets another one after losing it.

use std::sync::Arc;
use std::time::SystemTime;

use authn::{AuthError, Authenticator, Caller, Credentials, User, prepare_password};
use runtime::Clock;
use secrecy::{ExposeSecret, SecretString};

use crate::notification::Notifier;
use crate::{Administration, AdministrationError};

/// Changes the passwords of users who know their old one.
pub(crate) struct OwnPasswords {
    pub(crate) administration: Arc<Administration>,
    /// Verifies old passwords, and counts failures as at sign-in.
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) notifier: Notifier,
    pub(crate) clock: Clock,
}

impl OwnPasswords {
    /// Replaces the password of this user, and notifies the directory, by which sessions and tokens from before end. Returns
    /// the moment before which they were made.
    ///
    /// # Errors
    /// If the directory cannot be notified, the old password is put back; with [`AdministrationError::Untold`] that has failed too.
    pub(crate) async fn change(
        &self,
        user_id: &str,
        old: &SecretString,
        new: &SecretString,
        caller: &Caller,
    ) -> Result<SystemTime, AdministrationError> {
        let user = self.administration.user(user_id).await?;
        let stored = self.verify(&user, old, caller).await?;
        // after the old password was verified: a stranger must not learn whether this is the old one
        if prepare_password(old).expose_secret() == prepare_password(new).expose_secret() {
            return Err(AdministrationError::Unchanged);
        }
        let verifier = self.administration.new_verifier(new, &user).await?;
        self.replace(user_id, Some(&stored), &verifier).await
    }

    /// Sets the password of a user who has proved in another way to be that user, and notifies the directory. Returns the moment
    /// before which sessions and tokens end. The user must have a password or, if it `is_first`, must have none.
    ///
    /// # Errors
    /// As those of [`change`](Self::change).
    pub(crate) async fn reset(
        &self,
        user_id: &str,
        new: &SecretString,
        is_first: bool,
    ) -> Result<SystemTime, AdministrationError> {
        let user = self.administration.user(user_id).await?;
        let stored = self.stored(&user).await?;
        match (is_first, &stored) {
            (false, None) => return Err(AdministrationError::NoPassword),
            (true, Some(_)) => return Err(AdministrationError::HasPassword),
            (false, Some(_)) | (true, None) => {}
        }
        let verifier = self.administration.new_verifier(new, &user).await?;
        self.replace(user_id, stored.as_deref(), &verifier).await
    }

    /// Sets the verifier if `before` is still the stored one, so that what an administrator has set or removed meanwhile stays; and
    /// notifies the directory, or else puts `before` back.
    async fn replace(
        &self,
        user_id: &str,
        before: Option<&str>,
        verifier: &str,
    ) -> Result<SystemTime, AdministrationError> {
        let (passwords, now) = (&self.administration.passwords, self.clock.now());
        let is_set = match before {
            Some(before) => passwords.replace(user_id, before, verifier, now).await?,
            None => passwords.add(user_id, verifier, now).await?,
        };
        if !is_set {
            return Err(AdministrationError::Concurrent);
        }
        let error = match self.notifier.notify(user_id).await {
            Ok(at) => return Ok(at),
            Err(error) => error,
        };
        let is_back = match before {
            Some(before) => passwords.replace(user_id, verifier, before, self.clock.now()).await,
            None => passwords.remove_if(user_id, verifier).await,
        };
        Err(match is_back {
            Ok(true) => AdministrationError::Directory(error),
            _ => AdministrationError::Untold(error),
        })
    }

    /// Verifies the old password as at sign-in. Returns the verifier that it matches.
    async fn verify(&self, user: &User, old: &SecretString, caller: &Caller) -> Result<String, AdministrationError> {
        let credentials =
            Credentials { caller: caller.clone(), ..Credentials::new(&user.username, old.expose_secret()) };
        // a verifier of another system is replaced when its password is verified, and once only
        for _ in 0..2 {
            let before = self.stored(user).await?;
            let verified = self.authenticator.authenticate(&credentials).await.map_err(refused)?;
            if verified.user.id.opaque_id != user.id.opaque_id {
                return Err(AdministrationError::OldPassword);
            }
            if let Some(before) = before
                && self.stored(user).await?.as_ref() == Some(&before)
            {
                return Ok(before);
            }
        }
        Err(AdministrationError::Concurrent)
    }

    async fn stored(&self, user: &User) -> Result<Option<String>, AdministrationError> {
        Ok(self.administration.passwords.verifier(&user.id.opaque_id).await?)
    }
}

/// Why an old password does not count.
pub(crate) fn refused(error: AuthError) -> AdministrationError {
    match error {
        // an account without a password, and a disabled one, are not told apart from a wrong password
        AuthError::Refused(_) => AdministrationError::OldPassword,
        error => AdministrationError::Verification(error),
    }
}
