//! Groups as commands list them, and who is in them.

use std::sync::Arc;

use authn::{Groups, User};
use ldap3::Scope;

use crate::config::scope;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::filter::{all, any, configured, contains, equals};
use crate::pool::{Limit, Search};
use crate::user_search::UserSearch;

/// Of how many groups the members are read at a time.
const CHUNK: usize = 100;
/// The attribute with a text about a group (RFC 4519 2.5).
const DESCRIPTION: &str = "description";

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The identifier.
    pub id: String,
    /// The name.
    pub name: String,
    /// A text about it; empty for none.
    pub description: String,
    /// How many members it names.
    pub members: usize,
}

/// A group without its members, which may be many.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    dn: String,
    id: String,
    name: String,
    description: String,
}

impl Head {
    fn with(&self, members: usize) -> Group {
        Group { id: self.id.clone(), name: self.name.clone(), description: self.description.clone(), members }
    }
}

/// Which group is meant.
#[derive(Debug, Clone, Copy)]
pub enum GroupKey<'a> {
    /// The one with this identifier.
    Id(&'a str),
    /// The one with this name.
    Name(&'a str),
}

impl UserSearch {
    /// All groups that have `text` in their names, each with a key that orders them.
    pub(crate) async fn heads(&self, text: &str) -> Result<Vec<(String, Head)>, Failure> {
        let name = &self.config.group_schema.group_name;
        let filters = (!text.is_empty()).then(|| contains(name, text)).into_iter().collect();
        let found = self.group_search(filters, &self.head_attributes(), Limit::All).await?;
        let heads = found.iter().filter_map(|entry| self.head(entry));
        Ok(heads.map(|head| (format!("{} {}", head.name.to_lowercase(), head.dn.to_lowercase()), head)).collect())
    }

    /// These groups, with how many members they name.
    pub(crate) async fn counted(&self, heads: &[&Head]) -> Result<Vec<Group>, Failure> {
        let mut groups = Vec::with_capacity(heads.len());
        let (id, member) = (&self.group_id.name, &self.config.group_schema.member);
        let attributes = [id.clone(), member.clone()];
        for chunk in heads.chunks(CHUNK) {
            let ids: Vec<String> = chunk.iter().filter_map(|head| self.group_id.filter(&head.id)).collect();
            let found = self.group_search(vec![any(&ids)], &attributes, Limit::All).await?;
            for head in chunk {
                let members = match found.iter().find(|entry| entry.dn == head.dn) {
                    Some(entry) => self.member_values(entry).await?.len(),
                    None => 0,
                };
                groups.push(head.with(members));
            }
        }
        Ok(groups)
    }

    /// The group that is meant, if there is exactly one.
    pub(crate) async fn group(&self, key: GroupKey<'_>) -> Result<Option<(Group, Vec<String>)>, Failure> {
        let filter = match key {
            GroupKey::Id(id) => self.group_id.filter(id),
            GroupKey::Name(name) => (!name.is_empty()).then(|| equals(&self.config.group_schema.group_name, name)),
        };
        let Some(filter) = filter else { return Ok(None) };
        let attributes = [&self.head_attributes()[..], std::slice::from_ref(&self.config.group_schema.member)].concat();
        let found = self.group_search(vec![filter], &attributes, Limit::AtMost(2)).await?;
        let [entry] = &found[..] else { return Ok(None) };
        let Some(head) = self.head(entry) else { return Ok(None) };
        let members = self.member_values(entry).await?;
        Ok(Some((head.with(members.len()), members)))
    }

    /// The users whom these values of a group's member attribute name. Values that name something else are left out.
    pub(crate) async fn users_of(&self, members: &[&String]) -> Result<Vec<Arc<User>>, Failure> {
        let mut filters = Vec::new();
        for member in members {
            if self.members_are_logins() {
                filters.push(equals(&self.config.user_schema.user_name, member));
            } else if let Some(id) = self.id_of(member).await? {
                filters.extend(self.id.filter(&id));
            }
        }
        if filters.is_empty() {
            return Ok(Vec::new());
        }
        // of what is named, only that is a user which a search for users finds
        let mut found = self.search(vec![any(&filters)], Limit::All).await?;
        found.sort_by_cached_key(|entry| self.sort_key(entry));
        let mut users = Vec::with_capacity(found.len());
        for entry in &found {
            users.extend(self.person(entry, Groups::Skip).await?);
        }
        Ok(users)
    }

    /// The identifier of the entry with this DN, if it has one.
    async fn id_of(&self, dn: &str) -> Result<Option<String>, Failure> {
        let attributes = [self.id.name.clone()];
        let found = self.read(dn, &attributes).await?;
        Ok(found.and_then(|entry| self.id.decode(entry.bytes(&self.id.name)?)))
    }

    /// All values of the member attribute. Active Directory gives a long list in ranges (MS-ADTS 3.1.1.3.1.3.3).
    async fn member_values(&self, group: &Entry) -> Result<Vec<String>, Failure> {
        let member = &self.config.group_schema.member;
        let (mut values, mut next) = group.ranged_texts(member);
        while let Some(start) = next {
            let attribute = [format!("{member};range={start}-*")];
            let Some(part) = self.read(&group.dn, &attribute).await? else { break };
            let (more, after) = part.ranged_texts(member);
            values.extend(more);
            if after.is_some_and(|after| after <= start) {
                return Err(Failure::Truncated);
            }
            next = after;
        }
        Ok(values)
    }

    /// The entry with this DN, if there is one.
    async fn read(&self, dn: &str, attributes: &[String]) -> Result<Option<Entry>, Failure> {
        let filter = "(objectClass=*)".to_owned();
        let limit = Limit::AtMost(1);
        let search = Search { base: dn, scope: Scope::Base, filter, attributes, limit, optional_base: true };
        Ok(self.pool.search(&search).await?.pop())
    }

    /// The entries of groups that match all these filters and the configured ones.
    pub(crate) async fn group_search(
        &self,
        filters: Vec<String>,
        attributes: &[String],
        limit: Limit,
    ) -> Result<Vec<Entry>, Failure> {
        let config = &self.config;
        let class = equals("objectClass", &config.group_object_class);
        let filter =
            all(&configured(&config.group_filter).into_iter().chain([class]).chain(filters).collect::<Vec<_>>());
        let (base, scope) = (&config.group_base_dn, scope(&config.group_scope));
        let search = Search { base, scope, filter, attributes, limit, optional_base: false };
        self.pool.search(&search).await
    }

    fn head_attributes(&self) -> [String; 3] {
        [self.group_id.name.clone(), self.config.group_schema.group_name.clone(), DESCRIPTION.to_owned()]
    }

    /// The group that an entry is about; `None` if it has no identifier or no name.
    fn head(&self, entry: &Entry) -> Option<Head> {
        let id = entry.bytes(&self.group_id.name).and_then(|value| self.group_id.decode(value));
        let (Some(id), Some(name)) = (id, entry.text(&self.config.group_schema.group_name)) else {
            tracing::warn!(dn = entry.dn, "an LDAP group has no usable identifier or no name and is skipped");
            return None;
        };
        let description = entry.text(DESCRIPTION).unwrap_or_default().to_owned();
        Some(Head { dn: entry.dn.clone(), id, name: name.to_owned(), description })
    }
}
