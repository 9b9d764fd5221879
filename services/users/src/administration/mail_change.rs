//! Mail addresses that users change by a link which was sent to the new one.

use std::sync::Arc;

use authn::MailChange;

use super::Administration;
use crate::cache::AffectedUsers;
use crate::{PeopleError, rules};

impl Administration {
    /// Sets the mail address of the user with this identifier, who has opened a link that was sent to it.
    ///
    /// # Errors
    /// [`PeopleError::MailChangeNotPermitted`] unless the operator permits it, [`PeopleError::Invalid`] if it is no address,
    /// [`PeopleError::OutdatedMailChange`] if the user is disabled or has another address than the expected one, and
    /// [`PeopleError::Taken`] if another user signs in with it.
    pub async fn set_verified_mail(&self, id: &str, change: MailChange<'_>) -> Result<(), PeopleError> {
        if !self.may_users_change_mail {
            return Err(PeopleError::MailChangeNotPermitted);
        }
        rules::mail(change.address)?;
        if change.address.is_empty() {
            return Err(PeopleError::Invalid("the mail address is missing".to_owned()));
        }
        if !rules::is_storable(id) {
            return Err(PeopleError::NoSuchPerson);
        }
        let (people, id, now) = (Arc::clone(&self.people), id.to_owned(), self.now());
        let (address, expected) = (change.address.to_owned(), change.expected.to_owned());
        let affected = AffectedUsers::One(id.clone());
        let change =
            async move { people.change_mail(&id, MailChange { address: &address, expected: &expected }, now).await };
        self.write(affected, change).await
    }
}
