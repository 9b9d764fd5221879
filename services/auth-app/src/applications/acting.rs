//! Whose tokens a caller may act on, and by what right. An [`ActingAs`] exists only after that right was checked.

use std::sync::Arc;

use ::token::Claims;
use authn::audit::Event;
use authn::{Access, Caller, Claim, DirectoryError, Grants, Groups, Permission, User, UserId, amr};
use runtime::is_operator;
use tracing::field::display;
use uuid::Uuid;

use super::{Applications, ApplicationsError};
use crate::legacy_hashes::Claimant;
use crate::model::Kind;
use crate::policy;

/// The user for whom another caller acts. At least one of the two fields must be set.
#[derive(Debug, Clone, Default)]
pub struct PersonRef {
    /// The identifier.
    pub id: Option<String>,
    /// The login name.
    pub username: Option<String>,
}

/// Who does something with whose tokens, and by what right.
#[derive(Debug)]
pub struct ActingAs<'a> {
    claims: &'a Claims,
    caller: &'a Caller,
    owner: UserId,
    /// Whether the owner may sign in, and so may get new tokens.
    is_active: bool,
    right: Right,
}

#[derive(Debug, PartialEq, Eq)]
enum Right {
    /// The tokens are the caller's own.
    Own,
    /// An administrator acts in the owner's name, for this reason.
    Impersonation(String),
    /// The operator of the installation.
    Operator,
    /// An administrator who has signed in, and looks after the tokens of others without acting in their names.
    Administrator,
}

impl Applications {
    /// The caller's own tokens.
    ///
    /// # Errors
    /// [`ApplicationsError::WithAppToken`] and [`ApplicationsError::WithClient`]: who proved itself with an app token, or with an
    /// access token of a client that is not first-party, may not manage app tokens unless its scope says so, or a leaked one
    /// could never be got rid of. [`ApplicationsError::Scope`] for other narrow credentials.
    pub fn own<'a>(
        &self,
        claims: &'a Claims,
        caller: &'a Caller,
        wanted: Permission,
    ) -> Result<ActingAs<'a>, ApplicationsError> {
        if !claims.scopes.grants_tokens(wanted) {
            refuse_delegated(claims)?;
            if !claims.scopes.allow(&Access::Tokens(wanted)) {
                return Err(ApplicationsError::Scope);
            }
        }
        let (owner, is_active) = (claims.user.id.clone(), claims.user.is_active());
        Ok(ActingAs { claims, caller, owner, is_active, right: Right::Own })
    }

    /// Somebody else's tokens, in that person's name.
    ///
    /// # Errors
    /// Unless impersonation is switched on and the caller is an administrator who proved that with neither an app token nor an
    /// access token of a client that is not first-party; and when there is no such person.
    pub async fn impersonate<'a>(
        &self,
        claims: &'a Claims,
        caller: &'a Caller,
        who: &PersonRef,
        reason: &str,
    ) -> Result<ActingAs<'a>, ApplicationsError> {
        if !self.allow_impersonation {
            return Err(ApplicationsError::NoImpersonation);
        }
        refuse_delegated(claims)?;
        if !claims.is_admin() {
            return Err(ApplicationsError::NotAdministrator);
        }
        let reason = policy::reason(reason)?.to_owned();
        let user = self.person(who).await?;
        let (owner, is_active) = (user.id.clone(), user.is_active());
        Ok(ActingAs { claims, caller, owner, is_active, right: Right::Impersonation(reason) })
    }

    /// Any user's tokens, for the operator or an administrator; the caller of this function must have checked that it serves one. An
    /// identifier also selects the tokens of a user who is no longer in the directory.
    ///
    /// # Errors
    /// When there is no such person.
    pub async fn operate<'a>(
        &self,
        claims: &'a Claims,
        caller: &'a Caller,
        who: &PersonRef,
    ) -> Result<ActingAs<'a>, ApplicationsError> {
        let (owner, is_active) = self.owner(who).await?;
        Ok(ActingAs { is_active, ..Self::operate_on(claims, caller, owner) })
    }

    /// The same, by what a token says of its owner.
    pub(crate) fn operate_on<'a>(claims: &'a Claims, caller: &'a Caller, owner: UserId) -> ActingAs<'a> {
        let right = if is_operator(claims) { Right::Operator } else { Right::Administrator };
        ActingAs { claims, caller, owner, is_active: false, right }
    }

    /// The owner of tokens, and whether this user may sign in. An identifier alone also names one who is no longer in the directory.
    pub(super) async fn owner(&self, who: &PersonRef) -> Result<(UserId, bool), ApplicationsError> {
        match (self.person(who).await, &who.id) {
            (Ok(user), _) => Ok((user.id.clone(), user.is_active())),
            (Err(ApplicationsError::NoSuchUser), Some(id)) => {
                Ok((UserId { opaque_id: id.clone(), ..UserId::default() }, false))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The directory alone decides which login names are the same, as where people sign in.
    async fn person(&self, who: &PersonRef) -> Result<Arc<User>, ApplicationsError> {
        let by_id = who.id.as_ref().map(|id| UserId { opaque_id: id.clone(), ..UserId::default() });
        let by_name = who.username.clone().map(Claim::Username);
        let found = match (by_id, by_name) {
            (Some(id), None) => self.directory.user(&id, Groups::Skip).await,
            (None, Some(name)) => self.directory.user_by_claim(&name, Groups::Skip).await,
            (None, None) => Err(DirectoryError::NotFound),
            (Some(id), Some(name)) => {
                let user = self.directory.user(&id, Groups::Skip).await.map_err(failure)?;
                return match self.directory.user_by_claim(&name, Groups::Skip).await {
                    Ok(named) if named.id.opaque_id == user.id.opaque_id => Ok(user),
                    Ok(_) | Err(DirectoryError::NotFound) => Err(ApplicationsError::TwoPeople),
                    Err(error) => Err(failure(error)),
                };
            }
        };
        found.map_err(failure)
    }
}

fn failure(error: DirectoryError) -> ApplicationsError {
    match error {
        DirectoryError::NotFound => ApplicationsError::NoSuchUser,
        other => ApplicationsError::Directory(other),
    }
}

/// Refuses credentials that a program holds.
fn refuse_delegated(claims: &Claims) -> Result<(), ApplicationsError> {
    match claims.amr.iter().find(|method| amr::is_delegated(method)) {
        None => Ok(()),
        Some(method) if method == amr::APP => Err(ApplicationsError::WithAppToken),
        Some(_) => Err(ApplicationsError::WithClient),
    }
}

impl ActingAs<'_> {
    /// Whose tokens they are.
    pub fn owner(&self) -> &UserId {
        &self.owner
    }

    /// Among whose tokens a secret is looked for, and from where.
    pub(super) fn claimant(&self) -> Claimant<'_> {
        Claimant { owner: &self.owner, source: self.caller.source }
    }

    /// Whether the caller acts for another user.
    pub fn is_impersonation(&self) -> bool {
        matches!(self.right, Right::Impersonation(_))
    }

    /// What kind of token is made when this one is requested.
    pub(super) fn kind(&self, request: Kind) -> Kind {
        if self.is_impersonation() { Kind::Impersonated } else { request }
    }

    /// Whose session it is that acts. A proxy that has signed the person in by the machine key is not meant.
    pub(super) fn actor(&self) -> &str {
        &self.claims.user.id.opaque_id
    }

    /// Checks that the owner may sign in and that the caller has all these grants, as it cannot pass on others. An administrator
    /// with a whole session and the operator have all grants.
    pub(super) fn check_may_give(&self, grants: &Grants) -> Result<(), ApplicationsError> {
        if !self.is_active {
            return Err(ApplicationsError::NoSuchUser);
        }
        match self.right {
            Right::Own | Right::Administrator => Ok(grants.check_within(&self.claims.scopes)?),
            Right::Impersonation(_) | Right::Operator => Ok(()),
        }
    }

    /// One event for what was done: who, for whom, why, from where.
    pub(super) fn audit(&self, event: &'static str, token: Option<Uuid>) {
        let (right, reason) = match &self.right {
            Right::Own => ("own", ""),
            Right::Impersonation(reason) => ("impersonation", reason.as_str()),
            Right::Operator => ("operator", ""),
            Right::Administrator => ("administrator", ""),
        };
        Event {
            reason: &reason,
            right: &right,
            subject: &self.owner.opaque_id,
            caller: &self.actor(),
            act: &self.claims.actor.as_ref().map(display),
            source: &self.caller.source.map(display),
            trace_id: &display(&self.caller.trace_id),
            token: &token.map(display),
            ..Event::new(event, "done")
        }
        .log();
    }
}
