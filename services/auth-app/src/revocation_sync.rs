//! What other replicas have changed: tokens that they have revoked, and whether they have imported any.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Database, StoreError};
use tokio_util::sync::CancellationToken;

use crate::token_service::TokenService;

/// How often this process looks whether another replica has imported tokens of another system.
const LEGACY_HASHES_INTERVAL: Duration = Duration::from_secs(30);

/// Follows the changes of other replicas, until the service stops. Without `pushes` they are only polled.
pub async fn run(tokens: Arc<TokenService>, pushes: Option<Database>, shutdown: CancellationToken) {
    let mut looked: Option<Instant> = None;
    let poll = || {
        let is_due = looked.is_none_or(|looked| looked.elapsed() > LEGACY_HASHES_INTERVAL);
        if is_due {
            looked = Some(Instant::now());
        }
        read_changes(&tokens, is_due)
    };
    tokens.sync.run(pushes, poll, shutdown).await;
}

async fn read_changes(tokens: &TokenService, looks_for_legacy_hashes: bool) -> Result<(), StoreError> {
    let outcome = read_revocations(tokens).await;
    if looks_for_legacy_hashes {
        tokens.look_for_legacy_hashes().await;
    }
    outcome
}

async fn read_revocations(tokens: &TokenService) -> Result<(), StoreError> {
    tokens
        .sync
        .read(|unread| async move {
            let revoked = tokens.store.revocations(&unread).await?;
            if unread.may_lack_changes() {
                tokens.cache.clear();
            }
            for id in revoked {
                tokens.cache.revoke(id);
            }
            Ok(())
        })
        .await
}
