//! What the directory knows by heart: while this process is the only writer, or for a moment while the database is away.
//!
//! A write that has been acknowledged is seen by the next question: whoever writes forgets what it affected when it is done,
//! and what was read from the database before that is not kept any more ([`Cache::keep`]).

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use authn::{Groups, User};
use bounded_cache::{ARC, HeapSize, MIB};
use moka::sync;
use store::MAX_STALENESS;
use tokio::sync::MutexGuard;

use crate::rules::fold;
use crate::store::Key;

/// The bound of the people that are kept, in bytes.
const PEOPLE_BOUND: u64 = 6 * MIB;
/// The bound of the names by which they are found, and that of the mail addresses, in bytes.
const NAMES_BOUND: u64 = MIB;
/// How many questions to the database can be under way.
const FLIGHTS: usize = 64;

/// A person, as answers need it.
pub(crate) struct Known {
    /// When it was read.
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
    pub(crate) fn new(full: User) -> Self {
        let (username, mail, read) = (fold(&full.username).into_owned(), fold(&full.mail).into_owned(), Instant::now());
        let full = Arc::new(full);
        let bare = if full.groups.is_empty() {
            Arc::clone(&full)
        } else {
            Arc::new(User { groups: Vec::new(), ..User::clone(&full) })
        };
        Self { read, username, mail, full, bare }
    }

    /// Whether it is believed where others write too, while the database does not answer.
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
    /// How many writes there were; changed while `keeping` is held.
    writes: AtomicU64,
    /// Held by who keeps something, and by who forgets something.
    keeping: Mutex<()>,
    flights: [tokio::sync::Mutex<()>; FLIGHTS],
    hasher: RandomState,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            people: bounded_cache::sync(PEOPLE_BOUND).build(),
            usernames: bounded_cache::sync(NAMES_BOUND).build(),
            mails: bounded_cache::sync(NAMES_BOUND).build(),
            writes: AtomicU64::default(),
            keeping: Mutex::default(),
            flights: [const { tokio::sync::Mutex::const_new(()) }; FLIGHTS],
            hasher: RandomState::new(),
        }
    }
}

impl Cache {
    /// A person known by this name. A name or an address that is no longer the person's is no longer one for it.
    pub(crate) fn get(&self, name: &Name<'_>) -> Option<Arc<Known>> {
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

    /// Waits until no other lookup of this name is under way.
    pub(crate) async fn flight(&self, name: &Name<'_>) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one(name.text());
        let place = usize::try_from(hash % FLIGHTS as u64).unwrap_or_default();
        self.flights[place].lock().await
    }

    /// How many writes there were: to be asked before reading what is to be kept.
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
    pub(crate) fn forget(self: &Arc<Self>, name: &Name<'_>) {
        if let Some(known) = self.get(name) {
            drop(Arc::clone(self).forgetting(AffectedUsers::One(known.full.id.opaque_id.clone())));
        }
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
        let _keeping = self.cache.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.cache.writes.fetch_add(1, Ordering::SeqCst);
        match &self.affected {
            AffectedUsers::One(id) => self.cache.people.invalidate(id.as_str()),
            AffectedUsers::All => self.cache.people.invalidate_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use authn::UserId;

    use super::*;

    fn marie(username: &str) -> Arc<Known> {
        let id = UserId { opaque_id: "1".to_owned(), ..UserId::default() };
        let (username, mail) = (username.to_owned(), "Marie@example.org".to_owned());
        Arc::new(Known::new(User { id, username, mail, groups: vec!["g".to_owned()], ..User::default() }))
    }

    fn name(key: Key<'_>) -> Name<'_> {
        Name::of(key).expect("it is remembered")
    }

    #[test]
    fn a_person_is_known_by_all_names_until_a_write_touches_it() {
        let cache = Arc::new(Cache::default());
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
        let cache = Cache::default();
        let groups: Vec<_> = (0..300).map(|number| format!("{number:036}")).collect();
        for number in 0..1_000 {
            let id = UserId { opaque_id: number.to_string(), ..UserId::default() };
            let username = format!("user-{number}");
            let user = User { id, username, groups: groups.clone(), ..User::default() };
            cache.keep(&Arc::new(Known::new(user)), cache.writes());
        }
        cache.people.run_pending_tasks();
        assert!(cache.people.weighted_size() <= PEOPLE_BOUND, "{}", cache.people.weighted_size());
        let most = PEOPLE_BOUND / (300 * (24 + 36));
        assert!((1..most).contains(&cache.people.entry_count()), "{}", cache.people.entry_count());
    }

    #[test]
    fn what_was_read_before_a_write_is_not_kept() {
        let cache = Arc::new(Cache::default());
        let before = cache.writes();
        drop(Arc::clone(&cache).forgetting(AffectedUsers::All));
        cache.keep(&marie("marie"), before);
        assert!(cache.get(&name(Key::Id("1"))).is_none());
    }

    #[test]
    fn a_former_name_matches_no_user() {
        let cache = Arc::new(Cache::default());
        cache.keep(&marie("marie"), cache.writes());
        drop(Arc::clone(&cache).forgetting(AffectedUsers::One("1".to_owned())));
        cache.keep(&marie("sklodowska"), cache.writes());
        assert!(cache.get(&name(Key::Username("marie"))).is_none());
        assert!(cache.get(&name(Key::Username("sklodowska"))).is_some());
    }
}
