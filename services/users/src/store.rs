//! Where people and groups are kept.

mod groups;
mod sql;

use std::time::SystemTime;

use async_trait::async_trait;

pub(crate) use sql::SqlPeople;

use crate::{Author, Change, Group, PeopleError, Person};

/// By what people are looked for. Names and addresses are compared as logins are (RFC 8265): regardless of case, width and
/// composition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    Id(&'a str),
    Username(&'a str),
    Mail(&'a str),
    UidNumber(i64),
    GidNumber(i64),
}

/// By what a group is looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupKey<'a> {
    Id(&'a str),
    Name(&'a str),
}

/// A stretch of a list in the order of names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch<'a> {
    /// The folded name after which it begins; empty to begin at the first.
    pub(crate) after: &'a str,
    /// The most entries.
    pub(crate) limit: u64,
}

/// People and groups that outlive the process. A method that writes is atomic and on disk when it returns.
#[async_trait]
pub(crate) trait People: Send + Sync {
    /// Whom the key fits, at most two: enough to see that it is not one.
    async fn find(&self, key: Key<'_>) -> Result<Vec<Person>, PeopleError>;
    /// People in whose login name, display name or mail address every one of the texts stands, regardless of case.
    async fn search(&self, texts: &[&str], stretch: Stretch<'_>) -> Result<Vec<Person>, PeopleError>;
    /// Adds a person who is in no group.
    async fn add(&self, person: &Person, author: Author) -> Result<(), PeopleError>;
    /// Changes a person, at the time `now` in seconds since the Unix epoch, and answers what came of it.
    async fn change(&self, id: &str, change: &Change, now: i64) -> Result<Person, PeopleError>;
    /// Notes when a person's password was changed, unless a later change is noted already. One that lies in the future of `now`,
    /// as the clock was corrected since, is followed by this one directly.
    async fn note_password_change(&self, id: &str, at: SystemTime, now: SystemTime) -> Result<(), PeopleError>;
    /// Removes a person from all groups and altogether.
    async fn remove(&self, id: &str) -> Result<(), PeopleError>;

    /// The group whom the key fits.
    async fn group(&self, key: GroupKey<'_>) -> Result<Option<Group>, PeopleError>;
    /// Groups in whose name the text stands, regardless of case.
    async fn groups(&self, text: &str, stretch: Stretch<'_>) -> Result<Vec<Group>, PeopleError>;
    /// Adds a group without members.
    async fn add_group(&self, group: &Group) -> Result<(), PeopleError>;
    /// Gives a group another name.
    async fn rename_group(&self, id: &str, name: &str) -> Result<(), PeopleError>;
    /// Removes a group; its members stay.
    async fn remove_group(&self, id: &str) -> Result<(), PeopleError>;
    /// Puts a person into a group; `false` if it was in it.
    async fn add_member(&self, group: &str, person: &str) -> Result<bool, PeopleError>;
    /// Takes a person out of a group; `false` if it was not in it.
    async fn remove_member(&self, group: &str, person: &str) -> Result<bool, PeopleError>;
    /// The people in a group.
    async fn members(&self, group: &str, stretch: Stretch<'_>) -> Result<Vec<Person>, PeopleError>;
}
