//! The people of an LDAP server as a [`authn::Directory`].

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use authn::{Claim, DirectoryError, Filter, Groups, User, UserId, normal_issuer};
use runtime::config::Environment;

use crate::Ldap;
use crate::entry::Entry;
use crate::people::People;

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
        Ok(self.people.search(Vec::new(), 1).await.map(|_| ())?)
    }

    async fn entry(&self, filter: Option<String>) -> Result<Entry, DirectoryError> {
        let filter = filter.ok_or(DirectoryError::NotFound)?;
        let mut found = self.people.search(vec![filter], 2).await?;
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
        for entry in self.people.search(wanted, PAGE).await? {
            users.extend(self.people.person(&entry, groups).await?);
        }
        Ok(users)
    }

    async fn note_password_change(&self, _: &UserId, _: SystemTime, _token: &str) -> Result<(), DirectoryError> {
        Err(DirectoryError::ReadOnly)
    }
}
