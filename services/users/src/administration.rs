//! Administration of users and groups, for the administration API and for commands while the services are stopped.

mod mail_change;
mod profiles;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use runtime::{Clock, Random};
use store::StoreError;
use tracing::Instrument;

use crate::cache::{AffectedUsers, Cache};
use crate::change_sync::ChangeSync;
use crate::store::{GroupKey, Key, PageRange, UserStore};
use crate::{Author, Change, Group, GroupRef, NewPerson, Page, PageRequest, PeopleError, Person, PersonRef, rules};

/// Entries of a page when nothing is said.
const PAGE: u32 = 100;
/// Most entries of a page.
const MAX_PAGE: u32 = 1_000;
/// How far the clock of the service that changes passwords may be ahead of ours.
const AHEAD: Duration = Duration::from_hours(1);

/// Administers people and groups. What it acknowledged is on disk, and seen by the very next question to the directory.
pub struct Administration {
    pub(crate) people: Arc<UserStore>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) change_sync: Arc<ChangeSync>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    /// Whether users may change their mail address by a link that is sent to the new one.
    pub(crate) may_users_change_mail: bool,
}

impl Administration {
    /// Creates an account, which is active at once.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`], or [`PeopleError::Taken`] if another account has the id, the username or the mail address.
    pub async fn create_person(&self, new: NewPerson) -> Result<Person, PeopleError> {
        rules::username(&new.username)?;
        let display_name = if new.display_name.is_empty() { new.username.clone() } else { new.display_name };
        check(Some(&new.mail), Some(&display_name), [Some(new.uid_number), Some(new.gid_number)])?;
        let (now, author) = (self.now(), new.author);
        let person = Person {
            id: new.id.map_or_else(|| Ok(self.random.uuid().to_string()), |id| rules::id(&id))?,
            username: new.username,
            mail: new.mail,
            display_name,
            status: authn::UserStatus::Active,
            uid_number: new.uid_number,
            gid_number: new.gid_number,
            roles: rules::roles(&new.roles)?,
            groups: Vec::new(),
            created: now,
            updated: now,
            password_changed: None,
        };
        let people = Arc::clone(&self.people);
        self.write(
            AffectedUsers::One(person.id.clone()),
            async move { people.add(&person, author).await.map(|()| person) },
        )
        .await
    }

    /// One person.
    pub async fn person(&self, who: &PersonRef) -> Result<Person, PeopleError> {
        if !rules::is_storable(who.text()) {
            return Err(PeopleError::NoSuchPerson);
        }
        let key = match who {
            PersonRef::Id(id) => Key::Id(id),
            PersonRef::Username(name) => Key::Username(name),
        };
        self.people.find(key).await?.pop().ok_or(PeopleError::NoSuchPerson)
    }

    /// The login names of the people with these identifiers, by them. Those who are not there are left out.
    pub async fn usernames(&self, ids: &[String]) -> Result<BTreeMap<String, String>, PeopleError> {
        let ids: Vec<_> = ids.iter().map(String::as_str).filter(|id| rules::is_storable(id)).collect();
        self.people.usernames(&ids).await
    }

    /// Changes a person.
    pub async fn update_person(&self, who: &PersonRef, mut change: Change) -> Result<Person, PeopleError> {
        change.username.as_deref().map(rules::username).transpose()?;
        check(change.mail.as_deref(), change.display_name.as_deref(), [change.uid_number, change.gid_number])?;
        change.roles = change.roles.as_deref().map(rules::roles).transpose()?;
        let (id, now) = (self.person(who).await?.id, self.now());
        let people = Arc::clone(&self.people);
        self.write(AffectedUsers::One(id.clone()), async move { people.change(&id, &change, now).await }).await
    }

    /// Notes that the password of the person with this identifier was changed: then, or now if that lies in the future. An earlier
    /// time than the one noted changes nothing.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`] if it is far in the future: then one of the clocks is wrong.
    pub async fn note_password_change(&self, id: &str, at: SystemTime) -> Result<(), PeopleError> {
        let now = self.clock.now();
        let at = not_ahead(at, now)?;
        if !rules::is_storable(id) {
            return Err(PeopleError::NoSuchPerson);
        }
        let (people, id) = (Arc::clone(&self.people), id.to_owned());
        self.write(AffectedUsers::One(id.clone()), async move { people.note_password_change(&id, at, now).await }).await
    }

    /// Removes a person, and with it its memberships and roles. Answers who it was.
    ///
    /// # Errors
    /// [`PeopleError::LastAdministrator`], unless the author is the operator.
    pub async fn delete_person(&self, who: &PersonRef, author: Author) -> Result<Person, PeopleError> {
        let person = self.person(who).await?;
        let people = Arc::clone(&self.people);
        let affected = AffectedUsers::One(person.id.clone());
        self.write(affected, async move { people.remove(&person.id, author).await.map(|()| person) }).await
    }

    /// People in whose username, display name or mail address the text stands, regardless of case; all if it is empty.
    pub async fn list_people(&self, text: &str, page: &PageRequest) -> Result<Page<Person>, PeopleError> {
        if !rules::is_storable(text) {
            return Ok(Page { entries: Vec::new(), next: None });
        }
        let (after, limit) = page_range(page)?;
        let found = self.people.search(&[text], PageRange { after: &after, limit: limit + 1 }).await?;
        Ok(cut(found, limit, |person| &person.username))
    }

    /// Makes a group without members; `id` is a UUID, for groups that come from elsewhere.
    pub async fn create_group(
        &self,
        name: &str,
        description: Option<&str>,
        id: Option<&str>,
    ) -> Result<Group, PeopleError> {
        rules::group_name(name)?;
        description.map(rules::description).transpose()?;
        let id = id.map_or_else(|| Ok(self.random.uuid().to_string()), rules::id)?;
        let description = description.map(ToOwned::to_owned);
        let group = Group { id, name: name.to_owned(), description, member_count: 0 };
        self.people.add_group(&group).await?;
        Ok(group)
    }

    /// One group.
    pub async fn group(&self, which: &GroupRef) -> Result<Group, PeopleError> {
        let (key, text) = match which {
            GroupRef::Id(id) => (GroupKey::Id(id), id),
            GroupRef::Name(name) => (GroupKey::Name(name), name),
        };
        if !rules::is_storable(text) {
            return Err(PeopleError::NoSuchGroup);
        }
        self.people.group(key).await?.ok_or(PeopleError::NoSuchGroup)
    }

    /// Gives a group another name.
    pub async fn rename_group(&self, which: &GroupRef, name: &str) -> Result<Group, PeopleError> {
        rules::group_name(name)?;
        let group = Group { name: name.to_owned(), ..self.group(which).await? };
        let people = Arc::clone(&self.people);
        self.write(AffectedUsers::All, async move { people.rename_group(&group.id, &group.name).await.map(|()| group) })
            .await
    }

    /// Removes a group; its members stay. Answers which it was.
    pub async fn delete_group(&self, which: &GroupRef) -> Result<Group, PeopleError> {
        let group = self.group(which).await?;
        let people = Arc::clone(&self.people);
        self.write(AffectedUsers::All, async move { people.remove_group(&group.id).await.map(|()| group) }).await
    }

    /// Groups in whose name the text stands, regardless of case; all if it is empty.
    pub async fn list_groups(&self, text: &str, page: &PageRequest) -> Result<Page<Group>, PeopleError> {
        if !rules::is_storable(text) {
            return Ok(Page { entries: Vec::new(), next: None });
        }
        let (after, limit) = page_range(page)?;
        let found = self.people.groups(text, PageRange { after: &after, limit: limit + 1 }).await?;
        Ok(cut(found, limit, |group| &group.name))
    }

    /// Puts a person into a group; `false` if it was in it already.
    pub async fn add_member(&self, which: &GroupRef, who: &PersonRef) -> Result<bool, PeopleError> {
        let (group, person) = (self.group(which).await?.id, self.person(who).await?.id);
        let people = Arc::clone(&self.people);
        self.write(AffectedUsers::One(person.clone()), async move { people.add_member(&group, &person).await }).await
    }

    /// Takes a person out of a group; `false` if it was not in it.
    pub async fn remove_member(&self, which: &GroupRef, who: &PersonRef) -> Result<bool, PeopleError> {
        let (group, person) = (self.group(which).await?.id, self.person(who).await?.id);
        let people = Arc::clone(&self.people);
        self.write(AffectedUsers::One(person.clone()), async move { people.remove_member(&group, &person).await }).await
    }

    /// The people in a group.
    pub async fn list_members(&self, which: &GroupRef, page: &PageRequest) -> Result<Page<Person>, PeopleError> {
        let group = self.group(which).await?;
        let (after, limit) = page_range(page)?;
        let found = self.people.members(&group.id, PageRange { after: &after, limit: limit + 1 }).await?;
        Ok(cut(found, limit, |person| &person.username))
    }

    /// Writes in a task of its own: a caller that gives up in the middle must not leave the directory with what was true
    /// before a write that is about to succeed.
    async fn write<T: Send + 'static>(
        &self,
        affected: AffectedUsers,
        work: impl Future<Output = Result<T, PeopleError>> + Send + 'static,
    ) -> Result<T, PeopleError> {
        let forgetting = Arc::clone(&self.cache).forgetting(affected);
        let change_sync = Arc::clone(&self.change_sync);
        let task = async move {
            let _forgetting = forgetting;
            let outcome = work.await;
            // whatever it is: a write whose end was not seen may be committed
            change_sync.announce();
            outcome
        };
        let outcome = tokio::spawn(task.in_current_span()).await;
        outcome.unwrap_or_else(|_| Err(StoreError::internal("the write was broken off").into()))
    }

    fn now(&self) -> i64 {
        let since = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}

fn check(mail: Option<&str>, display_name: Option<&str>, numbers: [Option<i64>; 2]) -> Result<(), PeopleError> {
    mail.map(rules::mail).transpose()?;
    display_name.map(rules::display_name).transpose()?;
    numbers.into_iter().flatten().try_for_each(rules::posix_number)
}

/// After which name a page begins, and how long it is.
fn page_range(page: &PageRequest) -> Result<(String, u64), PeopleError> {
    Ok((decode_page_token(&page.token)?, page_size(page)))
}

/// After what a page begins: [`encode_page_token`] in reverse.
pub(crate) fn decode_page_token(token: &str) -> Result<String, PeopleError> {
    let after = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let after = after.filter(|after| rules::is_storable(after));
    after.ok_or_else(|| PeopleError::Invalid("the page token is not one of ours".to_owned()))
}

/// The token of the page that begins after this.
pub(crate) fn encode_page_token(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(after)
}

/// The time of a change by the clock of another service, or `now` if that is a bit ahead of ours.
///
/// # Errors
/// [`PeopleError::Invalid`] if it is far in the future: then one of the clocks is wrong.
pub(crate) fn not_ahead(at: SystemTime, now: SystemTime) -> Result<SystemTime, PeopleError> {
    if at.duration_since(now).is_ok_and(|ahead| ahead > AHEAD) {
        return Err(PeopleError::Invalid("the time lies in the future".to_owned()));
    }
    Ok(at.min(now))
}

/// The most entries of a page.
pub(crate) fn page_size(page: &PageRequest) -> u64 {
    u64::from(if page.size == 0 { PAGE } else { page.size.min(MAX_PAGE) })
}

/// One entry more than the page holds was read: it shows that there is another page.
fn cut<T>(mut entries: Vec<T>, limit: u64, name: impl Fn(&T) -> &str) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more);
    let next = last.map(|entry| encode_page_token(&rules::fold(name(entry))));
    Page { entries, next }
}
