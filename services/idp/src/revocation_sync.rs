//! What this process and other replicas have revoked and changed, read from the database: at the start, at each poll, and where
//! a poll would be too late.

use std::time::{Duration, Instant, SystemTime};

use runtime::Clock;
use store::{Database, StoreError, Unread};
use tokio_util::sync::CancellationToken;

use crate::model::Grant;
use crate::revocations::{Revocations, cutoff_ids};
use crate::store::Store;

/// How often revocations are forgotten that are over.
const FORGET_INTERVAL: Duration = Duration::from_mins(1);

/// What is revoked by now. From now on the set learns at once of what is revoked by way of this store or a clone of it.
///
/// # Errors
/// When the database cannot be read.
pub async fn open(store: &Store, now: SystemTime) -> Result<Revocations, StoreError> {
    let revocations = Revocations::open(store.database()).await?;
    store.inform(&revocations);
    revocations.note(store.revocations(None, now).await?);
    revocations.set_version(store.version().await?);
    Ok(revocations)
}

/// Follows what is revoked and changed, here and by other replicas, until the service stops. Without `pushes` it is only polled.
pub async fn run(
    revocations: Revocations,
    store: Store,
    pushes: Option<Database>,
    clock: Clock,
    shutdown: CancellationToken,
) {
    let mut forgotten = Instant::now();
    let poll = || {
        if forgotten.elapsed() > FORGET_INTERVAL {
            revocations.prune(clock.now());
            forgotten = Instant::now();
        }
        read_changes(&revocations, &store, clock.now())
    };
    revocations.sync().run(pushes, poll, shutdown).await;
}

async fn read_changes(revocations: &Revocations, store: &Store, now: SystemTime) -> Result<(), StoreError> {
    let read = |unread: Unread| async move {
        let unread = Some(&unread).filter(|unread| !unread.may_lack_changes());
        revocations.note(store.revocations(unread, now).await?);
        Ok(())
    };
    revocations.sync().read(read).await?;
    revocations.set_version(store.version().await?);
    Ok(())
}

/// Reads whether everything of a grant's user, of its client and that user, or of its session was ended: another replica may have ended it a
/// moment ago.
///
/// # Errors
/// When the database cannot be read.
pub(crate) async fn read_cutoffs(
    revocations: &Revocations,
    store: &Store,
    grant: &Grant,
    now: SystemTime,
) -> Result<(), StoreError> {
    let ids = cutoff_ids(grant);
    if !ids.is_empty() {
        revocations.note(store.revocations_among(&ids, now).await?);
    }
    Ok(())
}
