//! How people and groups are found, and what an entry says of a person.

use std::sync::Arc;

use authn::{Claim, Groups, Login, User, UserId, UserStatus, UserType, normal_issuer};
use config::{Environment, base_data_path};
use ldap3::Scope;
use runtime::Reload;

use crate::attribute::IdAttribute;
use crate::config::scope;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::filter::{all, any, contains, equals, not};
use crate::pool::{Limit, Pool, Search};
use crate::server::Server;
use crate::tls::Tls;
use crate::{Ldap, UserSchema};
use crate::{multi_instance, tenants};

/// What the directory and the binder share.
#[derive(Debug)]
pub(crate) struct UserSearch {
    pub(crate) pool: Pool,
    pub(crate) config: Ldap,
    pub(crate) id: IdAttribute,
    pub(crate) group_id: IdAttribute,
    attributes: Vec<String>,
}

impl UserSearch {
    pub(crate) fn new(config: &Ldap, environment: &Environment, reload: &Reload) -> Self {
        let tls = Tls::new(config.insecure, config.ca_cert.clone(), &base_data_path(environment), reload);
        let (user, group) = (&config.user_schema, &config.group_schema);
        Self {
            pool: Pool::new(Server::new(config, tls)),
            id: IdAttribute::new(&user.id, user.id_is_octet_string),
            group_id: IdAttribute::new(&group.id, group.id_is_octet_string),
            attributes: wanted(user, &config.login_attributes),
            config: config.clone(),
        }
    }

    /// The attributes that a user is made of.
    pub(crate) fn attributes(&self) -> &[String] {
        &self.attributes
    }

    /// The filter for a claim; `None` if no user can match it.
    pub(crate) fn claim(&self, claim: &Claim) -> Option<String> {
        let schema = &self.config.user_schema;
        let number = |attribute: &str, value: &str| Some(equals(attribute, &value.parse::<u32>().ok()?.to_string()));
        match claim {
            Claim::Username(value) | Claim::Mail(value) if value.is_empty() => None,
            Claim::Username(value) => Some(named(&[&schema.user_name], &Login::new(value))),
            Claim::Mail(value) => Some(named(&[&schema.mail], &Login::new(value))),
            Claim::UserId(value) => self.id.filter(value),
            Claim::Uid(value) => number("uidNumber", value),
            Claim::Gid(value) => number("gidNumber", value),
        }
    }

    /// A filter for the users who may sign in with this login; `None` if it is empty.
    pub(crate) fn login(&self, login: &Login) -> Option<String> {
        let attributes: Vec<&str> = self.config.login_attributes.iter().map(String::as_str).collect();
        (!login.given().is_empty()).then(|| named(&attributes, login))
    }

    /// Whether an entry is the one that a claim means. A server compares names more loosely than we do.
    pub(crate) fn is_meant(&self, entry: &Entry, claim: &Claim) -> bool {
        let schema = &self.config.user_schema;
        let (attribute, value) = match claim {
            Claim::Username(value) => (&schema.user_name, value),
            Claim::Mail(value) => (&schema.mail, value),
            Claim::UserId(_) | Claim::Uid(_) | Claim::Gid(_) => return true,
        };
        entry.is_named(std::slice::from_ref(attribute), &Login::new(value))
    }

    /// A filter for whom a text is part of the login, the name or the mail address of.
    pub(crate) fn query(&self, text: &str) -> Option<String> {
        let UserSchema { user_name, display_name, mail, .. } = &self.config.user_schema;
        (!text.is_empty()).then(|| any(&[user_name, display_name, mail].map(|name| contains(name, text))))
    }

    /// A filter for people of a type; `None` if there can be none.
    pub(crate) fn of_type(&self, kind: UserType) -> Option<String> {
        let attribute = &self.config.user_schema.user_type;
        let all_users = equals("objectClass", &self.config.user_object_class);
        let is_guest = equals(attribute, GUEST);
        match (kind, attribute.is_empty()) {
            (UserType::Primary, true) => Some(all_users),
            (UserType::Primary, false) => Some(not(&is_guest)),
            (UserType::Guest, false) => Some(is_guest),
            _ => None,
        }
    }

    /// A filter for users of a tenant.
    pub(crate) fn of_tenant(&self, tenant: &str) -> String {
        equals(&self.config.user_schema.tenant_id, tenant)
    }

    /// The entries of users that match all these filters and the configured ones.
    pub(crate) async fn search(&self, filters: Vec<String>, limit: Limit) -> Result<Vec<Entry>, Failure> {
        self.search_for(filters, limit, &self.attributes).await
    }

    /// The same entries, with these attributes.
    pub(crate) async fn search_for(
        &self,
        filters: Vec<String>,
        limit: Limit,
        attributes: &[String],
    ) -> Result<Vec<Entry>, Failure> {
        let configured = multi_instance::user_filter(&self.config);
        let class = equals("objectClass", &self.config.user_object_class);
        let filter = all(&configured.into_iter().chain([class]).chain(filters).collect::<Vec<_>>());
        let search = Search {
            base: &self.config.user_base_dn,
            scope: scope(&self.config.user_scope),
            filter,
            attributes,
            limit,
            optional_base: false,
        };
        self.pool.search(&search).await
    }

    /// The user that an entry describes; `None` if the entry has no identifier, or several tenants.
    pub(crate) async fn person(&self, entry: &Entry, groups: Groups) -> Result<Option<Arc<User>>, Failure> {
        let Some(opaque_id) = entry.bytes(&self.id.name).and_then(|value| self.id.decode(value)) else {
            tracing::warn!(
                dn = entry.dn,
                attribute = self.id.name,
                "an LDAP entry has no usable identifier and is skipped"
            );
            return Ok(None);
        };
        let schema = &self.config.user_schema;
        let Some(tenant) = tenants::of(entry, schema) else { return Ok(None) };
        let text = |name: &str| entry.text(name).unwrap_or_default().to_owned();
        let is_guest = !schema.user_type.is_empty() && text(&schema.user_type).eq_ignore_ascii_case(GUEST);
        let kind = if is_guest { UserType::Guest } else { UserType::Primary };
        let mut user = User {
            id: UserId {
                idp: normal_issuer(&self.config.idp).to_owned(),
                opaque_id,
                kind,
                tenant_id: tenant.to_owned(),
                ..UserId::default()
            },
            username: text(&schema.user_name),
            mail: text(&schema.mail),
            display_name: text(&schema.display_name),
            uid_number: entry.number("uidNumber"),
            gid_number: entry.number("gidNumber"),
            ..User::default()
        };
        user.status = self.status(entry).await?;
        if groups == Groups::Include {
            user.groups = self.groups(entry).await?;
        }
        Ok(Some(Arc::new(user)))
    }

    /// By what users are listed in order: the login, and the DN, as nothing keeps two entries from having the same login.
    pub(crate) fn sort_key(&self, entry: &Entry) -> String {
        let login = entry.text(&self.config.user_schema.user_name).unwrap_or_default();
        format!("{} {}", login.to_lowercase(), entry.dn.to_lowercase())
    }

    /// The identifiers of the groups that a person is a direct member of.
    pub(crate) async fn groups(&self, person: &Entry) -> Result<Vec<String>, Failure> {
        let found = self.group_entries(person, &self.group_id.name).await?;
        let id = |group: &Entry| group.bytes(&self.group_id.name).and_then(|value| self.group_id.decode(value));
        Ok(found.iter().filter_map(id).collect())
    }

    /// The names of the groups that a person is a direct member of.
    pub(crate) async fn group_names(&self, person: &Entry) -> Result<Vec<String>, Failure> {
        let attribute = &self.config.group_schema.group_name;
        let found = self.group_entries(person, attribute).await?;
        Ok(found.iter().filter_map(|group| group.text(attribute).map(str::to_owned)).collect())
    }

    async fn group_entries(&self, person: &Entry, attribute: &str) -> Result<Vec<Entry>, Failure> {
        self.group_search(vec![self.member(person)], &[attribute.to_owned()], Limit::All).await
    }

    /// A filter for groups with this person in them.
    fn member(&self, person: &Entry) -> String {
        let attribute = &self.config.group_schema.member;
        if self.members_are_logins() {
            equals(attribute, person.text(&self.config.user_schema.user_name).unwrap_or_default())
        } else {
            equals(attribute, &person.dn)
        }
    }

    /// Whether groups name their members by login, and not by DN.
    pub(crate) fn members_are_logins(&self) -> bool {
        self.config.group_schema.member.eq_ignore_ascii_case("memberUid")
    }

    async fn status(&self, person: &Entry) -> Result<UserStatus, Failure> {
        let blocked = match self.config.disable_user_mechanism.as_str() {
            "none" => false,
            "group" => self.is_in_disabled_group(person).await?,
            _ => person.text(&self.config.user_schema.enabled).is_some_and(|value| value.eq_ignore_ascii_case("false")),
        };
        Ok(if blocked { UserStatus::Blocked } else { UserStatus::Active })
    }

    /// The server compares the DNs, as only it knows which of them are equal.
    async fn is_in_disabled_group(&self, person: &Entry) -> Result<bool, Failure> {
        let no_attributes = ["1.1".to_owned()];
        let search = Search {
            base: &self.config.disabled_users_group_dn,
            scope: Scope::Base,
            filter: self.member(person),
            attributes: &no_attributes,
            limit: Limit::AtMost(1),
            // the group is made when the first person is disabled
            optional_base: true,
        };
        Ok(!self.pool.search(&search).await?.is_empty())
    }
}

/// The value of the type attribute that makes a guest.
const GUEST: &str = "Guest";

fn wanted(schema: &UserSchema, login_attributes: &[String]) -> Vec<String> {
    let UserSchema { id, mail, display_name, user_name, enabled, user_type, tenant_id, .. } = schema;
    let named = [id, mail, display_name, user_name, enabled, user_type, tenant_id].map(String::as_str);
    let all = named.into_iter().chain(["uidNumber", "gidNumber"]).chain(login_attributes.iter().map(String::as_str));
    let mut wanted: Vec<String> = Vec::new();
    for name in all.filter(|name| !name.is_empty()) {
        if !wanted.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            wanted.push(name.to_owned());
        }
    }
    wanted
}

/// One of these attributes has a value that may be what the login names.
fn named(attributes: &[&str], login: &Login) -> String {
    let forms: Vec<&str> = login.forms().collect();
    let parts = attributes.iter().flat_map(|name| forms.iter().map(|form| equals(name, form)));
    any(&parts.collect::<Vec<_>>())
}
