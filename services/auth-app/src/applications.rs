//! Making, listing and ending tokens in the name of who holds an internal token.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::token::Claims;
use authn::{Caller, Scopes, UserId};
use runtime::{Clock, Random};
use secrecy::SecretString;
use status::Kind as Failure;
use store::StoreError;
use uuid::Uuid;

use crate::authenticator::AMR;
use crate::cache::Known;
use crate::grant::{self, Grant, GrantError};
use crate::ledger::{Ledger, LookupError};
use crate::model::{AppToken, Kind};
use crate::policy::{self, PolicyError};

/// Administers tokens.
pub struct Applications {
    ledger: Arc<Ledger>,
    clock: Clock,
    random: Random,
    longest: Duration,
}

/// What is wished of a new token.
#[derive(Debug, Clone)]
pub struct Wish {
    /// What its owner calls it.
    pub label: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends; as late as possible if nothing is said.
    pub expires: Option<SystemTime>,
}

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum ApplicationsError {
    /// An app token may not bring forth others, nor see or end them.
    #[error("app tokens cannot be managed with an app token")]
    WithAppToken,
    /// The caller's own scope does not reach so far.
    #[error("the caller's scope does not allow to manage app tokens")]
    Scope,
    /// The scopes of the wish are not acceptable.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The label or the end of the wish is not acceptable.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// There is no such token, or it is somebody else's.
    #[error("there is no such app token")]
    NotFound,
    /// The store failed.
    #[error("app tokens are not available")]
    Store(#[source] StoreError),
}

impl ApplicationsError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> Failure {
        match self {
            Self::WithAppToken | Self::Scope | Self::Grant(GrantError::TooWide) => Failure::PermissionDenied,
            Self::Grant(_) | Self::Policy(_) => Failure::InvalidArgument,
            Self::NotFound => Failure::NotFound,
            Self::Store(error) => error.kind(),
        }
    }
}

impl Applications {
    /// Administers the tokens of a ledger; none lives longer than `longest`.
    pub fn new(ledger: Arc<Ledger>, clock: Clock, random: Random, longest: Duration) -> Self {
        Self { ledger, clock, random, longest }
    }

    /// Makes a token for who calls; its secret is told this once.
    pub async fn create(
        &self,
        claims: &Claims,
        wish: &Wish,
        caller: &Caller,
    ) -> Result<(AppToken, SecretString), ApplicationsError> {
        may_manage(claims)?;
        let grants = grant::from_cs3(&wish.scopes)?;
        grant::check_within(&grants, &claims.scopes)?;
        let token = self.token(claims, wish, grants)?;
        let secret = self.ledger.issue(token.clone(), &self.random).await.map_err(ApplicationsError::Store)?;
        audit("app_token_create", claims, token.id, caller);
        Ok((token, secret))
    }

    fn token(&self, claims: &Claims, wish: &Wish, grants: Vec<Grant>) -> Result<AppToken, ApplicationsError> {
        let now = self.clock.now();
        Ok(AppToken {
            id: self.id(now),
            owner: claims.user.id.clone(),
            kind: Kind::App,
            label: policy::label(&wish.label)?.to_owned(),
            grants,
            created: now,
            created_by: claims.actor.clone().unwrap_or_else(|| claims.user.id.opaque_id.clone()),
            last_used: None,
            expires: policy::expiration(now, wish.expires, self.longest)?,
            revoked: None,
        })
    }

    /// UUIDs of version 7 sort by time, so that new rows lie together.
    fn id(&self, now: SystemTime) -> Uuid {
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let millis = u64::try_from(millis).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random.bytes()).into_uuid()
    }

    /// The good tokens of who calls, the oldest first.
    pub async fn list(&self, claims: &Claims) -> Result<Vec<AppToken>, ApplicationsError> {
        may_manage(claims)?;
        self.ledger.list(&claims.user.id, self.clock.now()).await.map_err(ApplicationsError::Store)
    }

    /// Ends a token of who calls, named by its id or by its secret.
    pub async fn revoke(&self, claims: &Claims, which: &str, caller: &Caller) -> Result<(), ApplicationsError> {
        may_manage(claims)?;
        let now = self.clock.now();
        let id = match Uuid::try_parse(which) {
            Ok(id) => id,
            Err(_) => self.find(which, now).await?.token.id,
        };
        let revoked = self.ledger.revoke(&claims.user.id, id, now).await.map_err(ApplicationsError::Store)?;
        if !revoked {
            return Err(ApplicationsError::NotFound);
        }
        audit("app_token_revoke", claims, id, caller);
        Ok(())
    }

    /// The good token of this user with this secret.
    pub async fn verify(&self, owner: &UserId, secret: &str) -> Result<Arc<Known>, ApplicationsError> {
        let known = self.find(secret, self.clock.now()).await?;
        if known.token.belongs_to(owner) { Ok(known) } else { Err(ApplicationsError::NotFound) }
    }

    async fn find(&self, secret: &str, now: SystemTime) -> Result<Arc<Known>, ApplicationsError> {
        self.ledger.find(secret, now).await.map_err(|error| match error {
            LookupError::Refused(_) => ApplicationsError::NotFound,
            LookupError::Store(error) => ApplicationsError::Store(error),
        })
    }
}

/// Who proved itself with an app token may not manage app tokens, or a leaked one could never be got rid of.
fn may_manage(claims: &Claims) -> Result<(), ApplicationsError> {
    if claims.amr.iter().any(|method| method == AMR) {
        Err(ApplicationsError::WithAppToken)
    } else if !claims.scopes.is_full_user() {
        Err(ApplicationsError::Scope)
    } else {
        Ok(())
    }
}

fn audit(event: &'static str, claims: &Claims, token: Uuid, caller: &Caller) {
    let subject = claims.user.id.opaque_id.as_str();
    tracing::info!(
        target: "audit",
        event,
        outcome = "done",
        reason = "",
        subject,
        caller = claims.actor.as_deref().unwrap_or(subject),
        source = caller.source.map(tracing::field::display),
        trace_id = %caller.trace_id,
        %token,
    );
}
