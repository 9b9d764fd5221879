//! The users whom services know by their identifiers, as administrators know them.

use std::collections::{BTreeSet, HashMap};

use authn::{Claim, DirectoryError, Groups, UserId};
use futures_util::{StreamExt, stream};
use proto::doorward::users::v1::ListUserNamesRequest;
use status::Kind;
use tonic::Status;

use super::super::signed_in::SignedIn;
use crate::state::AccountState;

/// How many users are looked up with one call.
const AT_ONCE: usize = 500;
/// How many users are looked up at the same time, where that takes a call each.
const SIDE_BY_SIDE: usize = 8;

/// Login names of users by their identifiers.
pub(super) struct UserNames(HashMap<String, String>);

impl UserNames {
    /// Looks up the users with these identifiers, for an administrator.
    pub(super) async fn find(signed_in: &SignedIn, ids: BTreeSet<String>) -> Self {
        if ids.is_empty() {
            return Self(HashMap::new());
        }
        match at_once(signed_in, &ids).await {
            Some(Ok(names)) => Self(names),
            Some(Err(error)) => {
                tracing::debug!(%error, "a page shows identifiers of users, whose names users does not say");
                Self(HashMap::new())
            }
            None => {
                let names = stream::iter(ids).map(|id| name(&signed_in.state, id));
                let names: Vec<_> = names.buffer_unordered(SIDE_BY_SIDE).collect().await;
                Self(names.into_iter().flatten().collect())
            }
        }
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

/// The login names of all of these users; `None` if the directory is not users, or users is of a version before that answers for one user
/// at a time.
async fn at_once(signed_in: &SignedIn, ids: &BTreeSet<String>) -> Option<Result<HashMap<String, String>, Status>> {
    let mut users = signed_in.state.administration.users.clone()?;
    let ids: Vec<_> = ids.iter().cloned().collect();
    let mut names = HashMap::new();
    for some in ids.chunks(AT_ONCE) {
        let request = ListUserNamesRequest { ids: some.to_vec() };
        match users.list_user_names(signed_in.on_behalf().call(request)).await {
            Ok(found) => names.extend(found.into_inner().usernames),
            Err(status) if Kind::from_grpc(status.code()) == Kind::Unimplemented => return None,
            Err(status) => return Some(Err(status)),
        }
    }
    names.retain(|_, name: &mut String| !name.is_empty());
    Some(Ok(names))
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

/// The user whom an administrator names in a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NamedUser {
    /// None is named: the search is for those of all users.
    All,
    /// The directory has a user with this identifier.
    Known(String),
    /// The directory has none. It may be the identifier of a user who is gone, or a mistake.
    Unknown(String),
}

impl NamedUser {
    /// Finds a user by the login name, the identifier or the mail address.
    ///
    /// # Errors
    /// If the directory does not answer.
    pub(super) async fn find(state: &AccountState, named: &str) -> Result<Self, DirectoryError> {
        if named.is_empty() {
            return Ok(Self::All);
        }
        for claim in [Claim::Username, Claim::UserId, Claim::Mail] {
            match state.directory.user_by_claim(&claim(named.to_owned()), Groups::Skip).await {
                Ok(user) => return Ok(Self::Known(user.id.opaque_id.clone())),
                Err(DirectoryError::NotFound | DirectoryError::Malformed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self::Unknown(named.to_owned()))
    }

    /// The identifier to search with; `None` for all users.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Known(id) | Self::Unknown(id) => Some(id),
        }
    }

    /// The identifier of a user for whom an act can be offered: one of the directory, or one of whom something is left.
    pub(super) fn existing(&self, has_rows: bool) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Known(id) => Some(id),
            Self::Unknown(id) => has_rows.then_some(id),
        }
    }

    /// Whether nothing shows that there is such a user.
    pub(super) fn is_unknown(&self, has_rows: bool) -> bool {
        matches!(self, Self::Unknown(_)) && !has_rows
    }
}

/// The identifier of the user whom an administrator names, which may be that of a user who is no longer in the directory; `None` if none
/// is named.
pub(crate) async fn identifier(state: &AccountState, named: &str) -> Result<Option<String>, DirectoryError> {
    Ok(NamedUser::find(state, named).await?.id().map(str::to_owned))
}
