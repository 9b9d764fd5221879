//! Limits wrong user codes (`docs/security-requirements.md#i26`): five in a browser session, and ten a minute from one network.
//! Each process counts separately.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bounded_cache::{HeapSize, MIB};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use uuid::Uuid;

/// Wrong codes of one session. A user who has used them up signs in again.
const PER_SESSION: u32 = 5;
/// Wrong codes of one network in a [`MINUTE`].
const PER_SOURCE: usize = 10;
const MINUTE: Duration = Duration::from_mins(1);
/// The bound of the sessions that are remembered, and that of the networks, in bytes: some 2,000 each. The least recently seen are
/// forgotten first.
const BOUND: u64 = MIB;

type Shared<T> = Arc<Mutex<T>>;

/// The counts.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    sessions: Cache<Uuid, Shared<u32>>,
    /// When the last wrong codes came.
    sources: Cache<IpAddr, Shared<Vec<SystemTime>>>,
}

/// The limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// In this session, until it ends.
    Session,
    /// From this network, for this time.
    Source(Duration),
}

/// The lookup of a code. It counts as wrong when it is dropped.
#[derive(Debug)]
pub(crate) struct Attempt {
    session: Shared<u32>,
    source: Option<Shared<Vec<SystemTime>>>,
    at: SystemTime,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self { sessions: lru(), sources: lru() }
    }

    /// Begins the lookup of a code. It counts as wrong until it is known to be right, so that concurrent attempts count too. An
    /// unknown network has no count, as all unknown ones would share it.
    ///
    /// # Errors
    /// [`TooMany`].
    pub(crate) fn begin(&self, session: Uuid, source: Option<IpAddr>, now: SystemTime) -> Result<Attempt, TooMany> {
        let session = self.sessions.get_with(session, Shared::default);
        let mut wrong = lock(&session);
        if *wrong >= PER_SESSION {
            return Err(TooMany::Session);
        }
        let source = source.map(|source| self.sources.get_with(network(source), no_times));
        if let Some(source) = &source {
            let mut times = lock(source);
            times.retain(|time| now.duration_since(*time).is_ok_and(|age| age < MINUTE));
            if let Some(first) = times.first().filter(|_| times.len() >= PER_SOURCE) {
                return Err(TooMany::Source((*first + MINUTE).duration_since(now).unwrap_or_default()));
            }
            times.push(now);
        }
        *wrong += 1;
        drop(wrong);
        Ok(Attempt { session, source, at: now })
    }
}

impl Attempt {
    /// The code was not wrong, or it is not known whether it was.
    pub(crate) fn forgive(self) {
        let mut wrong = lock(&self.session);
        *wrong = wrong.saturating_sub(1);
        drop(wrong);
        if let Some(source) = &self.source {
            let mut times = lock(source);
            if let Some(place) = times.iter().rposition(|time| *time == self.at) {
                times.remove(place);
            }
        }
    }
}

/// With room for all that count, so that they are weighed.
fn no_times() -> Shared<Vec<SystemTime>> {
    Arc::new(Mutex::new(Vec::with_capacity(PER_SOURCE)))
}

fn lru<K, T>() -> Cache<K, Shared<T>>
where
    K: HeapSize + std::hash::Hash + Eq + Send + Sync + 'static,
    T: HeapSize + Send + Sync + 'static,
{
    bounded_cache::sync(BOUND).eviction_policy(EvictionPolicy::lru()).build()
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who has an IPv6 address has at least 2^64 of them: they are one network.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn session(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn i26_a_session_has_five_wrong_codes() {
        let attempts = Attempts::new();
        for _ in 0..PER_SESSION {
            assert!(attempts.begin(session(1), None, UNIX_EPOCH).is_ok());
        }
        let later = UNIX_EPOCH + Duration::from_hours(1);
        assert_eq!(attempts.begin(session(1), None, later).unwrap_err(), TooMany::Session);
        assert!(attempts.begin(session(2), None, later).is_ok());
    }

    #[test]
    fn i26_a_network_has_ten_wrong_codes_a_minute() {
        let attempts = Attempts::new();
        let second = Duration::from_secs(1);
        let mut now = UNIX_EPOCH;
        for number in 0..10 {
            let address = format!("2001:db8::{number}");
            assert!(attempts.begin(session(number), Some(from(&address)), now).is_ok());
            now += second;
        }
        let refused = attempts.begin(session(99), Some(from("2001:db8::ffff")), now).unwrap_err();
        assert_eq!(refused, TooMany::Source(Duration::from_secs(50)));
        assert!(attempts.begin(session(99), Some(from("2001:db8:0:1::")), now).is_ok(), "another network");
        assert!(
            attempts.begin(session(99), Some(from("2001:db8::")), UNIX_EPOCH + MINUTE).is_ok(),
            "the first is over"
        );
        assert!(
            attempts.begin(session(99), Some(from("2001:db8::")), UNIX_EPOCH + MINUTE).is_err(),
            "the second is not"
        );
    }

    #[test]
    fn a_code_that_is_right_does_not_count() {
        let attempts = Attempts::new();
        for _ in 0..50 {
            attempts.begin(session(1), Some(from("192.0.2.1")), UNIX_EPOCH).unwrap().forgive();
        }
        assert!(attempts.begin(session(1), Some(from("192.0.2.1")), UNIX_EPOCH).is_ok());
    }
}
