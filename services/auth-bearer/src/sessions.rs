//! Which sessions have ended at their issuers, in memory and no longer than their tokens can be valid. Each replica reads them from the
//! database ([`Logouts`](crate::logouts::Logouts)).

use std::collections::{HashMap, VecDeque};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use crypto::FINGERPRINT_LEN;

use crate::claims::Claims;
use crate::derived_id::derive_bytes;

#[cfg(test)]
mod tests;

/// The most ends that are kept one by one, about 12 MiB. Beyond that the oldest are evicted; of these it is only kept that some
/// session of the issuer had ended.
const MOST: usize = 50_000;
/// The least time for which an end is kept.
const AT_LEAST: Duration = Duration::from_hours(24);
/// The longest, whatever the lifetime of tokens, and where it is not known yet.
pub const AT_MOST: Duration = Duration::from_hours(24 * 31);

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

/// The SHA-256 of what has ended: neither users nor sessions can be read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub [u8; FINGERPRINT_LEN]);

/// Something that has ended, as it is stored and remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// What has ended.
    pub name: Name,
    /// Whose it was.
    pub issuer: IssuerName,
    /// When.
    pub at: SystemTime,
    /// Until when it is remembered.
    pub until: SystemTime,
}

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
    /// Any session of any issuer.
    Everything,
}

impl Name {
    fn new(what: What, issuer: &str, name: &str) -> Self {
        Self(derive_bytes(&[what as u8], issuer, name))
    }

    /// The name of a logout token, by its `jti`.
    pub fn of_token(issuer: &str, jti: &str) -> Self {
        Self::new(What::Message, issuer, jti)
    }

    /// The name of the end of all sessions of all issuers, which no issuer reports.
    pub fn everything() -> Self {
        Self::new(What::Everything, "", "")
    }

    fn issuer(name: &str) -> IssuerName {
        let mut issuer = IssuerName::default();
        let Self(hash) = Self::new(What::Issuer, name, "");
        issuer.iter_mut().zip(hash).for_each(|(byte, of_hash)| *byte = of_hash);
        issuer
    }
}

struct Entry {
    at: SystemTime,
    until: SystemTime,
    issuer: IssuerName,
}

/// The truncated hash of an issuer's name.
pub type IssuerName = [u8; 8];

/// The time of the newest end of any session, and until when it is kept.
#[derive(Clone, Copy)]
struct Cutoff {
    at: SystemTime,
    until: SystemTime,
}

impl Cutoff {
    /// With another end that counts too.
    fn with(self, other: Self) -> Self {
        Self { at: self.at.max(other.at), until: self.until.max(other.until) }
    }

    fn at(self, now: SystemTime) -> Option<SystemTime> {
        (now < self.until).then_some(self.at)
    }
}

#[derive(Default)]
struct Ended {
    entries: HashMap<Name, Entry>,
    /// The keys in order of insertion.
    order: VecDeque<Name>,
    /// Of evicted ends, by issuer; bounded by the number of configured issuers.
    forgotten: HashMap<IssuerName, Cutoff>,
    /// Of all issuers.
    everything: Option<Cutoff>,
}

impl Ended {
    fn at(&self, name: Name, now: SystemTime) -> Option<SystemTime> {
        self.entries.get(&name).filter(|entry| now < entry.until).map(|entry| entry.at)
    }

    fn note(&mut self, End { name, issuer, at, until }: End, now: SystemTime) {
        if name == Name::everything() {
            let cutoff = Cutoff { at, until };
            self.everything = Some(self.everything.map_or(cutoff, |known| known.with(cutoff)));
            return;
        }
        if let Some(entry) = self.entries.get_mut(&name) {
            (entry.at, entry.until) = (entry.at.max(at), entry.until.max(until));
            return;
        }
        self.make_room(now);
        self.entries.insert(name, Entry { at, until, issuer });
        self.order.push_back(name);
    }

    fn make_room(&mut self, now: SystemTime) {
        while let Some(first) = self.order.front() {
            let is_over = self.entries.get(first).is_none_or(|entry| entry.until <= now);
            if !is_over && self.entries.len() < MOST {
                return;
            }
            if let Some(Entry { at, until, issuer }) = self.entries.remove(first)
                && !is_over
            {
                let cutoff = Cutoff { at, until };
                let forgotten = self.forgotten.entry(issuer).or_insert(cutoff);
                *forgotten = forgotten.with(cutoff);
            }
            self.order.pop_front();
        }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.forgotten.is_empty() && self.everything.is_none()
    }

    /// The time of the newest end by which any session of this issuer may have ended.
    fn cutoff(&self, issuer: &str, now: SystemTime) -> Option<SystemTime> {
        let everything = self.everything.and_then(|cutoff| cutoff.at(now));
        if self.forgotten.is_empty() {
            return everything;
        }
        everything.max(self.forgotten.get(&Name::issuer(issuer)).and_then(|cutoff| cutoff.at(now)))
    }
}

/// What a logout ends, for as long as a token from before can be valid. `longest` is the longest lifetime of the issuer's tokens;
/// `None` if it is not known.
pub fn ends(logout: &Logout, longest: Option<Duration>, now: SystemTime) -> Vec<End> {
    let until = now + longest.unwrap_or(AT_MOST).clamp(AT_LEAST, AT_MOST);
    let Logout { issuer, subject, session, at } = logout;
    let end =
        |what, name: &str, at| End { name: Name::new(what, issuer, name), issuer: Name::issuer(issuer), at, until };
    match (session, subject) {
        (Some(session), Some(subject)) => vec![end(What::Session, session, *at), end(What::OneOfPerson, subject, now)],
        (Some(session), None) => vec![end(What::Session, session, *at), end(What::OneOfAnybody, "", now)],
        (None, Some(subject)) => vec![end(What::Person, subject, *at)],
        (None, None) => Vec::new(),
    }
}

/// The record of ended sessions.
#[derive(Default)]
pub struct Sessions(RwLock<Ended>);

impl Sessions {
    /// Notes ends, some of which may be known.
    pub fn note(&self, ends: impl IntoIterator<Item = End>, now: SystemTime) {
        let mut ended = self.write();
        for end in ends {
            ended.note(end, now);
        }
    }

    /// The status of the session of a token with these claims.
    pub fn status(&self, issuer: &str, claims: &Claims, now: SystemTime) -> SessionStatus {
        let ended = self.read();
        if ended.is_empty() {
            return SessionStatus::Active;
        }
        let at = |what, name: &str| ended.at(Name::new(what, issuer, name), now);
        if let Some(session) = &claims.session
            && at(What::Session, session).is_some()
        {
            return SessionStatus::Ended;
        }
        // the session of an evicted end is no longer known: a token that was issued before may belong to it
        let person = at(What::Person, &claims.subject).max(ended.cutoff(issuer, now));
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
