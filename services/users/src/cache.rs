//! The users that were read, while all changes of them are known, or for a moment while the database is away.
//!
//! A write that has been acknowledged is seen by the next question: whoever writes forgets what it affected when it is done,
//! and what was read from the database before that is not kept any more ([`Cache::keep`]). So it is with the writes of others,
//! when this process learns of them.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use authn::{Groups, User};
use bounded_cache::{ARC, HeapSize, Lookups, MIB};
use moka::sync;
use store::MAX_STALENESS;
use tokio::sync::MutexGuard;

use crate::rules::fold;
use crate::store::Key;

/// How long what was read of a user is used at most.
const REMEMBERED_FOR: Duration = Duration::from_mins(15);
/// How many times more room users have than the names by which they are found, or their mail addresses.
const NAMES_SHARE: u64 = 6;
/// How many questions to the database can be under way.
const FLIGHTS: usize = 64;
/// How long another question is waited for; it may be waiting for a database that hangs.
const FLIGHT_PATIENCE: Duration = Duration::from_millis(250);

/// A person, as answers need it.
pub(crate) struct Known {
    /// When the database was asked.
    read: Instant,
    username: String,
    mail: String,
    full: Arc<User>,
    bare: Arc<User>,
}

impl HeapSize for Known {
    fn heap_size(&self) -> usize {
        let Self { read: _, username, mail, full, bare } = self;
        let bare = if Arc::ptr_eq(full, bare) { ARC } else { bare.heap_size() };
        username.heap_size() + mail.heap_size() + full.heap_size() + bare
    }
}

impl Known {
    /// A user that was read at this moment or later.
    pub(crate) fn new(full: User, read: Instant) -> Self {
        let (username, mail) = (fold(&full.username).into_owned(), fold(&full.mail).into_owned());
        let full = Arc::new(full);
        let bare = if full.groups.is_empty() {
            Arc::clone(&full)
        } else {
            Arc::new(User { groups: Vec::new(), ..User::clone(&full) })
        };
        Self { read, username, mail, full, bare }
    }

    /// Whether it is believed while changes by others are not known and the database does not answer.
    pub(crate) fn is_recent(&self) -> bool {
        self.read.elapsed() < MAX_STALENESS
    }

    pub(crate) fn user(&self, groups: Groups) -> Arc<User> {
        match groups {
            Groups::Include => Arc::clone(&self.full),
            Groups::Skip => Arc::clone(&self.bare),
        }
    }
}

/// What a person is remembered by.
pub(crate) enum Name<'a> {
    Id(&'a str),
    Username(Cow<'a, str>),
    Mail(Cow<'a, str>),
}

impl<'a> Name<'a> {
    /// Numbers are not remembered: they need not be one person's.
    pub(crate) fn of(key: Key<'a>) -> Option<Self> {
        match key {
            Key::Id(id) => Some(Self::Id(id)),
            Key::Username(name) => Some(Self::Username(fold(name))),
            Key::Mail(address) => Some(Self::Mail(fold(address))),
            Key::UidNumber(_) | Key::GidNumber(_) => None,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Id(text) => text,
            Self::Username(text) | Self::Mail(text) => text,
        }
    }
}

/// People by id, and ids by name and address.
pub(crate) struct Cache {
    people: sync::Cache<Arc<str>, Arc<Known>>,
    usernames: sync::Cache<String, Arc<str>>,
    mails: sync::Cache<String, Arc<str>>,
    lookups: Lookups,
    /// How many writes there were; changed while `keeping` is held.
    writes: AtomicU64,
    /// Held by who keeps something, and by who forgets something.
    keeping: Mutex<()>,
    flights: [tokio::sync::Mutex<()>; FLIGHTS],
    hasher: RandomState,
}

impl Cache {
    /// A cache of so many MiB of users, and a sixth of it, but at least one, for their names and for their mail addresses each.
    pub(crate) fn new(mebibytes: u64) -> Self {
        let users = mebibytes.saturating_mul(MIB);
        let names = (users / NAMES_SHARE).max(MIB);
        Self {
            people: bounded_cache::sync(users).time_to_live(REMEMBERED_FOR).build(),
            usernames: bounded_cache::sync(names).build(),
            mails: bounded_cache::sync(names).build(),
            lookups: Lookups::default(),
            writes: AtomicU64::default(),
            keeping: Mutex::default(),
            flights: [const { tokio::sync::Mutex::const_new(()) }; FLIGHTS],
            hasher: RandomState::new(),
        }
    }

    /// A person known by this name. A name or an address that is no longer the person's is no longer one for it.
    pub(crate) fn get(&self, name: &Name<'_>) -> Option<Arc<Known>> {
        self.lookups.counted(self.find(name))
    }

    /// How often users were known.
    pub(crate) fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    fn find(&self, name: &Name<'_>) -> Option<Arc<Known>> {
        match name {
            Name::Id(id) => self.people.get(*id),
            Name::Username(name) => {
                self.people.get(&self.usernames.get(name.as_ref())?).filter(|known| known.username == *name)
            }
            Name::Mail(address) => {
                self.people.get(&self.mails.get(address.as_ref())?).filter(|known| known.mail == *address)
            }
        }
    }

    /// Waits until no other lookup of this name is under way; `None` if that takes too long.
    pub(crate) async fn flight(&self, name: &Name<'_>) -> Option<MutexGuard<'_, ()>> {
        let hash = self.hasher.hash_one(name.text());
        let place = usize::try_from(hash % FLIGHTS as u64).unwrap_or_default();
        tokio::time::timeout(FLIGHT_PATIENCE, self.flights[place].lock()).await.ok()
    }

    /// How many writes there were, here or by others as far as they are known: to be asked before reading what is to be kept.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Keeps what was read, unless something was written since: then it may be outdated already.
    pub(crate) fn keep(&self, known: &Arc<Known>, before: u64) {
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if self.writes() != before {
            return;
        }
        let id: Arc<str> = known.full.id.opaque_id.as_str().into();
        self.usernames.insert(known.username.clone(), Arc::clone(&id));
        if !known.mail.is_empty() {
            self.mails.insert(known.mail.clone(), Arc::clone(&id));
        }
        self.people.insert(id, Arc::clone(known));
    }

    /// Forgets whoever is known by this name: the database says that there is no such person.
    pub(crate) fn forget(&self, name: &Name<'_>) {
        if let Some(known) = self.find(name) {
            self.forget_users(&AffectedUsers::One(known.full.id.opaque_id.clone()));
        }
    }

    /// Forgets the users that a write has affected.
    pub(crate) fn forget_users(&self, affected: &AffectedUsers) {
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        match affected {
            AffectedUsers::One(id) => self.people.invalidate(id.as_str()),
            AffectedUsers::All => self.people.invalidate_all(),
        }
        // the number last: who has seen it must not find what is forgotten
        self.writes.fetch_add(1, Ordering::SeqCst);
    }

    /// Forgets the users that a write affects, once the answer is dropped, however the write ended.
    pub(crate) fn forgetting(self: Arc<Self>, affected: AffectedUsers) -> Forgetting {
        Forgetting { cache: self, affected }
    }
}

/// The users that a write affects.
#[derive(Debug, Clone)]
pub(crate) enum AffectedUsers {
    /// One user.
    One(String),
    /// All, as when a group is deleted.
    All,
}

/// A write that is under way.
pub(crate) struct Forgetting {
    cache: Arc<Cache>,
    affected: AffectedUsers,
}

impl Drop for Forgetting {
    fn drop(&mut self) {
        self.cache.forget_users(&self.affected);
    }
}

#[cfg(test)]
mod tests {
    use authn::UserId;

    use super::*;

    /// MiB.
    const SIZE: u64 = 6;

    fn marie(username: &str) -> Arc<Known> {
        let id = UserId { opaque_id: "1".to_owned(), ..UserId::default() };
        let (username, mail) = (username.to_owned(), "Marie@example.org".to_owned());
        let user = User { id, username, mail, groups: vec!["g".to_owned()], ..User::default() };
        Arc::new(Known::new(user, Instant::now()))
    }

    fn name(key: Key<'_>) -> Name<'_> {
        Name::of(key).expect("it is remembered")
    }

    #[test]
    fn a_person_is_known_by_all_names_until_a_write_touches_it() {
        let cache = Arc::new(Cache::new(SIZE));
        cache.keep(&marie("Marie"), cache.writes());
        for key in [Key::Id("1"), Key::Username("mARIE"), Key::Mail("marie@example.org")] {
            let known = cache.get(&name(key)).expect("it is known");
            assert_eq!((known.user(Groups::Include).groups.len(), known.user(Groups::Skip).groups.len()), (1, 0));
        }
        drop(Arc::clone(&cache).forgetting(AffectedUsers::One("1".to_owned())));
        for key in [Key::Id("1"), Key::Username("marie"), Key::Mail("marie@example.org")] {
            assert!(cache.get(&name(key)).is_none(), "{key:?}");
        }
    }

    #[test]
    fn users_in_many_groups_stay_within_the_bound() {
        let cache = Cache::new(SIZE);
        let groups: Vec<_> = (0..300).map(|number| format!("{number:036}")).collect();
        for number in 0..1_000 {
            let id = UserId { opaque_id: number.to_string(), ..UserId::default() };
            let username = format!("user-{number}");
            let user = User { id, username, groups: groups.clone(), ..User::default() };
            cache.keep(&Arc::new(Known::new(user, Instant::now())), cache.writes());
        }
        cache.people.run_pending_tasks();
        let bound = SIZE * MIB;
        assert!(cache.people.weighted_size() <= bound, "{}", cache.people.weighted_size());
        let most = bound / (300 * (24 + 36));
        assert!((1..most).contains(&cache.people.entry_count()), "{}", cache.people.entry_count());
    }

    #[test]
    fn names_have_a_sixth_of_the_memory_and_at_least_a_mebibyte() {
        for (size, names) in [(1, 1), (6, 1), (60, 10)] {
            let Cache { people, usernames, mails, .. } = Cache::new(size);
            let sizes = [people.policy(), usernames.policy(), mails.policy()].map(|policy| policy.max_capacity());
            assert_eq!(sizes, [size, names, names].map(|size| Some(size * MIB)));
        }
    }

    /// The number in docs/memory.md and of the setting.
    #[test]
    fn mebibyte_is_enough_for_four_hundred_users() {
        let cache = Cache::new(SIZE);
        for number in 0..10_000 {
            let id = UserId {
                idp: "https://cloud.example.org".to_owned(),
                opaque_id: format!("{number:036}"),
                ..UserId::default()
            };
            let username = format!("firstname.{number}");
            let mail = format!("{username}@example.org");
            let (groups, roles) = (vec!["g".repeat(36); 3], vec!["r".repeat(36)]);
            let display_name = "Firstname Lastname".to_owned();
            let user = User { id, username, mail, display_name, groups, ..User::default() }.with_roles(roles);
            cache.keep(&Arc::new(Known::new(user, Instant::now())), cache.writes());
        }
        let Cache { people, usernames, mails, .. } = &cache;
        people.run_pending_tasks();
        let names = [usernames, mails].map(|names| {
            names.run_pending_tasks();
            names.entry_count() / SIZE
        });
        let users = people.entry_count() / SIZE;
        assert!((500..900).contains(&users), "{users}");
        assert!(names.iter().all(|names| (350..500).contains(names)), "{names:?}");
    }

    #[test]
    fn what_was_read_before_a_write_is_not_kept() {
        let cache = Arc::new(Cache::new(SIZE));
        let before = cache.writes();
        drop(Arc::clone(&cache).forgetting(AffectedUsers::All));
        cache.keep(&marie("marie"), before);
        assert!(cache.get(&name(Key::Id("1"))).is_none());
    }

    #[test]
    fn a_former_name_matches_no_user() {
        let cache = Arc::new(Cache::new(SIZE));
        cache.keep(&marie("marie"), cache.writes());
        drop(Arc::clone(&cache).forgetting(AffectedUsers::One("1".to_owned())));
        cache.keep(&marie("sklodowska"), cache.writes());
        assert!(cache.get(&name(Key::Username("marie"))).is_none());
        assert!(cache.get(&name(Key::Username("sklodowska"))).is_some());
    }
}
