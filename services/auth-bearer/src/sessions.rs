//! Records which sessions have ended at their issuers, in memory and no longer than their tokens can be valid.

use std::collections::{HashMap, VecDeque};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use crate::claims::Claims;
use crate::derived_id::derive_bytes;

#[cfg(test)]
mod tests;

/// The most ends that are kept one by one, about 12 MiB. Beyond that the oldest are evicted; of these it is only kept that some
/// session of the issuer had ended.
const MOST: usize = 50_000;
/// The least time for which an end is kept.
const AT_LEAST: Duration = Duration::from_hours(24);
/// The longest, whatever the lifetime of tokens.
const AT_MOST: Duration = Duration::from_hours(24 * 31);

/// The end of a session, or of all sessions of a user, as an issuer reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// The issuer.
    pub issuer: String,
    /// The user.
    pub subject: Option<String>,
    /// The session; `None` for all sessions of the user.
    pub session: Option<String>,
    /// When.
    pub at: SystemTime,
}

/// The status of a token's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStatus {
    /// No end is known.
    Active,
    /// Its session has ended.
    Ended,
    /// A session that it may belong to ended at this time: earlier results of its issuer are not used.
    MayHaveEnded(SystemTime),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Name([u8; 32]);

/// What has ended.
#[derive(Clone, Copy)]
enum What {
    /// A session, by its `sid`.
    Session,
    /// All sessions of a user.
    Person,
    /// One session of a user, for tokens without `sid`.
    OneOfPerson,
    /// One session of an unknown user, for tokens without `sid`.
    OneOfAnybody,
    /// A logout token, by its `jti`.
    Message,
    /// Any session of the issuer.
    Issuer,
}

impl Name {
    fn new(what: What, issuer: &str, name: &str) -> Self {
        Self(derive_bytes(&[what as u8], issuer, name))
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
    /// The issuer; `None` for a logout token, which may be evicted, as a replay only ends the same session again.
    issuer: Option<Issuer>,
}

/// The truncated hash of an issuer's name.
type Issuer = [u8; 8];

/// The time of the newest evicted end, and until when it is kept.
#[derive(Clone, Copy)]
struct Forgotten {
    at: SystemTime,
    until: SystemTime,
}

#[derive(Default)]
struct Ended {
    entries: HashMap<Name, Entry>,
    /// The keys in order of insertion.
    order: VecDeque<Name>,
    /// By issuer; bounded by the number of configured issuers.
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

    /// The time of the newest evicted end of this issuer, if it is still kept.
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

/// The record of ended sessions.
#[derive(Default)]
pub struct Sessions(RwLock<Ended>);

impl Sessions {
    /// Records an end for as long as a token from before can be valid. `longest` is the longest lifetime of the issuer's tokens.
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

    /// Whether a `jti` is received for the first time; it is kept until `until`.
    pub fn is_new(&self, issuer: &str, message: &str, until: SystemTime, now: SystemTime) -> bool {
        let name = Name::new(What::Message, issuer, message);
        let mut ended = self.write();
        if ended.at(name, now).is_some() {
            return false;
        }
        ended.put(name, Entry { at: now, until, issuer: None }, now);
        true
    }

    /// The status of the session of a token with these claims.
    pub fn status(&self, issuer: &str, claims: &Claims, now: SystemTime) -> SessionStatus {
        let ended = self.read();
        if ended.entries.is_empty() && ended.forgotten.is_empty() {
            return SessionStatus::Active;
        }
        let at = |what, name: &str| ended.at(Name::new(what, issuer, name), now);
        if let Some(session) = &claims.session
            && at(What::Session, session).is_some()
        {
            return SessionStatus::Ended;
        }
        // the session of an evicted end is no longer known: a token that was issued before may belong to it
        let person = at(What::Person, &claims.subject).max(ended.forgotten(issuer, now));
        match (person, claims.issued) {
            // tokens state seconds: one of the same second is treated as an earlier one
            (Some(end), Some(made)) if made <= end => return SessionStatus::Ended,
            (Some(end), None) => return SessionStatus::MayHaveEnded(end),
            _ => {}
        }
        if claims.session.is_some() {
            return SessionStatus::Active;
        }
        let one = at(What::OneOfPerson, &claims.subject).max(at(What::OneOfAnybody, ""));
        one.map_or(SessionStatus::Active, SessionStatus::MayHaveEnded)
    }

    fn read(&self) -> RwLockReadGuard<'_, Ended> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ended> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
