//! What has ended at the issuers: stored before it is acknowledged, and known to every replica within a second.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use runtime::{Check, Clock, Metrics};
use store::{Database, ReplicaSync, StoreError, Unread};
use tokio_util::sync::CancellationToken;

use crate::claims::Claims;
use crate::sessions::{End, Name, SessionStatus, Sessions};
use crate::store::{LogoutStore, TABLE};

/// Where replicas announce that a session has ended.
const CHANNEL: &str = "auth_bearer_logouts";
/// How often rows are removed that have expired.
const PRUNE_INTERVAL: Duration = Duration::from_mins(10);

/// Why a logout token is not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// This service stores nothing.
    #[error("there is no database")]
    NoStore,
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What has ended, in memory and in the database.
pub struct Logouts {
    sessions: Sessions,
    /// `None` where nothing is stored: then no logout token is accepted, and nothing has ended.
    store: Option<LogoutStore>,
    sync: Arc<ReplicaSync>,
}

impl Logouts {
    /// For a service without a database, which accepts no logout tokens.
    pub fn without_store() -> Self {
        Self { sessions: Sessions::default(), store: None, sync: Arc::new(ReplicaSync::alone(CHANNEL)) }
    }

    /// What has ended by now, from a database whose schema is up to date.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open(database: Database, now: SystemTime) -> Result<Self, StoreError> {
        // before the rows are read, so that no later change is missed
        let sync = Arc::new(ReplicaSync::open(CHANNEL, TABLE, &database).await?);
        let (sessions, store) = (Sessions::default(), LogoutStore::new(database));
        sessions.note(store.ends(None, now).await?, now);
        Ok(Self { sessions, store: Some(store), sync })
    }

    /// Records what a logout token ends, durably, and has other replicas read it; whether the token was received for the first time
    /// by any replica. It is remembered until `expires`.
    ///
    /// # Errors
    /// [`RecordError`]; then it is not known to be recorded, and counts here all the same until the next restart.
    pub async fn record(
        &self,
        token: Name,
        expires: SystemTime,
        ends: Vec<End>,
        now: SystemTime,
    ) -> Result<bool, RecordError> {
        let store = self.store.as_ref().ok_or(RecordError::NoStore)?;
        // Its issuer has signed it, so it counts whatever becomes of the write: a transaction may be committed although the caller does not
        // wait for it any more, and the same token would then be refused as a repetition.
        self.sessions.note(ends.iter().copied(), now);
        if !store.record(token, expires, &ends).await? {
            return Ok(false);
        }
        self.sync.announce();
        Ok(true)
    }

    /// The status of the session of a token with these claims.
    pub(crate) fn status(&self, issuer: &str, claims: &Claims, now: SystemTime) -> SessionStatus {
        self.sessions.status(issuer, claims, now)
    }

    /// Whether what other replicas have recorded is known to within [`MAX_STALENESS`](store::MAX_STALENESS). Always, where there are
    /// none.
    pub fn is_current(&self) -> bool {
        self.sync.is_current()
    }

    /// Shows how old what is known of other replicas is.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        self.sync.measure(metrics);
    }

    /// Whether the database takes writes; `None` without one.
    pub(crate) fn check(&self) -> Option<Check> {
        self.store.as_ref().map(|store| store.database().check())
    }

    /// Whether other replicas may record something.
    pub(crate) fn has_replicas(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.database().is_postgres())
    }

    /// Whether anything is stored.
    pub(crate) fn is_stored(&self) -> bool {
        self.store.is_some()
    }

    /// Follows what other replicas record, and announces what this one does, until the service stops. Without `pushes` others are
    /// only polled.
    pub async fn follow(&self, pushes: bool, clock: Clock, shutdown: CancellationToken) {
        let Some(store) = &self.store else { return };
        let database = pushes.then(|| store.database().clone());
        self.sync.run(database, || self.read(store, clock.now()), shutdown).await;
    }

    async fn read(&self, store: &LogoutStore, now: SystemTime) -> Result<(), StoreError> {
        let read = |unread: Unread| async move {
            // what is known stays: what has ended does not begin again
            let unread = Some(&unread).filter(|unread| !unread.may_lack_changes());
            self.sessions.note(store.ends(unread, now).await?, now);
            Ok(())
        };
        self.sync.read(read).await
    }

    /// Removes rows that have expired, until the service stops.
    pub(crate) async fn keep_pruning(&self, clock: Clock, shutdown: CancellationToken) {
        let Some(store) = &self.store else { return };
        let prune = || {
            let now = clock.now();
            async move { store::prune(|limit| store.prune(now, limit)).await }
        };
        store::keep_pruning("ended sessions of issuers", PRUNE_INTERVAL, prune, shutdown).await;
    }
}
