//! What is revoked, in memory: asked for each use of a stateless token, and nearly always empty.

mod cutoff;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use runtime::Metrics;
use store::{Database, ReplicaSync, StoreError};
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

pub use cutoff::{Of, before};
pub(crate) use cutoff::{cutoff_ids, grants_of_session};

/// Where replicas announce that they have revoked or changed something.
const CHANNEL: &str = "idp_revocations";
/// Where they write what they have revoked.
const TABLE: &str = "idp_revocations";
/// By how many locks the set is divided.
const SHARDS: usize = 16;
/// How many revocations wait for those who watch; who misses some reads all.
const WAITING: usize = 1024;

/// Something that is revoked: a grant, or one token of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// The grant's identifier, or the token's.
    pub id: Uuid,
    /// Until when it has to be remembered: then nothing derived from it is valid any more.
    pub until: SystemTime,
}

type Shard = HashMap<Uuid, SystemTime>;

/// What is revoked and could still be presented, and when clients or keys were last changed. Clones share it.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    shards: [RwLock<Shard>; SHARDS],
    /// How many there are in all shards.
    count: AtomicUsize,
    sync: Arc<ReplicaSync>,
    version: watch::Sender<i64>,
    added: broadcast::Sender<Revocation>,
}

impl Revocations {
    /// An empty set, for the only process that revokes.
    pub fn alone() -> Self {
        Self::with(ReplicaSync::alone(CHANNEL))
    }

    /// An empty set, for a process that works with this database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self::with(ReplicaSync::open(CHANNEL, TABLE, database).await?))
    }

    fn with(sync: ReplicaSync) -> Self {
        Self(Arc::new(Inner {
            shards: std::array::from_fn(|_| RwLock::default()),
            count: AtomicUsize::new(0),
            sync: Arc::new(sync),
            version: watch::Sender::new(0),
            added: broadcast::Sender::new(WAITING),
        }))
    }

    /// Shows how old what is known of other replicas is.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        self.0.sync.measure(metrics);
    }

    /// Whether this grant or token is revoked.
    pub fn contains(&self, id: Uuid) -> bool {
        !self.is_empty() && self.until(id).is_some()
    }

    /// Whether nothing at all is revoked, as nearly always.
    fn is_empty(&self) -> bool {
        self.0.count.load(Ordering::Acquire) == 0
    }

    /// Until when it is remembered that this is revoked.
    fn until(&self, id: Uuid) -> Option<SystemTime> {
        self.read(shard_of(id)).get(&id).copied()
    }

    /// Adds revocations of this process, and announces them to other replicas.
    pub fn add(&self, revoked: impl IntoIterator<Item = Revocation>) {
        self.note(revoked);
        self.0.sync.announce();
    }

    /// Whether what other replicas have revoked is known to within [`MAX_STALENESS`](store::MAX_STALENESS); if not, stateless
    /// tokens are refused. Always, where there are none.
    pub fn is_current(&self) -> bool {
        self.0.sync.is_current()
    }

    /// Everything that is revoked.
    pub(crate) fn all(&self) -> Vec<Revocation> {
        let shards = (0..SHARDS).map(|index| self.read(index));
        shards
            .flat_map(|shard| shard.iter().map(|(id, until)| Revocation { id: *id, until: *until }).collect::<Vec<_>>())
            .collect()
    }

    /// What is revoked from now on, here or elsewhere.
    pub(crate) fn added(&self) -> broadcast::Receiver<Revocation> {
        self.0.added.subscribe()
    }

    /// Forgets what is over.
    pub fn prune(&self, now: SystemTime) {
        for index in 0..SHARDS {
            let mut shard = self.write(index);
            let before = shard.len();
            shard.retain(|_, until| *until > now);
            self.0.count.fetch_sub(before - shard.len(), Ordering::AcqRel);
        }
    }

    /// Changes when clients or keys have changed, here or elsewhere: the number is the
    /// version in the store as it was last read.
    pub fn changed(&self) -> watch::Receiver<i64> {
        self.0.version.subscribe()
    }

    /// The version of clients and keys as it was read.
    pub(crate) fn set_version(&self, version: i64) {
        self.0.version.send_if_modified(|known| std::mem::replace(known, version) != version);
    }

    /// Has all replicas, and this one, look soon at whether clients or keys have changed.
    pub fn announce_change(&self) {
        self.0.sync.announce();
        self.0.sync.poll_now();
    }

    /// The signals between this process and other replicas.
    pub(crate) fn sync(&self) -> &ReplicaSync {
        &self.0.sync
    }

    /// Notes revocations that the database has, without an announcement.
    pub(crate) fn note(&self, revoked: impl IntoIterator<Item = Revocation>) {
        for revocation in revoked {
            // an error means only that there is no watcher
            if self.keep(revocation) {
                let _ = self.0.added.send(revocation);
            }
        }
    }

    /// Keeps a revocation; whether it, or that it lasts so long, was not known.
    fn keep(&self, Revocation { id, until }: Revocation) -> bool {
        let mut shard = self.write(shard_of(id));
        match shard.entry(id) {
            Entry::Vacant(place) => {
                self.0.count.fetch_add(1, Ordering::AcqRel);
                place.insert(until);
                true
            }
            Entry::Occupied(mut known) => until > known.insert(until.max(*known.get())),
        }
    }

    // each change of a shard is one step, so that one who panicked has left it whole

    fn read(&self, index: usize) -> RwLockReadGuard<'_, Shard> {
        self.0.shards[index].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, index: usize) -> RwLockWriteGuard<'_, Shard> {
        self.0.shards[index].write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Revocations({})", self.0.count.load(Ordering::Acquire))
    }
}

/// The last byte is random in every kind of identifier that we make.
fn shard_of(id: Uuid) -> usize {
    usize::from(id.as_bytes()[15]) % SHARDS
}
