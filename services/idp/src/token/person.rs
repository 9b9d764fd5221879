//! Whether somebody may still have what was granted.

use std::sync::Arc;

use authn::{Claim, DirectoryError, Groups, User, UserId};

use crate::answer::Refusal;
use crate::claims;
use crate::clients::Client;
use crate::logout;
use crate::model::{Grant, seconds};
use crate::provider::Provider;
use oidc::error::ErrorCode;

/// What the directory says of a person.
pub(crate) enum Standing {
    /// The person may; as the directory knows it now.
    Good(Arc<User>),
    /// The person is gone, disabled, has a new password since signing in, has signed out, or may not use the client any
    /// more.
    Lost(&'static str),
}

/// The person of a grant; `None` for one of a client that acts for itself.
///
/// # Errors
/// `temporarily_unavailable` if the directory cannot be asked.
pub(crate) async fn standing(provider: &Provider, client: &Client, grant: &Grant) -> Result<Option<Standing>, Refusal> {
    let Some(person) = &grant.person else { return Ok(None) };
    if logout::ends_with(grant).is_some_and(|session| provider.revocations.contains(session)) {
        return Ok(Some(Standing::Lost("signed out")));
    }
    let groups = if claims::needs_groups(client, grant) { Groups::Include } else { Groups::Skip };
    let id = UserId { opaque_id: person.clone(), ..UserId::default() };
    let user = match provider.directory.user(&id, groups).await {
        Ok(user) => user,
        Err(DirectoryError::NotFound) => return Ok(Some(Standing::Lost("user is gone"))),
        Err(error) => return Err(unanswered(&error)),
    };
    let signed_in = grant.sign_in.as_ref().map(|sign_in| sign_in.at);
    Ok(Some(judge(user, client, signed_in)))
}

/// The person with this identifier or login name, who may use the client.
///
/// # Errors
/// `temporarily_unavailable` if the directory cannot be asked.
pub(super) async fn find(provider: &Provider, client: &Client, name: &str) -> Result<Standing, Refusal> {
    let id = UserId { opaque_id: name.to_owned(), ..UserId::default() };
    let found = match provider.directory.user(&id, Groups::Include).await {
        Err(DirectoryError::NotFound | DirectoryError::Malformed(_)) => {
            provider.directory.user_by_claim(&Claim::Username(name.to_owned()), Groups::Include).await
        }
        other => other,
    };
    match found {
        Ok(user) => Ok(judge(user, client, None)),
        Err(DirectoryError::NotFound | DirectoryError::Ambiguous | DirectoryError::Malformed(_)) => {
            Ok(Standing::Lost("no such user"))
        }
        Err(error) => Err(unanswered(&error)),
    }
}

fn judge(user: Arc<User>, client: &Client, signed_in: Option<u64>) -> Standing {
    let changed = user.password_changed.map(seconds);
    if !user.is_active() {
        Standing::Lost("user is disabled")
    } else if changed.zip(signed_in).is_some_and(|(changed, signed_in)| signed_in < changed) {
        Standing::Lost("password was changed")
    } else if !may_use(client, &user) {
        Standing::Lost("not in a group of the client")
    } else {
        Standing::Good(user)
    }
}

fn may_use(client: &Client, user: &User) -> bool {
    client.groups.is_empty() || client.groups.iter().any(|group| user.groups.contains(group))
}

fn unanswered(error: &DirectoryError) -> Refusal {
    match error {
        DirectoryError::Unavailable(_) => {
            tracing::warn!(%error, "the directory is not available");
            Refusal::new(ErrorCode::TemporarilyUnavailable, "try again later")
        }
        other => Refusal::fault(other),
    }
}
