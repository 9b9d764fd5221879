//! The uses of secrets: noted in memory, and written down in the background.
//!
//! What is not written yet when the process dies is lost: the account then seems to be unused for a minute longer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use authn::Caller;
use runtime::Clock;
use store::StoreError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::model::{LastUse, StoredSecret, Use};
use crate::store::AccountStore;

/// A secret's uses are written down at most so often.
const AT_MOST_EVERY: Duration = Duration::from_mins(1);
/// How often uses are looked for that are due.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// The most that is stored of what a program calls itself, in characters.
const MAX_AGENT: usize = 128;

struct Entry {
    last: Use,
    /// The last use that is written down.
    written: Option<SystemTime>,
}

impl Entry {
    fn is_pending(&self) -> bool {
        self.written.is_none_or(|written| written < self.last.last_use.at)
    }

    fn may_be_written(&self, now: SystemTime) -> bool {
        self.written.is_none_or(|written| written.checked_add(AT_MOST_EVERY).is_none_or(|due| due <= now))
    }
}

/// The uses of this process that are not written down yet, and those of the last minute.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<Uuid, Entry>>);

impl Uses {
    /// Notes a use of a secret of this account.
    pub(crate) fn note(&self, account: &str, secret: &StoredSecret, now: SystemTime, caller: &Caller) {
        let user_agent = caller.user_agent.chars().take(MAX_AGENT).collect();
        let last_use = LastUse { at: now, source: caller.source, user_agent };
        let last = Use { account: account.to_owned(), secret: secret.id, last_use };
        let mut entries = self.lock();
        // what was read may be written by another replica
        let before = entries.remove(&secret.id).and_then(|entry| entry.written).max(secret.last_used);
        entries.insert(secret.id, Entry { last, written: before });
    }

    /// What is to be written down by now; everything, if `all`.
    pub(crate) fn due(&self, now: SystemTime, all: bool) -> Vec<Use> {
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.is_pending() || !entry.may_be_written(now));
        let due = entries.values().filter(|entry| entry.is_pending() && (all || entry.may_be_written(now)));
        due.map(|entry| entry.last.clone()).collect()
    }

    /// They are written down.
    pub(crate) fn written(&self, uses: &[Use]) {
        let mut entries = self.lock();
        for one in uses {
            if let Some(entry) = entries.get_mut(&one.secret) {
                entry.written = entry.written.max(Some(one.last_use.at));
            }
        }
    }

    /// Writes down what is due; everything, if `all`.
    pub(crate) async fn write(&self, store: &AccountStore, now: SystemTime, all: bool) -> Result<(), StoreError> {
        let due = self.due(now, all);
        store.write_uses(&due).await?;
        self.written(&due);
        Ok(())
    }

    /// Writes uses down until the service stops, and the last ones then.
    pub(crate) async fn keep_writing(&self, store: &AccountStore, clock: Clock, shutdown: CancellationToken) {
        let writing = async {
            loop {
                tokio::time::sleep(WRITE_INTERVAL).await;
                if let Err(error) = self.write(store, clock.now(), false).await {
                    tracing::warn!(%error, "the uses of service accounts are not written down for now");
                }
            }
        };
        shutdown.run_until_cancelled(writing).await;
        if let Err(error) = self.write(store, clock.now(), true).await {
            tracing::warn!(%error, "the last uses of service accounts are lost");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use runtime::Random;

    use super::*;
    use crate::secret::Verifier;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1000 + seconds)
    }

    fn secret(last_used: Option<SystemTime>) -> StoredSecret {
        StoredSecret {
            id: Uuid::from_u128(1),
            verifier: Verifier::decoy(&Random::seeded(1)),
            created: at(0),
            created_by: String::new(),
            expires: None,
            last_used,
        }
    }

    fn times(uses: &[Use]) -> Vec<SystemTime> {
        uses.iter().map(|one| one.last_use.at).collect()
    }

    #[test]
    fn many_uses_are_one_write_a_minute() {
        let uses = Uses::default();
        for second in 0..30 {
            uses.note("backup", &secret(None), at(second), &Caller::default());
        }
        let due = uses.due(at(30), false);
        assert_eq!(times(&due), [at(29)], "the first is written soon");
        uses.note("backup", &secret(None), at(30), &Caller::default());
        uses.written(&due);
        assert!(uses.due(at(88), false).is_empty(), "the next one waits");
        assert_eq!(times(&uses.due(at(88), true)), [at(30)], "until the process ends");
        let due = uses.due(at(89), false);
        assert_eq!(times(&due), [at(30)], "or the minute is over");
        uses.written(&due);
        assert!(uses.due(at(1000), true).is_empty());
        assert!(uses.lock().is_empty(), "what is written long ago is forgotten");
    }

    #[test]
    fn use_that_another_replica_has_written_counts() {
        let uses = Uses::default();
        uses.note("backup", &secret(Some(at(0))), at(10), &Caller::default());
        assert!(uses.due(at(59), false).is_empty());
        assert_eq!(times(&uses.due(at(60), false)), [at(10)]);
    }

    #[test]
    fn name_of_a_program_is_cut() {
        let uses = Uses::default();
        let caller = Caller { user_agent: "x".repeat(1000), ..Caller::default() };
        uses.note("backup", &secret(None), at(0), &caller);
        assert_eq!(uses.due(at(0), false)[0].last_use.user_agent.len(), MAX_AGENT);
    }
}
