//! Whether somebody may still have what was granted, or go on with what was begun, as the directory knows it now.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Claim, DirectoryError, Groups, User, UserId};

use crate::clients::Client;
use crate::logout;
use crate::model::{Grant, seconds};
use crate::provider::Provider;

/// What the directory says of a person.
#[derive(Debug)]
pub(crate) enum Standing {
    /// The person may; as the directory knows it now.
    Good(Arc<User>),
    /// Not any more.
    Lost(Loss),
}

/// Why somebody may not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// There is no such person (any more).
    Gone,
    /// The person may not sign in.
    Disabled,
    /// The password was changed then, after the sign-in.
    PasswordChanged(SystemTime),
    /// The person has signed out.
    SignedOut,
    /// The person is in none of the groups that may use the client.
    NotMember,
}

impl Loss {
    /// In the words of the audit log.
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

/// The person with this identifier. Where the person is gone, disabled, or has another password since signing in, everything
/// from before is ended here and now, for all clients (row I38). `is_outdated` tells whether the sign-in was before a moment.
///
/// # Errors
/// When the directory cannot be asked.
pub(crate) async fn look_up(
    provider: &Provider,
    person: &str,
    groups: Groups,
    is_outdated: impl Fn(SystemTime) -> bool,
) -> Result<Standing, DirectoryError> {
    let id = UserId { opaque_id: person.to_owned(), ..UserId::default() };
    let loss = match provider.directory.user(&id, groups).await {
        Ok(user) if !user.is_active() => Loss::Disabled,
        Ok(user) => match user.password_changed.filter(|changed| is_outdated(*changed)) {
            Some(changed) => Loss::PasswordChanged(changed),
            None => return Ok(Standing::Good(user)),
        },
        Err(DirectoryError::NotFound) => Loss::Gone,
        Err(error) => return Err(error),
    };
    end(provider, person, loss).await;
    Ok(Standing::Lost(loss))
}

/// Ends what was begun before. That it cannot be ended now changes nothing for who asks: each use is judged anew.
async fn end(provider: &Provider, person: &str, loss: Loss) {
    let moment = match loss {
        Loss::PasswordChanged(changed) => changed,
        Loss::Gone | Loss::Disabled => provider.clock.now() + Duration::from_secs(1),
        Loss::SignedOut | Loss::NotMember => return,
    };
    if let Err(error) = logout::end_before(provider, person, moment).await {
        tracing::warn!(%error, person, "what was begun before is not ended for now");
    }
}

/// The person of a grant, who may use the client; `None` for a grant of a client that acts for itself.
///
/// # Errors
/// When the directory cannot be asked.
pub(crate) async fn standing(
    provider: &Provider,
    client: &Client,
    grant: &Grant,
    groups: Groups,
) -> Result<Option<Standing>, DirectoryError> {
    let Some(person) = &grant.person else { return Ok(None) };
    if logout::ends_with(grant).is_some_and(|session| provider.revocations.contains(session)) {
        return Ok(Some(Standing::Lost(Loss::SignedOut)));
    }
    // a grant tells whole seconds
    let signed_in = grant.sign_in.as_ref().map(|sign_in| sign_in.at);
    let is_outdated = |changed| signed_in.is_some_and(|signed_in| signed_in < seconds(changed));
    Ok(Some(as_member(client, look_up(provider, person, groups, is_outdated).await?)))
}

/// The person with this identifier or login name, who may use the client.
///
/// # Errors
/// When the directory cannot be asked.
pub(crate) async fn find(provider: &Provider, client: &Client, name: &str) -> Result<Standing, DirectoryError> {
    let id = UserId { opaque_id: name.to_owned(), ..UserId::default() };
    let found = match provider.directory.user(&id, Groups::Include).await {
        Err(DirectoryError::NotFound | DirectoryError::Malformed(_)) => {
            provider.directory.user_by_claim(&Claim::Username(name.to_owned()), Groups::Include).await
        }
        other => other,
    };
    match found {
        Ok(user) if user.is_active() => Ok(as_member(client, Standing::Good(user))),
        Ok(_) => Ok(Standing::Lost(Loss::Disabled)),
        Err(DirectoryError::NotFound | DirectoryError::Ambiguous | DirectoryError::Malformed(_)) => {
            Ok(Standing::Lost(Loss::Gone))
        }
        Err(error) => Err(error),
    }
}

/// The same, if the person may use the client.
pub(crate) fn as_member(client: &Client, standing: Standing) -> Standing {
    match standing {
        Standing::Good(user) if !may_use(client, &user) => Standing::Lost(Loss::NotMember),
        standing => standing,
    }
}

/// Whether the person may use the client; its groups have to be known for that.
pub(crate) fn may_use(client: &Client, user: &User) -> bool {
    client.groups.is_empty() || client.groups.iter().any(|group| user.groups.contains(group))
}
