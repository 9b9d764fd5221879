//! Whether a user may still have what was granted, or continue what was begun, as the directory knows the account now.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Claim, DirectoryError, Groups, Profile, User, UserId};

use super::claims;
use super::clients::Client;
use super::error::OAuthError;
use super::provider::Provider;
use super::termination;
use crate::model::{Grant, seconds};

/// What the directory says of an account.
#[derive(Debug)]
pub(crate) enum AccountStatus {
    /// The user may sign in, and use the client.
    Active(Arc<User>),
    /// The user may not, or not any more.
    Ineligible(IneligibleReason),
}

/// Why a user may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IneligibleReason {
    /// The directory has no such user.
    Gone,
    /// The user may not sign in.
    Disabled,
    /// The password was changed then, after the sign-in.
    PasswordChanged(SystemTime),
    /// The user has signed out.
    SignedOut,
    /// The user is in none of the groups that may use the client.
    NotMember,
}

impl IneligibleReason {
    /// The reason as the audit log has it.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Gone => "user is gone",
            Self::Disabled => "user is disabled",
            Self::PasswordChanged(_) => "password was changed",
            Self::SignedOut => "signed out",
            Self::NotMember => "not in a group of the client",
        }
    }
}

/// The user with this identifier. Where the account is gone, disabled, or has another password since the sign-in, everything
/// from before is ended at once, for all clients (row I38). `is_outdated` says whether the sign-in was before a moment.
///
/// # Errors
/// When the directory is unavailable.
pub(crate) async fn look_up(
    provider: &Provider,
    user: &str,
    groups: Groups,
    is_outdated: impl Fn(SystemTime) -> bool,
) -> Result<AccountStatus, DirectoryError> {
    let id = UserId { opaque_id: user.to_owned(), ..UserId::default() };
    let reason = match provider.directory.user(&id, groups).await {
        Ok(user) if !user.is_active() => IneligibleReason::Disabled,
        Ok(user) => match user.password_changed.filter(|changed| is_outdated(*changed)) {
            Some(changed) => IneligibleReason::PasswordChanged(changed),
            None => return Ok(AccountStatus::Active(user)),
        },
        Err(DirectoryError::NotFound) => IneligibleReason::Gone,
        Err(error) => return Err(error),
    };
    end(provider, user, reason).await;
    Ok(AccountStatus::Ineligible(reason))
}

/// Ends what was begun before. The caller's answer does not depend on it, since each use is judged anew.
async fn end(provider: &Provider, user: &str, reason: IneligibleReason) {
    let moment = match reason {
        IneligibleReason::PasswordChanged(changed) => changed,
        IneligibleReason::Gone | IneligibleReason::Disabled => provider.clock.now() + Duration::from_secs(1),
        IneligibleReason::SignedOut | IneligibleReason::NotMember => return,
    };
    let ended = async {
        termination::end_before(provider, user, moment).await?;
        // a user who is enabled later needs another link
        provider.store.use_links_of(user, provider.clock.now()).await
    };
    if let Err(error) = ended.await {
        tracing::warn!(%error, person = user, "what was begun before is not ended for now");
    }
}

/// The user of a grant, who may use the client; `None` for a grant of a client that acts for itself.
///
/// # Errors
/// `temporarily_unavailable` if the directory is unavailable.
pub(crate) async fn of_grant(
    provider: &Provider,
    client: &Client,
    grant: &Grant,
) -> Result<Option<AccountStatus>, OAuthError> {
    let Some(user) = &grant.person else { return Ok(None) };
    if grant.ends_with_session().is_some_and(|session| provider.revocations.contains(session)) {
        return Ok(Some(AccountStatus::Ineligible(IneligibleReason::SignedOut)));
    }
    let groups = if claims::needs_groups(client, grant) { Groups::Include } else { Groups::Skip };
    // a grant has whole seconds
    let signed_in = grant.sign_in.as_ref().map(|sign_in| sign_in.at);
    let is_outdated = |changed| signed_in.is_some_and(|signed_in| signed_in < seconds(changed));
    Ok(Some(as_member(client, look_up(provider, user, groups, is_outdated).await?)))
}

/// The user with this identifier or login name, who may use the client.
///
/// # Errors
/// `temporarily_unavailable` if the directory is unavailable.
pub(crate) async fn find(provider: &Provider, client: &Client, name: &str) -> Result<AccountStatus, OAuthError> {
    let id = UserId { opaque_id: name.to_owned(), ..UserId::default() };
    let found = match provider.directory.user(&id, Groups::Include).await {
        Err(DirectoryError::NotFound | DirectoryError::Malformed(_)) => {
            provider.directory.user_by_claim(&Claim::Username(name.to_owned()), Groups::Include).await
        }
        other => other,
    };
    match found {
        Ok(user) if user.is_active() => Ok(as_member(client, AccountStatus::Active(user))),
        Ok(_) => Ok(AccountStatus::Ineligible(IneligibleReason::Disabled)),
        Err(DirectoryError::NotFound | DirectoryError::Ambiguous | DirectoryError::Malformed(_)) => {
            Ok(AccountStatus::Ineligible(IneligibleReason::Gone))
        }
        Err(error) => Err(error.into()),
    }
}

/// The profile of a user; empty if it is not needed.
///
/// # Errors
/// When the directory is unavailable.
pub(crate) async fn profile(provider: &Provider, user: &User, is_needed: bool) -> Result<Profile, DirectoryError> {
    if !is_needed {
        return Ok(Profile::default());
    }
    match provider.directory.profile(&user.id).await {
        // the user was deleted a moment ago: the next use of the grant finds that out
        Err(DirectoryError::NotFound) => Ok(Profile::default()),
        other => other,
    }
}

/// The profile of a user for a token. Without an answer of the directory it is empty: a claim that is missing is no error
/// (`OpenID` Connect Core 5.5.1), while a code that is used up for no token is.
pub(crate) async fn profile_for_token(provider: &Provider, user: &User, is_needed: bool) -> Profile {
    profile(provider, user, is_needed).await.unwrap_or_else(|error| {
        tracing::warn!(%error, person = user.id.opaque_id, "a token is issued without the claims of the profile");
        Profile::default()
    })
}

/// The same, if the user may use the client.
pub(crate) fn as_member(client: &Client, status: AccountStatus) -> AccountStatus {
    match status {
        AccountStatus::Active(user) if !may_use(client, &user) => {
            AccountStatus::Ineligible(IneligibleReason::NotMember)
        }
        status => status,
    }
}

/// Whether the user may use the client; the user's groups have to be known for that.
pub(crate) fn may_use(client: &Client, user: &User) -> bool {
    client.groups.is_empty() || client.groups.iter().any(|group| user.groups.contains(group))
}
