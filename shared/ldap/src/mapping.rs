//! Which attributes of an entry become which claims of a user, for operators who set the schema.

use authn::{DirectoryError, Groups, Login};

use crate::Directory;
use crate::directory::only;
use crate::entry::Entry;
use crate::pool::Limit;

/// Attributes whose values are never shown, whatever the schema says.
const HIDDEN: [&str; 4] = ["userPassword", "unicodePwd", "sambaNTPassword", "krbPrincipalKey"];

/// How the entry of one user is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The DN of the entry.
    pub dn: String,
    /// What each attribute becomes.
    pub attributes: Vec<MappedAttribute>,
    /// The names of the groups of which the user is a direct member.
    pub groups: Vec<String>,
    /// Whether the user counts as disabled.
    pub is_disabled: bool,
}

/// An attribute of an entry, and what it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedAttribute {
    /// The claim, or what a user is known by.
    pub claim: &'static str,
    /// The attribute of the entry.
    pub attribute: String,
    /// Its value; `None` if the entry has none that can be used.
    pub value: Option<String>,
}

impl Directory {
    /// How the entry of the user with this login is read, which may be any of the login attributes.
    ///
    /// # Errors
    /// When there is no such user or more than one, or the server does not answer.
    pub async fn mapping(&self, login: &str) -> Result<Mapping, DirectoryError> {
        let users = &self.users;
        let filter = users.login(&Login::new(login)).ok_or(DirectoryError::NotFound)?;
        let schema = &users.config.profile_schema;
        let mut wanted = users.attributes().to_vec();
        wanted.extend(schema.attributes().into_iter().map(|(_, name, _)| name.clone()).filter(|name| !name.is_empty()));
        wanted.sort_unstable();
        wanted.dedup();
        let entry = only(users.search_for(vec![filter], Limit::AtMost(2), &wanted).await?)?;
        let user = users.person(&entry, Groups::Skip).await?;
        let groups = users.group_names(&entry).await?;
        let is_disabled = user.as_ref().is_some_and(|user| user.status == authn::UserStatus::Blocked);
        Ok(Mapping { attributes: self.attributes_of(&entry), dn: entry.dn, groups, is_disabled })
    }

    fn attributes_of(&self, entry: &Entry) -> Vec<MappedAttribute> {
        let (schema, profile) = (&self.users.config.user_schema, &self.users.config.profile_schema);
        let id = entry.bytes(&schema.id).and_then(|value| self.users.id.decode(value));
        let id = MappedAttribute { claim: "user id", value: shown(&schema.id, id), attribute: schema.id.clone() };
        let named = [
            ("preferred_username", &schema.user_name),
            ("email", &schema.mail),
            ("name", &schema.display_name),
            ("enabled", &schema.enabled),
            ("user type", &schema.user_type),
            ("tenant", &schema.tenant_id),
        ];
        let profile = profile.attributes().into_iter().map(|(_, name, attribute)| (attribute.name(), name));
        let texts = named.into_iter().chain(profile).filter(|(_, name)| !name.is_empty());
        let text = |(claim, name): (&'static str, &String)| MappedAttribute {
            claim,
            attribute: name.clone(),
            value: shown(name, entry.text(name).map(str::to_owned)),
        };
        std::iter::once(id).chain(texts.map(text)).collect()
    }
}

fn shown(attribute: &str, value: Option<String>) -> Option<String> {
    let is_hidden = HIDDEN.iter().any(|hidden| attribute.eq_ignore_ascii_case(hidden));
    value.map(|value| if is_hidden { "***".to_owned() } else { value })
}

#[cfg(test)]
mod tests {
    use super::shown;

    /// Row D14.
    #[test]
    fn passwords_are_not_shown() {
        let value = || Some("hush".to_owned());
        for attribute in ["userPassword", "USERPASSWORD", "unicodepwd"] {
            assert_eq!(shown(attribute, value()).as_deref(), Some("***"), "{attribute}");
        }
        assert_eq!(shown("uid", value()), value());
        assert_eq!(shown("userPassword", None), None);
    }
}
