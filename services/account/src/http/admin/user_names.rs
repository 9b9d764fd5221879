//! The users whom services know by their identifiers, as administrators know them.

use std::collections::{BTreeSet, HashMap};

use authn::{Claim, DirectoryError, Groups, UserId};
use futures_util::{StreamExt, stream};

use crate::state::AccountState;

/// How many users are looked up at the same time.
const SIDE_BY_SIDE: usize = 8;

/// Login names of users by their identifiers.
pub(super) struct UserNames(HashMap<String, String>);

impl UserNames {
    /// Looks up the users with these identifiers.
    pub(super) async fn find(state: &AccountState, ids: BTreeSet<String>) -> Self {
        let names = stream::iter(ids).map(|id| name(state, id));
        let names: Vec<_> = names.buffer_unordered(SIDE_BY_SIDE).collect().await;
        Self(names.into_iter().flatten().collect())
    }

    /// The login name of the user with this identifier; the identifier itself where the directory has no such user, or does not answer.
    pub(super) fn of(&self, id: &str) -> String {
        self.0.get(id).map_or(id, String::as_str).to_owned()
    }
}

/// Identifiers, each once.
pub(super) fn distinct<'a>(ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    ids.into_iter().filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// The identifier and the login name of a user, if there is one.
async fn name(state: &AccountState, id: String) -> Option<(String, String)> {
    let named = UserId { opaque_id: id.clone(), ..UserId::default() };
    match state.directory.user(&named, Groups::Skip).await {
        Ok(user) => Some((id, user.username.clone())).filter(|(_, name)| !name.is_empty()),
        Err(DirectoryError::NotFound) => None,
        Err(error) => {
            tracing::debug!(%error, "a page shows the identifier of a user, whose name the directory does not say");
            None
        }
    }
}

/// The identifier of the user whom an administrator names by the login name or the identifier, which may be that of a user who is no
/// longer in the directory; `None` if none is named.
pub(crate) async fn identifier(state: &AccountState, named: &str) -> Result<Option<String>, DirectoryError> {
    if named.is_empty() {
        return Ok(None);
    }
    match state.directory.user_by_claim(&Claim::Username(named.to_owned()), Groups::Skip).await {
        Ok(user) => Ok(Some(user.id.opaque_id.clone())),
        Err(DirectoryError::NotFound | DirectoryError::Malformed(_)) => Ok(Some(named.to_owned())),
        Err(error) => Err(error),
    }
}
