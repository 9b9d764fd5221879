//! The people of an LDAP server as a [`authn::Directory`].

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use authn::{Claim, DirectoryError, Filter, Groups, User, UserId, normal_issuer};
use runtime::config::Environment;

use crate::Ldap;
use crate::entry::Entry;
use crate::people::People;
use crate::pool::Limit;

/// How many people a search finds at most.
const PAGE: i32 = 100;

/// People and groups of an LDAP server. Connections are made when they are needed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory {
    pub(crate) people: Arc<People>,
}

impl Directory {
    /// The directory that these settings describe. Nothing is connected yet, and nothing can fail yet.
    pub fn new(config: &Ldap, environment: &Environment) -> Self {
        Self { people: Arc::new(People::new(config, environment)) }
    }

    /// Whether the server answers, for a readiness check.
    pub async fn check(&self) -> Result<(), DirectoryError> {
        Ok(self.people.search(Vec::new(), Limit::AtMost(1)).await.map(|_| ())?)
    }

    /// The names of the groups that a user is a direct member of.
    ///
    /// # Errors
    /// When there is no such user, or the server does not give all groups.
    pub async fn group_names(&self, id: &UserId) -> Result<Vec<String>, DirectoryError> {
        let entry = self.entry_of(id).await?;
        Ok(self.people.group_names(&entry).await?)
    }

    /// A stretch of the users whose login, name or mail address has `text` in it (all, if it is empty), in the order of their
    /// logins and without groups. `after` is [`Listing::next`] of the stretch before, empty for the first.
    ///
    /// # Errors
    /// When the server does not give all of them, which the order is made of.
    pub async fn list(&self, text: &str, after: &str, most: usize) -> Result<Listing, DirectoryError> {
        let found = self.people.search(self.people.query(text).into_iter().collect(), Limit::All).await?;
        let mut keyed: Vec<_> = found.into_iter().map(|entry| (self.people.sort_key(&entry), entry)).collect();
        keyed.retain(|(key, _)| key.as_str() > after);
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        let next =
            (keyed.len() > most).then(|| keyed.get(most.saturating_sub(1)).map(|(key, _)| key.clone())).flatten();
        let mut users = Vec::new();
        for (_, entry) in keyed.iter().take(most) {
            users.extend(self.people.person(entry, Groups::Skip).await?);
        }
        Ok(Listing { users, next })
    }

    async fn entry(&self, filter: Option<String>) -> Result<Entry, DirectoryError> {
        let filter = filter.ok_or(DirectoryError::NotFound)?;
        let mut found = self.people.search(vec![filter], Limit::AtMost(2)).await?;
        match found.pop() {
            None => Err(DirectoryError::NotFound),
            Some(_) if !found.is_empty() => Err(DirectoryError::Ambiguous),
            Some(entry) => Ok(entry),
        }
    }

    async fn entry_of(&self, id: &UserId) -> Result<Entry, DirectoryError> {
        let config = &self.people.config;
        let mut issuers = std::iter::once(&config.idp).chain(&config.idp_previous);
        if !id.idp.is_empty() && !issuers.any(|issuer| normal_issuer(issuer) == normal_issuer(&id.idp)) {
            return Err(DirectoryError::NotFound);
        }
        self.entry(self.people.claim(&Claim::UserId(id.opaque_id.clone()))).await
    }

    async fn person(&self, entry: &Entry, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        self.people.person(entry, groups).await?.ok_or(DirectoryError::NotFound)
    }
}

/// A stretch of a list of users.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The users.
    pub users: Vec<Arc<User>>,
    /// With what the next stretch is asked for; `None` after the last one.
    pub next: Option<String>,
}

#[async_trait]
impl authn::Directory for Directory {
    async fn user(&self, id: &UserId, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        let entry = self.entry_of(id).await?;
        self.person(&entry, groups).await
    }

    async fn user_by_claim(&self, claim: &Claim, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        let entry = self.entry(self.people.claim(claim)).await?;
        if !self.people.is_meant(&entry, claim) {
            return Err(DirectoryError::NotFound);
        }
        self.person(&entry, groups).await
    }

    async fn groups(&self, id: &UserId) -> Result<Vec<String>, DirectoryError> {
        let entry = self.entry_of(id).await?;
        Ok(self.people.groups(&entry).await?)
    }

    async fn find(&self, filters: &[Filter], groups: Groups, _token: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        let mut wanted = Vec::new();
        for filter in filters {
            match filter {
                Filter::Query(text) => wanted.extend(self.people.query(text)),
                Filter::Type(kind) => match self.people.of_type(*kind) {
                    Some(filter) => wanted.push(filter),
                    None => return Ok(Vec::new()),
                },
            }
        }
        let mut users = Vec::new();
        for entry in self.people.search(wanted, Limit::AtMost(PAGE)).await? {
            users.extend(self.people.person(&entry, groups).await?);
        }
        Ok(users)
    }

    async fn note_password_change(&self, _: &UserId, _: SystemTime, _token: &str) -> Result<(), DirectoryError> {
        Err(DirectoryError::ReadOnly)
    }
}
