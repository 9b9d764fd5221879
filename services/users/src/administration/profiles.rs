//! The profiles of users.

use std::sync::Arc;

use authn::Profile;

use super::Administration;
use crate::cache::AffectedUsers;
use crate::{PeopleError, ProfileChange, rules};

impl Administration {
    /// The profile of the user with this identifier.
    ///
    /// # Errors
    /// [`PeopleError::NoSuchPerson`].
    pub async fn profile(&self, id: &str) -> Result<Profile, PeopleError> {
        if !rules::is_storable(id) {
            return Err(PeopleError::NoSuchPerson);
        }
        self.people.profile(id).await
    }

    /// Changes the profile of the user with this identifier; returns it after the change.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`] for a value that does not have the form of its attribute; then nothing is changed.
    pub async fn set_profile(&self, id: &str, change: ProfileChange) -> Result<Profile, PeopleError> {
        change.check()?;
        if !rules::is_storable(id) {
            return Err(PeopleError::NoSuchPerson);
        }
        let (people, id, now) = (Arc::clone(&self.people), id.to_owned(), self.now());
        let affected = AffectedUsers::One(id.clone());
        self.write(affected, async move { people.change_profile(&id, &change, now).await }).await
    }
}
