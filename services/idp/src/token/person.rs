//! Whom tokens are issued for, and what is answered where that cannot be found out.

use authn::{DirectoryError, Groups};
use oidc::error::ErrorCode;

use crate::answer::Refusal;
use crate::claims;
use crate::clients::Client;
use crate::model::Grant;
use crate::person;
use crate::provider::Provider;

pub(crate) use crate::person::Standing;

/// The person of a grant; `None` for one of a client that acts for itself.
///
/// # Errors
/// `temporarily_unavailable` if the directory cannot be asked.
pub(crate) async fn standing(provider: &Provider, client: &Client, grant: &Grant) -> Result<Option<Standing>, Refusal> {
    let groups = if claims::needs_groups(client, grant) { Groups::Include } else { Groups::Skip };
    person::standing(provider, client, grant, groups).await.map_err(|error| unanswered(&error))
}

/// The person with this identifier or login name, who may use the client.
///
/// # Errors
/// `temporarily_unavailable` if the directory cannot be asked.
pub(super) async fn find(provider: &Provider, client: &Client, name: &str) -> Result<Standing, Refusal> {
    person::find(provider, client, name).await.map_err(|error| unanswered(&error))
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
