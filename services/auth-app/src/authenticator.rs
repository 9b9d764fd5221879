//! An app token, with its owner's login name or alone: the hot path.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use authn::{AuthError, Authenticated, Authenticator, Claim, Credentials, Directory, Groups, Reason, User};
use runtime::Clock;
use secrecy::ExposeSecret;

use crate::cache::Known;
use crate::ledger::{Ledger, LookupError};

/// Verifies app tokens.
pub struct AppTokens {
    ledger: Arc<Ledger>,
    directory: Arc<dyn Directory>,
    groups: Groups,
    /// Whether a token ends when its owner's password is changed.
    ends_with_password: bool,
    clock: Clock,
}

impl AppTokens {
    /// Verifies the tokens of this ledger, which belong to people of this directory.
    pub fn new(
        ledger: Arc<Ledger>,
        directory: Arc<dyn Directory>,
        groups: Groups,
        ends_with_password: bool,
        clock: Clock,
    ) -> Self {
        Self { ledger, directory, groups, ends_with_password, clock }
    }
}

#[async_trait]
impl Authenticator for AppTokens {
    /// With a login name the token must be that person's; without one, as a bearer token, it speaks for itself.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let secret = credentials.secret.expose_secret();
        if secret.is_empty() {
            return Err(AuthError::Refused(Reason::EmptySecret));
        }
        let now = self.clock.now();
        let (known, user) = if credentials.client_id.is_empty() {
            let known = self.ledger.find(secret, None, now).await?;
            let user = self.owner(&known).await?;
            (known, user)
        } else if self.ledger.may_be_foreign(secret) {
            let user = self.named(&credentials.client_id).await?;
            (self.ledger.find(secret, Some(&user.id), now).await?, user)
        } else {
            // the token first: junk must not cost a question to the directory
            let known = self.ledger.find(secret, None, now).await?;
            (known, self.named(&credentials.client_id).await?)
        };
        self.check(&known, &user)?;
        self.ledger.note(&known, now, &credentials.caller);
        Ok(Authenticated { scopes: known.scopes.clone(), not_after: known.end(), ..Authenticated::full(user, AMR) })
    }
}

impl AppTokens {
    /// The person is asked for at each use: a disabled one must not get in by what was true a minute ago.
    async fn named(&self, login: &str) -> Result<Arc<User>, AuthError> {
        let found = self.directory.user_by_claim(&Claim::Username(login.to_owned()), self.groups).await;
        found.map_err(|error| error.into_auth(AuthError::Refused(Reason::UnknownUser)))
    }

    async fn owner(&self, known: &Known) -> Result<Arc<User>, AuthError> {
        let found = self.directory.user(&known.token.owner, self.groups).await;
        found.map_err(|error| error.into_auth(AuthError::Refused(Reason::UnknownUser)))
    }

    fn check(&self, known: &Known, user: &User) -> Result<(), AuthError> {
        if !known.token.belongs_to(&user.id) {
            return Err(AuthError::Refused(Reason::OwnerMismatch));
        }
        if !user.is_active() {
            return Err(AuthError::Refused(Reason::Disabled));
        }
        if self.ends_with_password && known.token.is_outdated(user.password_changed) {
            return Err(AuthError::Refused(Reason::Revoked));
        }
        Ok(())
    }
}

/// How a session of an app token says what it was proven with.
pub(crate) const AMR: &str = "app";

impl From<LookupError> for AuthError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Refused(reason) => Self::Refused(reason),
            LookupError::Searching => Self::Busy { retry_after: Duration::from_secs(1) },
            LookupError::Store(error) => Self::Unavailable { service: "auth-app", source: Box::new(error) },
        }
    }
}
