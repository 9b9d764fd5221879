//! What other replicas revoke and change. It is pushed, so that it arrives at once, and asked for every second, so that it
//! arrives in any case.

use std::time::{Duration, Instant};

use runtime::Clock;
use store::{Database, Listener, StoreError};
use tokio_util::sync::CancellationToken;

use super::Revocations;
use crate::store::Store;

/// Where replicas announce that they have revoked or changed something.
const CHANNEL: &str = "idp_revocations";
/// How often is asked when nobody announces anything.
const POLL: Duration = Duration::from_secs(1);
/// At most so often is announced, however much there is: an announcement says only that there is something.
const ANNOUNCE: Duration = Duration::from_millis(50);
/// The store tells of the last 15 seconds; after a longer silence everything is read again.
const MEMORY: Duration = Duration::from_secs(10);
/// How often what is over is forgotten.
const FORGET: Duration = Duration::from_mins(1);

/// Follows what is revoked and changed, here and by other replicas, until the service stops.
pub async fn follow(
    revocations: Revocations,
    store: Store,
    pushes: Option<Database>,
    clock: Clock,
    shutdown: CancellationToken,
) {
    let (mut listening, mut forgotten) = (None, Instant::now());
    let ask = async {
        loop {
            if let Err(error) = revocations.ask(&store, &clock).await {
                tracing::warn!(%error, "cannot ask what other replicas have revoked or changed");
            }
            if forgotten.elapsed() > FORGET {
                revocations.prune(clock.now());
                forgotten = Instant::now();
            }
            tokio::select! {
                () = heard(&mut listening, pushes.as_ref()) => {}
                () = revocations.0.ask.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    };
    shutdown.run_until_cancelled(ask).await;
}

impl Revocations {
    /// Asks once what is new.
    async fn ask(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let asked = Instant::now();
        let revoked = store.revocations(self.silence() > MEMORY, clock.now()).await?;
        self.note(revoked);
        self.hear(asked);
        let version = store.version().await?;
        self.0.version.send_if_modified(|known| std::mem::replace(known, version) != version);
        Ok(())
    }
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
        tracing::debug!(%error, "what other replicas revoke and change is not pushed for now");
        *listening = None;
        std::future::pending::<()>().await;
    }
}

/// Announces what this process revokes and changes, until the service stops.
pub async fn announce(revocations: Revocations, pushes: Database, shutdown: CancellationToken) {
    let announce = async {
        loop {
            revocations.0.announce.notified().await;
            if let Err(error) = pushes.announce(CHANNEL).await {
                tracing::debug!(%error, "a revocation or change is not announced; other replicas will ask");
            }
            tokio::time::sleep(ANNOUNCE).await;
        }
    };
    shutdown.run_until_cancelled(announce).await;
}
