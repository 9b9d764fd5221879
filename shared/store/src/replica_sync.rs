//! Replicas learn of each other's changes: pushed by `NOTIFY`, so that they arrive at once, and polled every second, so that
//! they arrive in any case.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use runtime::Metrics;
use sea_orm::DbBackend;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::announce::Listener;
use crate::outbox::{Outbox, Unread};
use crate::{Database, MAX_STALENESS, StoreError};

/// How often changes are polled while none are announced.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Announcements are at least this far apart: each says only that there are changes.
const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(50);
/// After which time without an answer everything has to be read again: rows may have been removed unread, or, where
/// transactions have no numbers, be older than each poll reads; the rest is for transactions.
const MISSED_AFTER: Duration = Duration::from_secs(10);

/// How well this process knows the changes of other replicas, and the signals between it and them.
#[derive(Debug)]
pub struct ReplicaSync {
    channel: &'static str,
    started: Instant,
    /// When the last poll began that was answered, in milliseconds after `started`; `None` where no other process writes.
    polled: Option<AtomicU64>,
    /// The changes of all replicas; `None` where no other process writes.
    outbox: Option<Outbox>,
    announce: Notify,
    poll: Notify,
}

impl ReplicaSync {
    /// For the only process that writes.
    pub fn alone(channel: &'static str) -> Self {
        let (announce, poll) = (Notify::new(), Notify::new());
        Self { channel, started: Instant::now(), polled: None, outbox: None, announce, poll }
    }

    /// For a process that works with this database. On `PostgreSQL` it is one of several replicas, which announce changes on this
    /// channel and write them to this table; those that are committed from now on are read.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database cannot be reached.
    pub async fn open(channel: &'static str, table: &'static str, database: &Database) -> Result<Self, StoreError> {
        let alone = Self::alone(channel);
        if !database.is_postgres() {
            return Ok(alone);
        }
        Ok(Self { polled: Some(AtomicU64::new(0)), outbox: Some(Outbox::open(table, database).await?), ..alone })
    }

    /// The same after this time without an answer of the database, for tests, which do not wait for it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn silent_for(self, time: Duration) -> Self {
        Self { started: self.started.checked_sub(time).unwrap_or(self.started), ..self }
    }

    /// Takes a poll for answered now, for tests, which poll themselves.
    #[cfg(feature = "testing")]
    pub fn answered_now(&self) {
        self.answered(Instant::now());
    }

    /// Whether the changes of other replicas are known to within [`MAX_STALENESS`].
    pub fn is_current(&self) -> bool {
        self.polled.as_ref().is_none_or(|polled| self.since(polled) < MAX_STALENESS)
    }

    /// Whether what was read at this moment may be used now.
    pub fn believes(&self, read: Instant) -> bool {
        self.is_current() || read.elapsed() < MAX_STALENESS
    }

    /// Reads the changes of other replicas: `read` reads what is unread, and what it has read with success is not unread again.
    /// Each committed change is read, however long its transaction took, unless [`Unread::may_lack_changes`] says otherwise.
    ///
    /// # Errors
    /// Those of `read`, and when the database fails.
    pub async fn read<T, F>(&self, read: impl FnOnce(Unread) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let has_missed_changes = self.has_missed_changes();
        let Some(outbox) = &self.outbox else {
            return read(Unread::recent(DbBackend::Sqlite, has_missed_changes)).await;
        };
        let (unread, snapshot) = outbox.begin().await?;
        let outcome = read(unread.or_lacking(has_missed_changes)).await?;
        outbox.advance(snapshot);
        Ok(outcome)
    }

    /// The SQL condition of the rows of this age that every replica has read, in brackets; `None` where there are none.
    pub fn read_by_all(&self, age: Duration) -> Option<String> {
        Some(self.outbox.as_ref()?.read_by_all(age))
    }

    /// Whether changes may have been missed: then everything has to be read again.
    fn has_missed_changes(&self) -> bool {
        self.polled.as_ref().is_some_and(|polled| self.since(polled) > MISSED_AFTER)
    }

    /// How long ago the changes of other replicas were read; `None` where no other process writes.
    fn age(&self) -> Option<Duration> {
        self.polled.as_ref().map(|polled| self.since(polled))
    }

    /// Shows how old what is known of other replicas is.
    pub fn measure(self: &Arc<Self>, metrics: &Metrics) {
        let sync = Arc::downgrade(self);
        metrics.gauge_of(
            "doorward_replica_lag_seconds",
            "How long ago the changes of other replicas, revocations among them, were read from the database",
            vec![("channel", self.channel.to_owned())],
            move || Some(sync.upgrade()?.age()?.as_secs_f64()),
        );
    }

    /// Announces to the other replicas that there are changes.
    pub fn announce(&self) {
        self.announce.notify_one();
    }

    /// Has this process poll now.
    pub fn poll_now(&self) {
        self.poll.notify_one();
    }

    /// Polls and announces changes, until the service stops. `poll` reads them by [`read`](Self::read);
    /// without `pushes` changes are neither announced nor listened for.
    pub async fn run<F>(&self, pushes: Option<Database>, poll: impl FnMut() -> F, shutdown: CancellationToken)
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        let both =
            async { tokio::join!(self.keep_polling(pushes.as_ref(), poll), self.keep_announcing(pushes.as_ref())) };
        // in a place of its own: what a service awaits to poll is large
        shutdown.run_until_cancelled(Box::pin(both)).await;
    }

    async fn keep_polling<F>(&self, pushes: Option<&Database>, mut poll: impl FnMut() -> F)
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        let mut listener = None;
        loop {
            let began = Instant::now();
            match poll().await {
                Ok(()) => self.answered(began),
                Err(error) => {
                    tracing::warn!(%error, channel = self.channel, "the changes of other replicas cannot be read");
                }
            }
            tokio::select! {
                () = self.notified(&mut listener, pushes) => {}
                () = self.poll.notified() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Returns when another replica has announced changes; never where they are not pushed.
    async fn notified(&self, listener: &mut Option<Listener>, pushes: Option<&Database>) {
        let Some(database) = pushes else { return std::future::pending().await };
        let outcome: Result<(), StoreError> = async {
            if listener.is_none() {
                *listener = database.listen(self.channel).await?;
            }
            match listener {
                Some(listener) => listener.received().await,
                None => std::future::pending().await,
            }
        }
        .await;
        if let Err(error) = outcome {
            tracing::debug!(%error, channel = self.channel, "changes are not pushed for now; polling goes on");
            *listener = None;
            std::future::pending::<()>().await;
        }
    }

    async fn keep_announcing(&self, pushes: Option<&Database>) {
        let Some(database) = pushes else { return };
        loop {
            self.announce.notified().await;
            if let Err(error) = database.announce(self.channel).await {
                tracing::debug!(%error, channel = self.channel, "a change is not announced; other replicas will poll");
            }
            tokio::time::sleep(ANNOUNCE_INTERVAL).await;
        }
    }

    fn answered(&self, began: Instant) {
        if let Some(polled) = &self.polled {
            let at = u64::try_from(began.duration_since(self.started).as_millis()).unwrap_or(u64::MAX);
            polled.store(at, Ordering::Release);
        }
    }

    fn since(&self, polled: &AtomicU64) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(polled.load(Ordering::Acquire)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &str = "changes";
    const LONG: Duration = Duration::from_secs(15);

    fn among_replicas() -> ReplicaSync {
        ReplicaSync { polled: Some(AtomicU64::new(0)), ..ReplicaSync::alone(CHANNEL) }
    }

    #[test]
    fn silence_matters_only_among_replicas() {
        let alone = ReplicaSync::alone(CHANNEL).silent_for(LONG);
        assert!(alone.is_current() && !alone.has_missed_changes());
        assert!(among_replicas().is_current(), "it has only just started");
        let silent = among_replicas().silent_for(LONG);
        assert!(!silent.is_current() && silent.has_missed_changes());
        assert!(silent.believes(Instant::now()) && !silent.believes(silent.started));
        let (metrics, silent) = (Metrics::default(), Arc::new(silent));
        silent.measure(&metrics);
        let text = metrics.render();
        assert!(text.contains("doorward_replica_lag_seconds{channel=\"changes\"} 15."), "{text}");
        silent.answered(Instant::now());
        assert!(silent.is_current() && !silent.has_missed_changes() && silent.believes(silent.started));
    }

    #[tokio::test(start_paused = true)]
    async fn failed_poll_is_no_answer_and_is_repeated() {
        let sync = among_replicas().silent_for(LONG);
        let (mut polls, shutdown) = (0, CancellationToken::new());
        let poll = || {
            polls += 1;
            let (stop, is_second) = (shutdown.clone(), polls == 2);
            let was_current = sync.is_current();
            async move {
                assert!(!was_current);
                if is_second {
                    stop.cancel();
                }
                Err::<(), _>(StoreError::internal("the server is gone"))
            }
        };
        sync.run(None, poll, shutdown.clone()).await;
        assert_eq!(polls, 2);
    }
}
