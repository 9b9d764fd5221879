//! Which sessions have ended at their issuers, in memory and no longer than tokens of theirs can be good.

use std::collections::{HashMap, VecDeque};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};

use crate::claims::Claims;

#[cfg(test)]
mod tests;

/// The most that is kept one by one, some 12 MiB. What comes on top of it takes the place of what came first; of that it is remembered that
/// something had ended.
const MOST: usize = 50_000;
/// How long an end is kept at least.
const AT_LEAST: Duration = Duration::from_hours(24);
/// How long at most, however long tokens live.
const AT_MOST: Duration = Duration::from_hours(24 * 31);

/// The end of a session, or of all sessions of a person, as an issuer told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// The issuer.
    pub issuer: String,
    /// Whose session.
    pub subject: Option<String>,
    /// Which; all of the person's if it does not say.
    pub session: Option<String>,
    /// When.
    pub at: SystemTime,
}

/// How a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known against it.
    Good,
    /// Its session has ended.
    Over,
    /// Something ended at this time that it may belong to: what its issuer said before does not count.
    AskedBefore(SystemTime),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Name([u8; 32]);

/// What ended, or may have.
#[derive(Clone, Copy)]
enum What {
    /// The session itself.
    Session,
    /// All sessions of a person.
    Person,
    /// One session of a person.
    OneOfPerson,
    /// One session of anybody.
    OneOfAnybody,
    /// A logout token was seen.
    Message,
    /// Something of this issuer.
    Issuer,
}

impl Name {
    fn new(what: What, issuer: &str, name: &str) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(&[what as u8]);
        hash.update(&u64::try_from(issuer.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(issuer.as_bytes());
        hash.update(name.as_bytes());
        let mut name = [0; 32];
        name.copy_from_slice(hash.finish().as_ref());
        Self(name)
    }

    fn issuer(name: &str) -> Issuer {
        let mut issuer = Issuer::default();
        let Self(hash) = Self::new(What::Issuer, name, "");
        issuer.iter_mut().zip(hash).for_each(|(byte, of_hash)| *byte = of_hash);
        issuer
    }
}

struct Entry {
    at: SystemTime,
    until: SystemTime,
    /// By whom something ended; `None` for a message, which may be forgotten: it would only end the same once more.
    issuer: Option<Issuer>,
}

/// What an issuer is known by here.
type Issuer = [u8; 8];

/// When the last end was that had to make room, and until when that is remembered.
#[derive(Clone, Copy)]
struct Forgotten {
    at: SystemTime,
    until: SystemTime,
}

#[derive(Default)]
struct Ended {
    entries: HashMap<Name, Entry>,
    /// In the order they came.
    order: VecDeque<Name>,
    /// By issuer, of which there are as many as are configured.
    forgotten: HashMap<Issuer, Forgotten>,
}

impl Ended {
    fn at(&self, name: Name, now: SystemTime) -> Option<SystemTime> {
        self.entries.get(&name).filter(|entry| now < entry.until).map(|entry| entry.at)
    }

    fn put(&mut self, name: Name, new: Entry, now: SystemTime) {
        if let Some(entry) = self.entries.get_mut(&name) {
            (entry.at, entry.until) = (entry.at.max(new.at), entry.until.max(new.until));
            return;
        }
        self.make_room(now);
        self.entries.insert(name, new);
        self.order.push_back(name);
    }

    fn make_room(&mut self, now: SystemTime) {
        while let Some(first) = self.order.front() {
            let is_over = self.entries.get(first).is_none_or(|entry| entry.until <= now);
            if !is_over && self.entries.len() < MOST {
                return;
            }
            if let Some(Entry { at, until, issuer: Some(issuer) }) = self.entries.remove(first)
                && !is_over
            {
                let forgotten = self.forgotten.entry(issuer).or_insert(Forgotten { at, until });
                (forgotten.at, forgotten.until) = (forgotten.at.max(at), forgotten.until.max(until));
            }
            self.order.pop_front();
        }
    }

    /// Until when something of this issuer may have ended of which nothing more is known.
    fn forgotten(&self, issuer: &str, now: SystemTime) -> Option<SystemTime> {
        if self.forgotten.is_empty() {
            return None;
        }
        self.forgotten
            .get(&Name::issuer(issuer))
            .filter(|forgotten| now < forgotten.until)
            .map(|forgotten| forgotten.at)
    }
}

/// The ended sessions.
#[derive(Default)]
pub struct Sessions(RwLock<Ended>);

impl Sessions {
    /// Notes an end, for as long as a token can be good that was issued before. `longest` is how long tokens of the issuer live.
    pub fn end(&self, logout: &Logout, longest: Duration, now: SystemTime) {
        let until = now + longest.clamp(AT_LEAST, AT_MOST);
        let Logout { issuer, subject, session, at } = logout;
        let mut ended = self.write();
        let by = Some(Name::issuer(issuer));
        let mut put =
            |what, name: &str, at| ended.put(Name::new(what, issuer, name), Entry { at, until, issuer: by }, now);
        match (session, subject) {
            (Some(session), Some(subject)) => {
                put(What::Session, session, *at);
                put(What::OneOfPerson, subject, now);
            }
            (Some(session), None) => {
                put(What::Session, session, *at);
                put(What::OneOfAnybody, "", now);
            }
            (None, Some(subject)) => put(What::Person, subject, *at),
            (None, None) => {}
        }
    }

    /// Whether a message of this name comes for the first time; it is kept until then.
    pub fn is_new(&self, issuer: &str, message: &str, until: SystemTime, now: SystemTime) -> bool {
        let name = Name::new(What::Message, issuer, message);
        let mut ended = self.write();
        if ended.at(name, now).is_some() {
            return false;
        }
        ended.put(name, Entry { at: now, until, issuer: None }, now);
        true
    }

    /// How a token stands whose issuer has said this.
    pub fn standing(&self, issuer: &str, claims: &Claims, now: SystemTime) -> Standing {
        let ended = self.read();
        if ended.entries.is_empty() && ended.forgotten.is_empty() {
            return Standing::Good;
        }
        let at = |what, name: &str| ended.at(Name::new(what, issuer, name), now);
        if let Some(session) = &claims.session
            && at(What::Session, session).is_some()
        {
            return Standing::Over;
        }
        // of an end that had to make room it is not known whose it was: a token that was issued before may be of that session
        let person = at(What::Person, &claims.subject).max(ended.forgotten(issuer, now));
        match (person, claims.issued) {
            // to the second, as tokens say it: one of the same second is taken for an earlier one
            (Some(end), Some(made)) if made <= end => return Standing::Over,
            (Some(end), None) => return Standing::AskedBefore(end),
            _ => {}
        }
        if claims.session.is_some() {
            return Standing::Good;
        }
        let one = at(What::OneOfPerson, &claims.subject).max(at(What::OneOfAnybody, ""));
        one.map_or(Standing::Good, Standing::AskedBefore)
    }

    fn read(&self) -> RwLockReadGuard<'_, Ended> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ended> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
