//! Revocations of other replicas. They are pushed, so that they arrive at once, and asked for every second, so that they
//! arrive in any case.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::{BELIEVED_FOR, Database, Listener, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;

/// Where replicas announce that they have revoked something.
const CHANNEL: &str = "auth_app_revocations";
/// How often revocations are asked for when nobody announces any.
const POLL: Duration = Duration::from_secs(1);
/// At most so often are they announced, however many there are: an announcement says only that there are some.
const ANNOUNCE: Duration = Duration::from_millis(50);
/// The store tells of the last 15 seconds; after a longer silence everything is read again.
const MEMORY: Duration = Duration::from_secs(10);
/// How often it is looked whether another replica has taken over tokens of another system.
const LOOK_FOR_FOREIGN: Duration = Duration::from_secs(30);

/// How well this process knows what other replicas have revoked.
#[derive(Debug)]
pub struct Feed {
    begin: Instant,
    /// When the last answer came, in milliseconds after `begin`; nobody revokes elsewhere if there is no such moment.
    heard: Option<AtomicU64>,
    announce: Notify,
}

impl Feed {
    /// For the only process that writes.
    pub fn alone() -> Self {
        Self { begin: Instant::now(), heard: None, announce: Notify::new() }
    }

    /// For one of several replicas.
    pub fn among_replicas() -> Self {
        Self { heard: Some(AtomicU64::new(0)), ..Self::alone() }
    }

    /// Whether what was read then may be believed now. Without an answer for so long, revocations may have been missed.
    pub fn believes(&self, read: Instant) -> bool {
        self.heard.is_none() || self.silence() < BELIEVED_FOR || read.elapsed() < BELIEVED_FOR
    }

    /// Has the other replicas told soon that something was revoked.
    pub fn announce(&self) {
        self.announce.notify_one();
    }

    /// For how long no answer has come.
    fn silence(&self) -> Duration {
        let heard = self.heard.as_ref().map_or(0, |heard| heard.load(Ordering::Acquire));
        self.begin.elapsed().saturating_sub(Duration::from_millis(heard))
    }

    fn hear(&self, asked: Instant) {
        let at = u64::try_from(asked.duration_since(self.begin).as_millis()).unwrap_or(u64::MAX);
        if let Some(heard) = &self.heard {
            heard.store(at, Ordering::Release);
        }
    }
}

/// Follows the other replicas' revocations, until the service stops.
pub async fn follow(ledger: Arc<Ledger>, pushes: Option<Database>, shutdown: CancellationToken) {
    let Ledger { tokens, cache, feed, .. } = &*ledger;
    let (mut listening, mut looked) = (None, None);
    let ask = async {
        loop {
            let asked = Instant::now();
            match tokens.revoked_lately().await {
                Ok(revoked) => {
                    if feed.silence() > MEMORY {
                        cache.clear();
                    }
                    for id in revoked {
                        cache.revoke(id);
                    }
                    feed.hear(asked);
                }
                Err(error) => tracing::warn!(%error, "cannot ask what other replicas have revoked"),
            }
            if looked.is_none_or(|looked: Instant| looked.elapsed() > LOOK_FOR_FOREIGN) {
                ledger.look_for_foreign().await;
                looked = Some(asked);
            }
            let _ = tokio::time::timeout(POLL, heard(&mut listening, pushes.as_ref())).await;
        }
    };
    shutdown.run_until_cancelled(ask).await;
}

/// Returns when another replica has announced something; never without pushes.
async fn heard(listening: &mut Option<Listener>, pushes: Option<&Database>) {
    let Some(database) = pushes else { return std::future::pending().await };
    let outcome: Result<(), StoreError> = async {
        if listening.is_none() {
            *listening = database.listen(CHANNEL).await?;
        }
        match listening {
            Some(listener) => listener.heard().await,
            None => std::future::pending().await,
        }
    }
    .await;
    if let Err(error) = outcome {
        tracing::debug!(%error, "revocations of other replicas are not pushed for now");
        *listening = None;
        std::future::pending::<()>().await;
    }
}

/// Announces this process's revocations, until the service stops.
pub async fn announce(feed: Arc<Feed>, pushes: Database, shutdown: CancellationToken) {
    let announce = async {
        loop {
            feed.announce.notified().await;
            if let Err(error) = pushes.announce(CHANNEL).await {
                tracing::debug!(%error, "a revocation is not announced; other replicas will ask");
            }
            tokio::time::sleep(ANNOUNCE).await;
        }
    };
    shutdown.run_until_cancelled(announce).await;
}
