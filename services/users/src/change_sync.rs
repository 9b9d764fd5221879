//! The changes of users by others: replicas, also of a former version, and operators with SQL. As long as this process knows them, it
//! answers from memory.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use store::{ReplicaSync, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cache::{AffectedUsers, Cache};
use crate::store::{UserChange, UserStore};

/// Where replicas announce that they have changed users.
const CHANNEL: &str = "users_changes";
/// Where all writers record changes of users.
const TABLE: &str = "user_changes";
/// After which time a recorded change that every replica has read is removed.
const PRUNE_AFTER: Duration = Duration::from_mins(10);
/// How often recorded changes are removed that every replica has read.
const PRUNE_INTERVAL: Duration = Duration::from_mins(10);
/// How often this process looks whether changes are recorded; at once after a poll has failed, as the server may be another one since then.
const RECORDING_INTERVAL: Duration = Duration::from_secs(30);

/// Follows the changes by others, and forgets the users that they affect.
pub(crate) struct ChangeSync {
    sync: ReplicaSync,
    /// Whether changes by others are recorded.
    is_recording: AtomicBool,
    /// When that was last looked at; `None` if it has to be looked at now.
    looked: Mutex<Option<Instant>>,
    people: Arc<UserStore>,
    cache: Arc<Cache>,
    seen: Mutex<SeenChanges>,
}

impl ChangeSync {
    /// For users in this store, which this cache remembers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn open(people: Arc<UserStore>, cache: Arc<Cache>) -> Result<Self, StoreError> {
        let sync = ReplicaSync::open(CHANNEL, TABLE, people.database()).await?;
        let is_recording = people.records_changes().await?;
        if !is_recording {
            warn_of_missing_records();
        }
        Ok(Self::new(sync, is_recording, people, cache))
    }

    fn new(sync: ReplicaSync, is_recording: bool, people: Arc<UserStore>, cache: Arc<Cache>) -> Self {
        let (is_recording, looked) = (AtomicBool::new(is_recording), Mutex::new(Some(Instant::now())));
        Self { sync, is_recording, looked, people, cache, seen: Mutex::default() }
    }

    /// Whether what is remembered may be used: changes by others are known to within [`MAX_STALENESS`](store::MAX_STALENESS), or
    /// there are no others.
    pub(crate) fn is_current(&self) -> bool {
        self.is_recording() && self.sync.is_current()
    }

    /// Whether others may write.
    pub(crate) fn has_other_writers(&self) -> bool {
        self.people.database().is_postgres()
    }

    /// Announces to other replicas that users were changed.
    pub(crate) fn announce(&self) {
        self.sync.announce();
    }

    /// Follows the changes by others until the service stops, and announces those of this process.
    pub(crate) async fn follow(&self, shutdown: CancellationToken) {
        self.sync.run(Some(self.people.database().clone()), || self.read_changes(), shutdown).await;
    }

    fn is_recording(&self) -> bool {
        self.is_recording.load(Ordering::Acquire)
    }

    async fn read_changes(&self) -> Result<(), StoreError> {
        let outcome = self.try_read_changes().await;
        if outcome.is_err() {
            *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        outcome
    }

    async fn try_read_changes(&self) -> Result<(), StoreError> {
        self.look_whether_changes_are_recorded().await?;
        if !self.is_recording() {
            return Ok(());
        }
        self.sync
            .read(|unread| async move {
                let changes = self.people.changes(&unread).await?;
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                let affected = changes.and_then(|changes| seen.affected(changes));
                match affected.filter(|_| !unread.may_lack_changes()) {
                    Some(users) => users.into_iter().for_each(|id| self.cache.forget_users(&AffectedUsers::One(id))),
                    None => self.cache.forget_users(&AffectedUsers::All),
                }
                Ok(())
            })
            .await
    }

    /// Looks now and then whether changes are recorded, and stops or begins to use what is remembered.
    async fn look_whether_changes_are_recorded(&self) -> Result<(), StoreError> {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|looked| looked.elapsed() < RECORDING_INTERVAL) {
            return Ok(());
        }
        let is_recording = self.people.records_changes().await?;
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if is_recording && !self.is_recording() {
            tracing::info!("the database records changes of users again: they are answered from memory");
            // what was remembered before may have changed since
            self.cache.forget_users(&AffectedUsers::All);
        } else if !is_recording && self.is_recording() {
            warn_of_missing_records();
        }
        self.is_recording.store(is_recording, Ordering::Release);
        Ok(())
    }

    /// Removes recorded changes that every replica has read, until the service stops.
    pub(crate) async fn keep_pruning(&self, shutdown: CancellationToken) {
        let prune = || store::prune(|limit| self.prune(limit));
        store::keep_pruning("records of changed users", PRUNE_INTERVAL, prune, shutdown).await;
    }

    async fn prune(&self, limit: u64) -> Result<u64, StoreError> {
        match self.sync.read_by_all(PRUNE_AFTER).filter(|_| self.is_recording()) {
            Some(condition) => self.people.prune_changes(&condition, limit).await,
            None => Ok(0),
        }
    }
}

fn warn_of_missing_records() {
    tracing::warn!(
        "each question about a user is read from the database, as it does not record changes of users; that needs the triggers of \
         PostgreSQL itself, enabled as the migration has made them"
    );
}

/// The recent changes that this process has taken note of: each is read several times, and what it affects is forgotten once.
#[derive(Debug, Default)]
struct SeenChanges(HashSet<Uuid>);

impl SeenChanges {
    /// The users that recent changes affect, but for those that are known already; `None` if that may be all users.
    fn affected(&mut self, recent: Vec<UserChange>) -> Option<HashSet<String>> {
        let before = std::mem::take(&mut self.0);
        self.0 = recent.iter().map(|change| change.id).collect();
        recent.into_iter().filter(|change| !before.contains(&change.id)).map(|change| change.user_id).collect()
    }
}

#[cfg(test)]
mod tests;
