//! Tokens of whose revocation this process knows. None is forgotten before every older answer is gone; where there are too many, it is
//! remembered instead that what was read before counts no longer.

use std::collections::{HashSet, VecDeque};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use uuid::Uuid;

/// How many are remembered one by one: some 4 MiB.
const MOST: usize = 50_000;

/// The revoked tokens.
pub(crate) struct Revoked {
    remembered_for: Duration,
    noted: RwLock<Noted>,
}

#[derive(Default)]
struct Noted {
    ids: HashSet<Uuid>,
    /// In the order they came, with the time.
    order: VecDeque<(Uuid, Instant)>,
    /// When the last one came that had to make room.
    forgotten: Option<Instant>,
}

impl Revoked {
    /// None. Each is remembered for this long, after which no answer can be older than the revocation.
    pub(crate) fn new(remembered_for: Duration) -> Self {
        Self { remembered_for, noted: RwLock::default() }
    }

    /// Notes a token that has been revoked by now. It need not be noted twice: what is read later is not older than the revocation.
    pub(crate) fn add(&self, id: Uuid, now: Instant) {
        let mut noted = self.noted.write().unwrap_or_else(PoisonError::into_inner);
        if !noted.ids.insert(id) {
            return;
        }
        noted.order.push_back((id, now));
        while let Some((first, at)) = noted.order.front().copied() {
            let is_over = now.duration_since(at) > self.remembered_for;
            if !is_over && noted.order.len() <= MOST {
                break;
            }
            if !is_over {
                noted.forgotten = Some(at);
            }
            noted.ids.remove(&first);
            noted.order.pop_front();
        }
    }

    /// Whether a token is one of them.
    pub(crate) fn contains(&self, id: Uuid) -> bool {
        self.noted.read().unwrap_or_else(PoisonError::into_inner).ids.contains(&id)
    }

    /// Whether all revocations are remembered that a read which began then can have missed.
    pub(crate) fn is_complete_since(&self, read: Instant) -> bool {
        let forgotten = self.noted.read().unwrap_or_else(PoisonError::into_inner).forgotten;
        forgotten.is_none_or(|forgotten| forgotten < read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn id(number: usize) -> Uuid {
        Uuid::from_u128(number as u128)
    }

    #[test]
    fn revocation_is_forgotten_when_no_older_answer_is_left() {
        let (revoked, begin) = (Revoked::new(MINUTE), Instant::now());
        revoked.add(id(1), begin);
        revoked.add(id(2), begin + MINUTE);
        assert!(revoked.contains(id(1)) && revoked.contains(id(2)));
        revoked.add(id(3), begin + 2 * MINUTE);
        assert!(!revoked.contains(id(1)) && revoked.contains(id(2)));
        assert!(revoked.is_complete_since(begin), "it was not forgotten before its time");
    }

    #[test]
    fn revocation_that_makes_room_ends_trust_in_what_was_read_before() {
        let (revoked, begin) = (Revoked::new(MINUTE), Instant::now());
        let second = Duration::from_secs(1);
        revoked.add(id(0), begin + second);
        for number in 1..=MOST {
            revoked.add(id(number), begin + 2 * second);
        }
        assert!(!revoked.contains(id(0)) && revoked.contains(id(MOST)));
        assert!(
            !revoked.is_complete_since(begin),
            "an answer from before it may be one for the token that was forgotten"
        );
        assert!(!revoked.is_complete_since(begin + second));
        assert!(revoked.is_complete_since(begin + 2 * second), "a later read has seen the revocation");
        let noted = revoked.noted.read().unwrap();
        assert_eq!((noted.ids.len(), noted.order.len()), (MOST, MOST));
    }
}
