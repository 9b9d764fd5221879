//! People and groups, as this service speaks of them.

use std::collections::BTreeSet;
use std::time::SystemTime;

use authn::{UserStatus, role};

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The stable identifier, a UUID in its usual lower-case form.
    pub id: String,
    /// The login name; no two people have names that differ only in case.
    pub username: String,
    /// The mail address, empty for none; no two people share one.
    pub mail: String,
    /// The name to show.
    pub display_name: String,
    /// Whether the person may sign in.
    pub status: UserStatus,
    /// The POSIX user number, 0 for none.
    pub uid_number: i64,
    /// The POSIX group number, 0 for none.
    pub gid_number: i64,
    /// Identifiers of the roles, see [`authn::role`].
    pub roles: Vec<String>,
    /// The groups the person is in, by name.
    pub groups: Vec<GroupName>,
    /// When the account was made, in seconds since the Unix epoch.
    pub created: i64,
    /// When it was last changed, in seconds since the Unix epoch.
    pub updated: i64,
    /// When the password was last changed, to the microsecond; `None` if no change was reported.
    pub password_changed: Option<SystemTime>,
}

/// A group as its members refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName {
    /// The stable identifier, a UUID.
    pub id: String,
    /// The name.
    pub name: String,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The stable identifier, a UUID.
    pub id: String,
    /// The name; no two groups have names that differ only in case.
    pub name: String,
    /// Text for people.
    pub description: Option<String>,
    /// How many people are in it.
    pub member_count: u64,
}

/// Who makes and changes users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Author {
    /// An administrator, who cannot take away the last one: two who disable each other at the same time must not leave an
    /// installation that nobody administers.
    #[default]
    Administrator,
    /// The operator, who has the shell.
    Operator,
    /// An issuer, by a service that makes and changes users for it. It cannot give a user a login name that is the mail address of another
    /// user, or the reverse: sign-in accepts both, so that the other user could be meant.
    Issuer,
}

/// The properties of an account to create.
#[derive(Debug, Clone, Default)]
pub struct NewPerson {
    /// The identifier, a UUID, for people who come from elsewhere and own things by it; made if absent.
    pub id: Option<String>,
    /// The login name.
    pub username: String,
    /// The mail address, empty for none.
    pub mail: String,
    /// The name to show; empty for the login name.
    pub display_name: String,
    /// The POSIX user number, 0 for none.
    pub uid_number: i64,
    /// The POSIX group number, 0 for none.
    pub gid_number: i64,
    /// Roles, by everyday name (`admin`) or identifier.
    pub roles: Vec<String>,
    /// Who says so.
    pub author: Author,
}

/// What is to be different about a person; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Another login name.
    pub username: Option<String>,
    /// Another mail address, empty for none.
    pub mail: Option<String>,
    /// Another name to show.
    pub display_name: Option<String>,
    /// Whether the person may sign in.
    pub status: Option<UserStatus>,
    /// Another POSIX user number, 0 for none.
    pub uid_number: Option<i64>,
    /// Another POSIX group number, 0 for none.
    pub gid_number: Option<i64>,
    /// The roles, by everyday name or identifier, in place of all there are.
    pub roles: Option<Vec<String>>,
    /// What has to be stored for the change to be made.
    pub expected: Expected,
    /// Who says so.
    pub author: Author,
}

/// What the caller of a change has seen; what is absent is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The mail address, empty for none.
    pub mail: Option<String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// Whether the person may sign in.
    pub status: Option<UserStatus>,
    /// The roles, by everyday name or identifier, in any order.
    pub roles: Option<Vec<String>>,
}

impl Expected {
    /// Whether this is what is stored.
    pub(crate) fn is_stored(&self, person: &Person) -> bool {
        let is_blocked = |status: UserStatus| status == UserStatus::Blocked;
        let ids = |roles: &[String]| roles.iter().map(|role| role::id(role).to_owned()).collect::<BTreeSet<_>>();
        self.mail.as_ref().is_none_or(|mail| *mail == person.mail)
            && self.display_name.as_ref().is_none_or(|name| *name == person.display_name)
            && self.status.is_none_or(|status| is_blocked(status) == is_blocked(person.status))
            && self.roles.as_ref().is_none_or(|roles| ids(roles) == ids(&person.roles))
    }
}

/// Says which person is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonRef {
    /// The one with this identifier.
    Id(String),
    /// The one with this login name, regardless of case.
    Username(String),
}

impl PersonRef {
    /// The identifier or the login name, as it was given.
    pub fn text(&self) -> &str {
        match self {
            Self::Id(text) | Self::Username(text) => text,
        }
    }
}

/// Says which group is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupRef {
    /// The one with this identifier.
    Id(String),
    /// The one with this name, regardless of case.
    Name(String),
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// The most entries to answer; 0 for the usual hundred, at most a thousand.
    pub size: u32,
    /// [`Page::next`] of the page before; empty for the first page.
    pub token: String,
}

/// Part of a list, in the order of names. Walking through all pages meets everything that was there all the while exactly
/// once, whatever is added or removed meanwhile.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// What to ask the next page with; `None` on the last page.
    pub next: Option<String>,
}

/// The everyday name of a role, or its identifier if it has none.
pub fn role_name(id: &str) -> &str {
    ["admin", "spaceadmin", "user", "guest"].into_iter().find(|name| authn::role::id(name) == id).unwrap_or(id)
}
