//! The passwords that this process has changed in LDAP, as long as something that was verified with the old one may be cached.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a change matters: longer than a verified password is cached (`AUTH_BASIC_CACHE_TTL`, at most a minute).
const MATTERS_FOR: Duration = Duration::from_mins(2);
/// How many users are remembered. With more of them within that time, nothing that was cached for any user is used.
const MOST: usize = 10_000;

/// The number of the last change of each user.
#[derive(Debug, Default)]
pub(super) struct Changes(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    /// The number of the last change.
    last: u64,
    /// The number of users who are not remembered.
    others: u64,
    users: HashMap<String, (Instant, u64)>,
}

impl Changes {
    /// A number that is another one after each change of this user's password.
    pub(super) fn of(&self, user_id: &str) -> u64 {
        let numbers = self.lock();
        numbers.users.get(user_id).map_or(numbers.others, |(_, number)| *number)
    }

    /// Notes that the password of this user was changed.
    pub(super) fn note(&self, user_id: &str, now: Instant) {
        let mut numbers = self.lock();
        numbers.last += 1;
        let number = numbers.last;
        if numbers.users.len() >= MOST {
            numbers.users.retain(|_, (at, _)| now.duration_since(*at) < MATTERS_FOR);
        }
        if numbers.users.len() >= MOST {
            numbers.users.clear();
            numbers.others = number;
        }
        numbers.users.insert(user_id.to_owned(), (now, number));
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_gives_the_user_another_number_and_others_none() {
        let (changes, now) = (Changes::default(), Instant::now());
        let before = (changes.of("einstein"), changes.of("marie"));
        changes.note("einstein", now);
        let first = changes.of("einstein");
        changes.note("einstein", now);
        assert!(before.0 != first && first != changes.of("einstein"));
        assert_eq!(changes.of("marie"), before.1);
    }

    #[test]
    fn more_changes_than_are_remembered_give_every_user_another_number() {
        let (changes, now) = (Changes::default(), Instant::now());
        changes.note("einstein", now);
        let before = (changes.of("einstein"), changes.of("marie"));
        (0..MOST).for_each(|number| changes.note(&format!("user {number}"), now));
        assert!(changes.of("einstein") != before.0 && changes.of("marie") != before.1);
    }

    #[test]
    fn changes_that_matter_no_more_are_forgotten_first() {
        let (changes, now) = (Changes::default(), Instant::now());
        (0..MOST).for_each(|number| changes.note(&format!("user {number}"), now));
        changes.note("einstein", now + MATTERS_FOR);
        assert_eq!(changes.of("marie"), 0, "nothing of others is dropped");
        assert_eq!(changes.0.lock().expect("not poisoned").users.len(), 1);
    }
}
