//! An app token, with its owner's login name or alone: the hot path.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Credentials, Directory, DirectoryError, Groups, Login, Reason,
    Revalidate, User, amr,
};
use bounded_cache::HeapSize;
use runtime::Clock;
use secrecy::ExposeSecret;

use crate::cache::Known;
use crate::legacy_hashes::Claimant;
use crate::token_service::{LookupError, TokenService};

/// Verifies app tokens.
pub struct AppTokens {
    tokens: Arc<TokenService>,
    directory: Arc<dyn Directory>,
    groups: Groups,
    /// Whether a token ends when its owner's password is changed.
    ends_with_password: bool,
    clock: Clock,
}

impl AppTokens {
    /// Verifies these tokens, which belong to users of this directory.
    pub fn new(
        tokens: Arc<TokenService>,
        directory: Arc<dyn Directory>,
        groups: Groups,
        ends_with_password: bool,
        clock: Clock,
    ) -> Self {
        Self { tokens, directory, groups, ends_with_password, clock }
    }
}

#[async_trait]
impl Authenticator for AppTokens {
    /// With a login name or mail address the token must be that user's; without one, as a bearer token, it speaks for itself.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let secret = credentials.secret.expose_secret();
        if secret.is_empty() {
            return Err(AuthError::Refused(Reason::EmptySecret));
        }
        let now = self.clock.now();
        // before the lookups, so that no change between this and the answer is missed
        let (forgotten, changes) = (self.tokens.cache.forgotten(), self.directory.changes());
        let (known, user) = if credentials.client_id.is_empty() {
            let known = self.tokens.find(secret, None, now).await?;
            let user = self.owner(&known).await?;
            (known, user)
        } else if self.tokens.may_be_legacy(secret) {
            let user = self.named(&credentials.client_id).await?;
            let claimant = Claimant { owner: &user.id, source: credentials.caller.source };
            (self.tokens.find(secret, Some(claimant), now).await?, user)
        } else {
            // the token first: junk must not cost a question to the directory
            let known = self.tokens.find(secret, None, now).await?;
            (known, self.named(&credentials.client_id).await?)
        };
        self.check(&known, &user)?;
        self.tokens.note(&known, now, &credentials.caller);
        let (scopes, not_after, actor) = (Arc::clone(&known.scopes), known.end(), known.token.actor());
        let revalidate = changes.map(|changes| -> Arc<dyn Revalidate> {
            let (tokens, directory, clock) =
                (Arc::clone(&self.tokens), Arc::clone(&self.directory), self.clock.clone());
            Arc::new(InForce { tokens, directory, clock, known, forgotten, changes })
        });
        Ok(Authenticated { scopes, not_after, actor, revalidate, ..Authenticated::full(user, amr::APP) })
    }
}

impl AppTokens {
    /// The user is looked up at each use: a disabled user must not be authenticated from a stale entry.
    async fn named(&self, login: &str) -> Result<Arc<User>, AuthError> {
        self.directory.user_by_login(&Login::new(login), self.groups).await.map_err(|error| match error {
            DirectoryError::Ambiguous => AuthError::Refused(Reason::UnknownUser),
            other => other.into_auth(AuthError::Refused(Reason::UnknownUser)),
        })
    }

    async fn owner(&self, known: &Known) -> Result<Arc<User>, AuthError> {
        let found = self.directory.user(&known.token.owner.to_find(), self.groups).await;
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

/// A token that was valid when it was checked, and whose owner was active.
struct InForce {
    tokens: Arc<TokenService>,
    directory: Arc<dyn Directory>,
    clock: Clock,
    known: Arc<Known>,
    /// The invalidations of the token cache and the changes of the directory before the lookups.
    forgotten: u64,
    changes: u64,
}

impl HeapSize for InForce {
    fn heap_size(&self) -> usize {
        // the rest is shared by all
        self.known.heap_size()
    }
}

impl Revalidate for InForce {
    fn is_still_valid(&self, caller: &Caller) -> bool {
        let now = self.clock.now();
        let is_valid =
            self.directory.changes() == Some(self.changes) && self.tokens.would_find(&self.known, self.forgotten, now);
        if is_valid {
            self.tokens.note(&self.known, now, caller);
        }
        is_valid
    }
}

impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InForce").field(&self.known.token.id).finish()
    }
}

impl From<LookupError> for AuthError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Refused(reason) => Self::Refused(reason),
            LookupError::Searching => Self::Busy { retry_after: Duration::from_secs(1) },
            LookupError::Store(error) => Self::Unavailable { service: "auth-app", source: Box::new(error) },
        }
    }
}
