//! Searching the tokens of all users.

use ::store::page::Position;

use super::{Applications, ApplicationsError, PersonRef};
use crate::store::{Found, TokenFilter};

impl Applications {
    /// The live tokens of all users that fit the filter, or of one user, the newest first; the caller of this function must have checked
    /// that it serves an administrator or the operator.
    ///
    /// # Errors
    /// When there is no such user, or the store is unavailable.
    pub(crate) async fn search(
        &self,
        owner: Option<&PersonRef>,
        filter: TokenFilter,
        (after, limit): (Option<Position>, u32),
    ) -> Result<Found, ApplicationsError> {
        let owner = match owner {
            Some(owner) => Some(self.owner(owner).await?.0),
            None => None,
        };
        let filter = TokenFilter { owner, ..filter };
        Ok(self.tokens.store.search(&filter, after, u64::from(limit), self.clock.now()).await?)
    }
}
