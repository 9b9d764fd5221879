//! The people of an LDAP server as a [`authn::Directory`].

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use authn::{Claim, DirectoryError, Filter, Groups, Profile, User, UserId, normal_issuer};
use config::Environment;
use runtime::Reload;

use crate::Ldap;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::groups::{Group, GroupKey, Head};
use crate::listing::{Listing, Lists};
use crate::pool::Limit;
use crate::user_search::UserSearch;

/// How many people a search finds at most.
const PAGE: i32 = 100;

/// Users and groups of an LDAP server. Connections are made when they are needed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory {
    pub(crate) users: Arc<UserSearch>,
    lists: Arc<KnownLists>,
}

/// Lists that are being read.
#[derive(Debug, Default)]
struct KnownLists {
    users: Lists<Entry>,
    groups: Lists<Head>,
}

impl Directory {
    /// The directory that these settings describe. Nothing is connected yet, and nothing can fail yet. The file of the authority is read
    /// again after each announcement of `reload`.
    pub fn new(config: &Ldap, environment: &Environment, reload: &Reload) -> Self {
        Self { users: Arc::new(UserSearch::new(config, environment, reload)), lists: Arc::default() }
    }

    /// Whether the server answers, for a readiness check.
    pub async fn check(&self) -> Result<(), DirectoryError> {
        Ok(self.users.search(Vec::new(), Limit::AtMost(1)).await.map(|_| ())?)
    }

    /// The names of the groups that a user is a direct member of.
    ///
    /// # Errors
    /// When there is no such user, or the server does not give all groups.
    pub async fn group_names(&self, id: &UserId) -> Result<Vec<String>, DirectoryError> {
        let entry = self.entry_of(id).await?;
        Ok(self.users.group_names(&entry).await?)
    }

    /// A page of the users whose login, name or mail address has `text` in it (all, if it is empty), in the order of their
    /// logins and without groups. `after` is [`Listing::next`] of the page before, empty for the first.
    ///
    /// # Errors
    /// When the server does not give all of them, which the order is made of.
    pub async fn list(&self, text: &str, after: &str, most: usize) -> Result<Listing<Arc<User>>, DirectoryError> {
        let people = &self.users;
        let search = async {
            let found = people.search(people.query(text).into_iter().collect(), Limit::All).await?;
            Ok::<_, Failure>(found.into_iter().map(|entry| (people.sort_key(&entry), entry)).collect())
        };
        let page = self.lists.users.page(text, after, most, search).await?;
        let mut entries = Vec::new();
        for entry in page.entries() {
            entries.extend(people.person(entry, Groups::Skip).await?);
        }
        Ok(Listing { entries, next: page.next })
    }

    /// A page of the groups that have `text` in their names (all, if it is empty), in the order of their names. `after` is as
    /// for [`list`](Self::list).
    ///
    /// # Errors
    /// When the server does not give all of them.
    pub async fn list_groups(&self, text: &str, after: &str, most: usize) -> Result<Listing<Group>, DirectoryError> {
        let page = self.lists.groups.page(text, after, most, self.users.heads(text)).await?;
        let heads: Vec<_> = page.entries().collect();
        Ok(Listing { entries: self.users.counted(&heads).await?, next: page.next })
    }

    /// The group that is meant; `None` if there is none, or more than one.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn group(&self, key: GroupKey<'_>) -> Result<Option<Group>, DirectoryError> {
        Ok(self.users.group(key).await?.map(|(group, _)| group))
    }

    /// A page of the users whom a group names as members; `None` if there is no such group. A page is cut from all that the
    /// group names, which may include others than users, and so may have fewer users than `most`.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn members(
        &self,
        key: GroupKey<'_>,
        after: &str,
        most: usize,
    ) -> Result<Option<Listing<Arc<User>>>, DirectoryError> {
        let Some((_, members)) = self.users.group(key).await? else { return Ok(None) };
        let all = std::future::ready(Ok::<_, Failure>(members.into_iter().map(|one| (one.clone(), one)).collect()));
        let page = Lists::default().page("", after, most, all).await?;
        let members: Vec<_> = page.entries().collect();
        Ok(Some(Listing { entries: self.users.users_of(&members).await?, next: page.next }))
    }

    async fn found(
        &self,
        tenant: Option<&str>,
        filters: &[Filter],
        groups: Groups,
    ) -> Result<Vec<Arc<User>>, DirectoryError> {
        let mut wanted: Vec<_> = tenant.map(|tenant| self.users.of_tenant(tenant)).into_iter().collect();
        for filter in filters {
            match filter {
                Filter::Query(text) => wanted.extend(self.users.query(text)),
                Filter::Type(kind) => match self.users.of_type(*kind) {
                    Some(filter) => wanted.push(filter),
                    None => return Ok(Vec::new()),
                },
            }
        }
        let mut users = Vec::new();
        for entry in self.users.search(wanted, Limit::AtMost(PAGE)).await? {
            users.extend(self.users.person(&entry, groups).await?);
        }
        Ok(users)
    }

    async fn entry(&self, filter: Option<String>) -> Result<Entry, DirectoryError> {
        let filter = filter.ok_or(DirectoryError::NotFound)?;
        only(self.users.search(vec![filter], Limit::AtMost(2)).await?)
    }

    /// The entry of a user with these attributes alone.
    pub(crate) async fn entry_with(&self, id: &UserId, attributes: &[String]) -> Result<Entry, DirectoryError> {
        let filter = self.id_filter(id).ok_or(DirectoryError::NotFound)?;
        only(self.users.search_for(vec![filter], Limit::AtMost(2), attributes).await?)
    }

    async fn entry_of(&self, id: &UserId) -> Result<Entry, DirectoryError> {
        self.entry(self.id_filter(id)).await
    }

    /// The filter for an identifier; `None` if no user here can have it.
    fn id_filter(&self, id: &UserId) -> Option<String> {
        let config = &self.users.config;
        let mut issuers = std::iter::once(&config.idp).chain(&config.idp_previous);
        let is_ours = id.idp.is_empty() || issuers.any(|issuer| normal_issuer(issuer) == normal_issuer(&id.idp));
        self.users.claim(&Claim::UserId(id.opaque_id.clone())).filter(|_| is_ours)
    }

    async fn person(&self, entry: &Entry, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        self.users.person(entry, groups).await?.ok_or(DirectoryError::NotFound)
    }
}

/// The only entry.
pub(crate) fn only(mut found: Vec<Entry>) -> Result<Entry, DirectoryError> {
    match found.pop() {
        None => Err(DirectoryError::NotFound),
        Some(_) if !found.is_empty() => Err(DirectoryError::Ambiguous),
        Some(entry) => Ok(entry),
    }
}

#[async_trait]
impl authn::Directory for Directory {
    async fn user(&self, id: &UserId, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        let entry = self.entry_of(id).await?;
        self.person(&entry, groups).await
    }

    async fn user_by_claim(&self, claim: &Claim, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        let entry = self.entry(self.users.claim(claim)).await?;
        if !self.users.is_meant(&entry, claim) {
            return Err(DirectoryError::NotFound);
        }
        self.person(&entry, groups).await
    }

    async fn groups(&self, id: &UserId) -> Result<Vec<String>, DirectoryError> {
        let entry = self.entry_of(id).await?;
        Ok(self.users.groups(&entry).await?)
    }

    async fn profile(&self, id: &UserId) -> Result<Profile, DirectoryError> {
        let schema = &self.users.config.profile_schema;
        Ok(schema.profile(&self.entry_with(id, &schema.names()).await?))
    }

    async fn find(&self, filters: &[Filter], groups: Groups, _token: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        self.found(None, filters, groups).await
    }

    async fn find_in_tenant(
        &self,
        tenant: &str,
        filters: &[Filter],
        groups: Groups,
        _token: &str,
    ) -> Result<Vec<Arc<User>>, DirectoryError> {
        let mut users = self.found(Some(tenant), filters, groups).await?;
        // the server compares more loosely than we do
        users.retain(|user| user.id.tenant_id == tenant);
        Ok(users)
    }

    async fn note_password_change(&self, _: &UserId, _: SystemTime, _token: &str) -> Result<(), DirectoryError> {
        Err(DirectoryError::ReadOnly)
    }
}
