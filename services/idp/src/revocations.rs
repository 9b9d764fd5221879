//! What is revoked, in memory: asked for each use of a stateless token, and nearly always empty.

mod cutoff;
mod feed;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime};

use store::{BELIEVED_FOR, StoreError};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

pub use cutoff::{Of, before};
pub use feed::{announce, follow};

use crate::store::{Revocation, Store};

/// By how many locks the set is divided.
const SHARDS: usize = 16;

type Shard = HashMap<Uuid, SystemTime>;

/// What is revoked and could still be presented, and when clients or keys were last changed. Clones share it.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    shards: [RwLock<Shard>; SHARDS],
    /// How many there are in all shards.
    count: AtomicUsize,
    begin: Instant,
    /// Whether others revoke too.
    has_replicas: bool,
    /// When the last answer came, in milliseconds after `begin`.
    heard: AtomicU64,
    /// Other replicas have to be told.
    announce: Notify,
    /// The database has to be asked.
    ask: Notify,
    version: watch::Sender<i64>,
}

impl Revocations {
    /// An empty set, for the only process that revokes.
    pub fn alone() -> Self {
        Self::new(false)
    }

    /// An empty set, for one of several replicas.
    pub fn among_replicas() -> Self {
        Self::new(true)
    }

    /// What is revoked by now, for one of several replicas where the database is one that replicas share. From now on the
    /// set learns at once of what is revoked by way of this store or a clone of it.
    pub async fn open(store: &Store, now: SystemTime) -> Result<Self, StoreError> {
        let revocations = Self::new(store.database().is_postgres());
        let asked = Instant::now();
        store.inform(&revocations);
        revocations.note(store.revocations(true, now).await?);
        revocations.0.version.send_replace(store.version().await?);
        revocations.hear(asked);
        Ok(revocations)
    }

    fn new(has_replicas: bool) -> Self {
        Self(Arc::new(Inner {
            shards: std::array::from_fn(|_| RwLock::default()),
            count: AtomicUsize::new(0),
            begin: Instant::now(),
            has_replicas,
            heard: AtomicU64::new(0),
            announce: Notify::new(),
            ask: Notify::new(),
            version: watch::Sender::new(0),
        }))
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

    /// Notes revocations of this process at once; other replicas are told.
    pub fn add(&self, revoked: impl IntoIterator<Item = Revocation>) {
        self.note(revoked);
        self.0.announce.notify_one();
    }

    /// Whether what other replicas have revoked is known to within [`BELIEVED_FOR`]; if not, stateless tokens are not believed.
    /// Always, where there are none.
    pub fn is_current(&self) -> bool {
        !self.0.has_replicas || self.silence() < BELIEVED_FOR
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

    /// Tells when clients or keys have changed, here or elsewhere: the number is the store's
    /// [`version`](Store::version) as it was last read.
    pub fn changed(&self) -> watch::Receiver<i64> {
        self.0.version.subscribe()
    }

    /// Has all replicas, and this one, look soon at whether clients or keys have changed.
    pub fn announce_change(&self) {
        self.0.announce.notify_one();
        self.0.ask.notify_one();
    }

    /// Notes revocations without telling anybody.
    fn note(&self, revoked: impl IntoIterator<Item = Revocation>) {
        for Revocation { id, until } in revoked {
            let mut shard = self.write(shard_of(id));
            let known = shard.entry(id).or_insert_with(|| {
                self.0.count.fetch_add(1, Ordering::AcqRel);
                until
            });
            *known = until.max(*known);
        }
    }

    /// For how long no answer has come.
    fn silence(&self) -> Duration {
        self.0.begin.elapsed().saturating_sub(Duration::from_millis(self.0.heard.load(Ordering::Acquire)))
    }

    /// An answer has come to what was asked then.
    fn hear(&self, asked: Instant) {
        let at = u64::try_from(asked.duration_since(self.0.begin).as_millis()).unwrap_or(u64::MAX);
        self.0.heard.store(at, Ordering::Release);
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
