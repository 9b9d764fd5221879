//! The directory over an LDAP server, with the times of the password changes that were made here.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use authn::{Claim, Directory, DirectoryError, Filter, Groups, Profile, User, UserId};
use runtime::Clock;
use store::StoreError;

use crate::PeopleError;
use crate::administration::not_ahead;
use crate::directory::failure;
use crate::store::LdapPasswordChanges;

/// Users of an LDAP server.
#[derive(Clone)]
pub(crate) struct LdapDirectory {
    pub(crate) ldap: ldap::Directory,
    /// `None` where no database can be opened: then credentials from before a change stay valid.
    changes: Option<Arc<LdapPasswordChanges>>,
    clock: Clock,
}

impl LdapDirectory {
    pub(crate) fn new(ldap: ldap::Directory, changes: Option<LdapPasswordChanges>, clock: Clock) -> Self {
        Self { ldap, changes: changes.map(Arc::new), clock }
    }

    /// Notes that the password of the user with this identifier was changed: then, or now if that lies in the future.
    ///
    /// # Errors
    /// [`PeopleError::ReadOnly`] without a database.
    pub(crate) async fn note(&self, id: &UserId, at: SystemTime) -> Result<(), PeopleError> {
        let now = self.clock.now();
        let at = not_ahead(at, now)?;
        let changes = self.changes.as_ref().ok_or(PeopleError::ReadOnly)?;
        // the identifier as the directory writes it, by which it is read
        let user = self.ldap.user(id, Groups::Skip).await?;
        Ok(changes.note(&user.id.opaque_id, at, now).await?)
    }

    async fn dated(&self, mut user: Arc<User>) -> Result<Arc<User>, DirectoryError> {
        if let Some(changes) = &self.changes
            && let Some(changed) = changes.of(&user.id.opaque_id).await.map_err(unread)?
        {
            Arc::make_mut(&mut user).password_changed = Some(changed);
        }
        Ok(user)
    }

    /// The users with the times of their password changes.
    async fn all_dated(&self, mut users: Vec<Arc<User>>) -> Result<Vec<Arc<User>>, DirectoryError> {
        if let Some(changes) = &self.changes {
            let ids: Vec<_> = users.iter().map(|user| user.id.opaque_id.clone()).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let mut times = changes.of_all(&ids).await.map_err(unread)?;
            for user in &mut users {
                if let Some(changed) = times.remove(&user.id.opaque_id) {
                    Arc::make_mut(user).password_changed = Some(changed);
                }
            }
        }
        Ok(users)
    }
}

fn unread(error: StoreError) -> DirectoryError {
    failure(error.into())
}

#[async_trait]
impl Directory for LdapDirectory {
    async fn user(&self, id: &UserId, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        self.dated(self.ldap.user(id, groups).await?).await
    }

    async fn user_by_claim(&self, claim: &Claim, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        self.dated(self.ldap.user_by_claim(claim, groups).await?).await
    }

    async fn groups(&self, id: &UserId) -> Result<Vec<String>, DirectoryError> {
        self.ldap.groups(id).await
    }

    async fn profile(&self, id: &UserId) -> Result<Profile, DirectoryError> {
        self.ldap.profile(id).await
    }

    async fn find(&self, filters: &[Filter], groups: Groups, token: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        self.all_dated(self.ldap.find(filters, groups, token).await?).await
    }

    async fn find_in_tenant(
        &self,
        tenant: &str,
        filters: &[Filter],
        groups: Groups,
        token: &str,
    ) -> Result<Vec<Arc<User>>, DirectoryError> {
        self.all_dated(self.ldap.find_in_tenant(tenant, filters, groups, token).await?).await
    }

    async fn note_password_change(&self, id: &UserId, at: SystemTime, _token: &str) -> Result<(), DirectoryError> {
        self.note(id, at).await.map_err(|error| match error {
            PeopleError::ReadOnly => DirectoryError::ReadOnly,
            other => failure(other),
        })
    }
}
