//! Making, listing and ending tokens: by their owner, by an administrator in the owner's name, by the operator.

mod acting;
mod search;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use authn::{Directory, DirectoryError, GrantError, Grants, Groups, UserId};
use runtime::{Clock, Random};
use secrecy::SecretString;
use status::Kind as Failure;
use store::StoreError;
use store::columns::{micros, time};
use uuid::Uuid;

pub use acting::{ActingAs, PersonRef};

use crate::cache::Known;
use crate::legacy_hashes::{self, Claimant};
use crate::model::{AppToken, Kind};
use crate::policy::{self, LifetimeRequest, Policy, PolicyError};
use crate::store::Page;
use crate::token_service::{LookupError, TokenService};

/// Administers tokens.
pub struct Applications {
    pub(crate) tokens: Arc<TokenService>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) policy: Policy,
    allow_impersonation: bool,
    pub(crate) clock: Clock,
    random: Random,
}

/// The attributes of a new token.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// What its owner calls it.
    pub label: String,
    /// What it may do.
    pub grants: Grants,
    /// How it ends.
    pub life: LifetimeRequest,
    /// An app token or a personal one; one that an administrator makes is marked as that.
    pub kind: Kind,
}

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum ApplicationsError {
    /// An app token may not bring forth others, nor see or end them, unless its scope says so.
    #[error("app tokens cannot be managed with an app token that lacks the scope tokens:write")]
    WithAppToken,
    /// A client that is not first-party may not manage app tokens either, unless its scope says so.
    #[error("app tokens cannot be managed by this client, which lacks the scope tokens:write")]
    WithClient,
    /// The caller's own scope does not reach so far.
    #[error("the caller's scope does not allow to manage app tokens")]
    Scope,
    /// The configuration does not allow impersonation.
    #[error("impersonation is not allowed")]
    NoImpersonation,
    /// The caller is not an administrator, so it may not act for another user.
    #[error("only an administrator may act for another user")]
    NotAdministrator,
    /// The identifier and the login name are two people's.
    #[error("userID and userName are not the same person's")]
    TwoPeople,
    /// The user does not exist or may not sign in.
    #[error("there is no such user")]
    NoSuchUser,
    /// The requested scopes are not acceptable.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The requested label or end is not acceptable.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The owner has as many as are allowed.
    #[error("there are {0} live app tokens already; end one first")]
    Full(u64),
    /// The token does not exist or belongs to another user.
    #[error("there is no such app token")]
    NotFound,
    /// The token is being looked for.
    #[error("the app token is being looked for, try again")]
    Searching,
    /// The directory is unavailable.
    #[error("users is not available")]
    Directory(#[source] DirectoryError),
    /// The store failed.
    #[error("app tokens are not available")]
    Store(#[from] StoreError),
}

impl ApplicationsError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> Failure {
        match self {
            Self::WithAppToken
            | Self::WithClient
            | Self::Scope
            | Self::NoImpersonation
            | Self::NotAdministrator
            | Self::Grant(GrantError::TooWide) => Failure::PermissionDenied,
            Self::TwoPeople | Self::Grant(_) | Self::Policy(_) => Failure::InvalidArgument,
            Self::NoSuchUser | Self::NotFound => Failure::NotFound,
            Self::Full(_) => Failure::AlreadyExists,
            Self::Searching => Failure::Unavailable,
            Self::Directory(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }

    /// The cause of a failure that is not the caller's fault: for the log, not for the response.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self)
    }
}

impl From<LookupError> for ApplicationsError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Refused(_) => Self::NotFound,
            LookupError::Searching => Self::Searching,
            LookupError::Store(error) => Self::Store(error),
        }
    }
}

impl Applications {
    /// Administers these tokens, which belong to users of this directory. `allow_impersonation`: whether
    /// administrators may act in other people's names.
    pub fn new(
        tokens: Arc<TokenService>,
        directory: Arc<dyn Directory>,
        policy: Policy,
        allow_impersonation: bool,
        (clock, random): (Clock, Random),
    ) -> Self {
        Self { tokens, directory, policy, allow_impersonation, clock, random }
    }

    /// Makes a token and returns its secret, which cannot be read again.
    ///
    /// # Errors
    /// When the request is not allowed, or cannot be made durable; then there is no token.
    pub async fn create(
        &self,
        acting: &ActingAs<'_>,
        request: TokenRequest,
    ) -> Result<(AppToken, SecretString), ApplicationsError> {
        acting.check_may_give(&request.grants)?;
        self.policy.check_scopes(&request.grants)?;
        // as exactly as it is kept, so that what is answered now is what is answered later
        let now = time(micros(self.clock.now()));
        let created = self.dated(acting.owner(), now).await;
        let kind = acting.kind(request.kind);
        let life = self.policy.life(now, request.life, kind)?;
        let token = AppToken {
            id: self.id(now),
            owner: acting.owner().clone(),
            kind,
            label: policy::label(&request.label)?.to_owned(),
            grants: request.grants,
            created,
            imported: None,
            created_by: acting.actor().to_owned(),
            life,
            slid: life.slid(now),
            last_use: None,
            revoked: None,
        };
        let secret = self.tokens.issue(token.clone(), self.policy.most, now, &self.random).await?;
        let secret = secret.ok_or(ApplicationsError::Full(self.policy.most))?;
        acting.audit("app_token_create", Some(token.id));
        Ok((token, secret))
    }

    /// When a token of this owner counts as made.
    async fn dated(&self, owner: &UserId, now: SystemTime) -> SystemTime {
        // where the directory does not say, the token is at worst one that has to be made again
        let Ok(user) = self.directory.user(owner, Groups::Skip).await else { return now };
        let created = user.credential_time(now);
        if created > now {
            tracing::warn!(
                user = owner.opaque_id,
                "the password was changed ahead of this clock, and an app token is dated like it; check the clock"
            );
        }
        created
    }

    /// UUIDs of version 7 sort by time, so that new rows lie together.
    fn id(&self, now: SystemTime) -> Uuid {
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let millis = u64::try_from(millis).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random.bytes()).into_uuid()
    }

    /// The owner's live tokens, by identifier.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn list(&self, acting: &ActingAs<'_>, page: Page) -> Result<Vec<AppToken>, ApplicationsError> {
        Ok(self.tokens.store.list(acting.owner(), self.clock.now(), page).await?)
    }

    /// One of the owner's live tokens.
    ///
    /// # Errors
    /// [`ApplicationsError::NotFound`] also for another user's token.
    pub async fn get(&self, acting: &ActingAs<'_>, id: Uuid) -> Result<AppToken, ApplicationsError> {
        let found = self.tokens.store.get(id).await?.ok_or(ApplicationsError::NotFound)?;
        let is_live = found.refusal(self.clock.now(), found.end()).is_none();
        if is_live && found.belongs_to(acting.owner()) { Ok(found) } else { Err(ApplicationsError::NotFound) }
    }

    /// Any token, also one that has ended: for the operator.
    ///
    /// # Errors
    /// [`ApplicationsError::NotFound`].
    pub async fn any(&self, id: Uuid) -> Result<AppToken, ApplicationsError> {
        self.tokens.store.get(id).await?.ok_or(ApplicationsError::NotFound)
    }

    /// Gives one of the owner's live tokens another label.
    ///
    /// # Errors
    /// [`ApplicationsError::NotFound`] also for another user's token.
    pub async fn rename(&self, acting: &ActingAs<'_>, id: Uuid, label: &str) -> Result<AppToken, ApplicationsError> {
        let label = policy::label(label)?;
        self.get(acting, id).await?;
        if !self.tokens.store.rename(acting.owner(), id, label).await? {
            return Err(ApplicationsError::NotFound);
        }
        acting.audit("app_token_rename", Some(id));
        self.get(acting, id).await
    }

    /// Ends one of the owner's tokens, named by its id, by its secret, or by the hash that it was taken over by.
    ///
    /// # Errors
    /// [`ApplicationsError::NotFound`] also for another user's token.
    pub async fn revoke(&self, acting: &ActingAs<'_>, which: &str) -> Result<Uuid, ApplicationsError> {
        let id = self.named(which, Some(acting.claimant())).await?;
        if !self.tokens.revoke(acting.owner(), id, self.clock.now()).await? {
            return Err(ApplicationsError::NotFound);
        }
        acting.audit("app_token_revoke", Some(id));
        Ok(id)
    }

    /// Ends all of the owner's tokens; how many.
    ///
    /// # Errors
    /// When the store cannot do it.
    pub async fn revoke_all(&self, acting: &ActingAs<'_>) -> Result<usize, ApplicationsError> {
        let count = self.tokens.revoke_all(acting.owner(), self.clock.now()).await?;
        acting.audit("app_token_revoke_all", None);
        Ok(count)
    }

    /// Which token is meant by an id, a secret, or the hash that it was taken over by.
    pub(crate) async fn named(&self, which: &str, claimant: Option<Claimant<'_>>) -> Result<Uuid, ApplicationsError> {
        if let Ok(id) = Uuid::try_parse(which) {
            return Ok(id);
        }
        if legacy_hashes::Verifier::parse(which).is_some() {
            let found = self.tokens.store.imported(&legacy_hashes::name(which)).await?;
            return found.ok_or(ApplicationsError::NotFound);
        }
        Ok(self.tokens.find(which, claimant, self.clock.now()).await?.token.id)
    }

    /// The valid token of this user with this secret. The lookup counts as a use.
    ///
    /// # Errors
    /// [`ApplicationsError::NotFound`].
    pub async fn verify(
        &self,
        owner: &UserId,
        secret: &str,
        caller: &authn::Caller,
    ) -> Result<Arc<Known>, ApplicationsError> {
        let now = self.clock.now();
        let claimant = Claimant { owner, source: caller.source };
        let known = self.tokens.find(secret, Some(claimant), now).await?;
        if !known.token.belongs_to(owner) {
            return Err(ApplicationsError::NotFound);
        }
        self.tokens.note(&known, now, caller);
        Ok(known)
    }
}
