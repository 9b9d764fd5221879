//! The changes of users by others: replicas, also of a former version, and operators with SQL. As long as this process knows them, it
//! answers from memory.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

/// Follows the changes by others, and forgets the users that they affect.
pub(crate) struct ChangeSync {
    /// `None` where changes by others are not recorded.
    sync: Option<ReplicaSync>,
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
        let sync = if people.records_changes().await? {
            Some(ReplicaSync::open(CHANNEL, TABLE, people.database()).await?)
        } else {
            tracing::warn!(
                "each question about a user is read from the database, as it does not record changes of users; that needs the triggers of \
                 PostgreSQL itself, enabled as the migration has made them"
            );
            None
        };
        Ok(Self::new(sync, people, cache))
    }

    fn new(sync: Option<ReplicaSync>, people: Arc<UserStore>, cache: Arc<Cache>) -> Self {
        Self { sync, people, cache, seen: Mutex::default() }
    }

    /// Whether what is remembered may be used: changes by others are known to within [`MAX_STALENESS`](store::MAX_STALENESS), or
    /// there are no others.
    pub(crate) fn is_current(&self) -> bool {
        self.sync.as_ref().is_some_and(ReplicaSync::is_current)
    }

    /// Whether others may write, and what they write is recorded.
    pub(crate) fn has_other_writers(&self) -> bool {
        self.sync.is_some() && self.people.database().is_postgres()
    }

    /// Announces to other replicas that users were changed.
    pub(crate) fn announce(&self) {
        if let Some(sync) = &self.sync {
            sync.announce();
        }
    }

    /// Follows the changes by others until the service stops, and announces those of this process.
    pub(crate) async fn follow(&self, shutdown: CancellationToken) {
        if let Some(sync) = &self.sync {
            sync.run(Some(self.people.database().clone()), || self.read_changes(sync), shutdown).await;
        }
    }

    /// Removes recorded changes that every replica has read, until the service stops.
    pub(crate) async fn keep_pruning(&self, shutdown: CancellationToken) {
        let prune = || store::prune(|limit| self.prune(limit));
        store::keep_pruning("records of changed users", PRUNE_INTERVAL, prune, shutdown).await;
    }

    async fn prune(&self, limit: u64) -> Result<u64, StoreError> {
        match self.sync.as_ref().and_then(|sync| sync.read_by_all(PRUNE_AFTER)) {
            Some(condition) => self.people.prune_changes(&condition, limit).await,
            None => Ok(0),
        }
    }

    async fn read_changes(&self, sync: &ReplicaSync) -> Result<(), StoreError> {
        sync.read(|unread| async move {
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
