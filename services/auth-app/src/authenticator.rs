//! A user name and an app token: the hot path.

use std::sync::Arc;

use async_trait::async_trait;
use authn::{AuthError, Authenticated, Authenticator, Claim, Credentials, Directory, Groups, Reason};
use runtime::Clock;
use secrecy::ExposeSecret;

use crate::ledger::{Ledger, LookupError};

/// Verifies app tokens.
pub struct AppTokens {
    ledger: Arc<Ledger>,
    directory: Arc<dyn Directory>,
    groups: Groups,
    clock: Clock,
}

impl AppTokens {
    /// Verifies the tokens of this ledger, which belong to people of this directory.
    pub fn new(ledger: Arc<Ledger>, directory: Arc<dyn Directory>, groups: Groups, clock: Clock) -> Self {
        Self { ledger, directory, groups, clock }
    }
}

#[async_trait]
impl Authenticator for AppTokens {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let refused = |reason| Err(AuthError::Refused(reason));
        let secret = credentials.secret.expose_secret();
        if secret.is_empty() {
            return refused(Reason::EmptySecret);
        }
        if credentials.client_id.is_empty() {
            return refused(Reason::UnknownUser);
        }
        let known = self.ledger.find(secret, self.clock.now()).await?;
        // the person is asked for at each use: a disabled one must not get in by what was true a minute ago
        let claim = Claim::Username(credentials.client_id.clone());
        let found = self.directory.user_by_claim(&claim, self.groups).await;
        let user = found.map_err(|error| error.into_auth(AuthError::Refused(Reason::UnknownUser)))?;
        if !known.token.belongs_to(&user.id) {
            return refused(Reason::OwnerMismatch);
        }
        if !user.is_active() {
            return refused(Reason::Disabled);
        }
        let (scopes, not_after) = (known.scopes.clone(), Some(known.token.expires));
        Ok(Authenticated { scopes, not_after, ..Authenticated::full(user, AMR) })
    }
}

/// How a session of an app token says what it was proven with.
pub(crate) const AMR: &str = "app";

impl From<LookupError> for AuthError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Refused(reason) => Self::Refused(reason),
            LookupError::Store(error) => Self::Unavailable { service: "auth-app", source: Box::new(error) },
        }
    }
}
