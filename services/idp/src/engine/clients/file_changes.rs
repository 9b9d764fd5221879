//! Changes of the file of clients while the service runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use runtime::{Context, FileReloads, FileSetting, Reading, RereadError, Service};
use store::StoreError;
use tokio_util::sync::CancellationToken;

use super::change::LONGEST_TOKEN;
use super::{Clients, Described, FileError, Source, file, reliance};
use crate::Idp;

/// How long after a failed attempt the next one follows, at first and at most.
const RETRY_INTERVAL: [Duration; 2] = [Duration::from_millis(500), Duration::from_mins(1)];

/// Why changes of the file are not, or not completely, in effect.
#[derive(Debug, thiserror::Error)]
pub enum FileChangeError {
    /// The file is invalid or incomplete, and nothing has changed.
    #[error(transparent)]
    File(#[from] RereadError),
    /// The clients have changed, but grants of removed ones may still be there.
    #[error("the clients are changed, but what users have granted to removed ones is not revoked yet: {0}")]
    Store(#[from] StoreError),
}

/// What is noticed of the file of clients from now on.
pub(super) fn reloads(file: &Path, context: &Context) -> FileReloads {
    let setting = FileSetting { service: Idp::IDENTITY.name, name: "IDP_CLIENTS_FILE", files: vec![file.to_owned()] };
    FileReloads::new(setting, context)
}

impl Clients {
    /// Whether a file has clients.
    pub(crate) fn has_file(&self) -> bool {
        self.0.file.is_some()
    }

    /// Reads the file again when it changes and at SIGHUP, until the service stops. An invalid file changes nothing. To be called once.
    pub(crate) async fn follow_file(self, shutdown: CancellationToken) {
        let Some(mut reloads) = self.take_reloads() else { return };
        while reloads.next(&shutdown).await {
            let outcome = self.read_file_again(&mut reloads).await;
            reloads.record(outcome);
        }
    }

    /// What is noticed of the file; nothing if it was taken before.
    pub(super) fn take_reloads(&self) -> Option<FileReloads> {
        self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Reads the file again. Added and changed clients take effect at once; what users have granted to a removed one is revoked, as when an
    /// administrator removes it (`docs/security-requirements.md#i60`). Returns which clients have changed.
    ///
    /// # Errors
    /// [`FileChangeError`]; an invalid or incomplete file changes nothing.
    pub(super) async fn read_file_again(&self, reloads: &mut FileReloads) -> Result<String, FileChangeError> {
        let reader = self.clone();
        let read = move || {
            let is_configured = |described: &Described| described.client.source == Source::Configured;
            if let Some(file) = reader.0.file.as_ref().filter(|_| reader.0.fixed.load().values().any(is_configured)) {
                file::require_list(file)?;
            }
            let files = reader.0.file.iter().cloned().collect();
            Ok::<_, FileError>(Reading { value: reader.read_file()?, files })
        };
        let after = reloads.read_again(read).await?;
        let before = self.0.fixed.swap(Arc::new(after.clone()));
        self.forget();
        let removed = before.keys().filter(|id| !after.contains_key(*id)).cloned();
        self.0.removed.lock().await.extend(removed);
        if let Err(error) = self.revoke_grants_of_removed().await {
            self.0.is_unrevoked.notify_one();
            return Err(error.into());
        }
        Ok(changes(&before, &after))
    }

    /// Revokes what users have granted to clients that the file no longer has, where that has failed before, or where they were removed
    /// while idp did not run. Retries while the database fails, until the service stops.
    pub(crate) async fn keep_revoking_grants_of_removed(self, shutdown: CancellationToken) {
        let keep_revoking = async {
            retry(|| self.revoke_what_no_source_has()).await;
            loop {
                self.0.is_unrevoked.notified().await;
                retry(|| self.revoke_grants_of_removed()).await;
            }
        };
        let _: Option<()> = shutdown.run_until_cancelled(keep_revoking).await;
    }

    /// Revokes what users have granted to clients that no source has any more, if they have granted it before the file was changed last: what
    /// is newer may be for a client in the newer file of another replica. Nothing if there is no complete file: what is revoked does not come
    /// back with a client.
    pub(super) async fn revoke_what_no_source_has(&self) -> Result<(), StoreError> {
        let Some(file) = self.0.file.clone() else { return Ok(()) };
        let Ok(Some(changed)) = tokio::task::spawn_blocking(move || changed_at(&file)).await else { return Ok(()) };
        let unknown = self.0.store.clients_only_in_grants(changed).await?;
        let fixed = self.0.fixed.load_full();
        self.0.removed.lock().await.extend(unknown.into_iter().filter(|id| !fixed.contains_key(id)));
        self.revoke_grants_of_removed().await
    }

    /// Revokes what users have granted to the clients that are noted as removed, unless they are there again.
    async fn revoke_grants_of_removed(&self) -> Result<(), StoreError> {
        let mut removed = self.0.removed.lock().await;
        while let Some(id) = removed.first().cloned() {
            let is_there_again = self.0.fixed.load().contains_key(&id);
            if !is_there_again && self.revoke_grants_unless_stored(&id).await? {
                tracing::warn!(client = id, "what users have granted to the client {id} is revoked, as it is removed");
            }
            removed.remove(&id);
        }
        Ok(())
    }

    /// The built-in clients and those of the file, by identifier.
    pub(super) fn read_file(&self) -> Result<BTreeMap<String, Described>, FileError> {
        let (sites, sealer) = (&self.0.sites, &self.0.sealer);
        let configured = self.0.file.as_ref().map(|file| file::read(file, sites, sealer)).transpose()?;
        if let (Some(file), Some(signed_with)) = (&self.0.file, self.0.signed_with.get()) {
            reliance::check_keys(file, configured.iter().flatten(), signed_with)?;
        }
        let all = self.0.built_in.iter().cloned().chain(configured.unwrap_or_default());
        Ok(all.map(|described| (described.client.id.clone(), described)).collect())
    }

    /// Revokes what users have granted to a client; nothing if the database has a client of that identifier, which takes its place. Returns
    /// whether it was revoked.
    async fn revoke_grants_unless_stored(&self, id: &str) -> Result<bool, StoreError> {
        if self.0.store.client(id).await?.is_some() {
            return Ok(false);
        }
        let now = self.0.clock.now();
        self.0.store.revoke_grants_of_client(id, now + LONGEST_TOKEN, now).await?;
        Ok(true)
    }
}

/// When a file was changed last; `None` if it is not complete.
fn changed_at(path: &Path) -> Option<SystemTime> {
    // before it is read: a change in between is not older than what this says
    let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    file::require_list(path).ok().map(|()| changed)
}

/// Does this until it succeeds.
async fn retry<F: Future<Output = Result<(), StoreError>>>(work: impl Fn() -> F) {
    let [mut pause, longest] = RETRY_INTERVAL;
    while let Err(error) = work().await {
        tracing::warn!(%error, "what users have granted to removed clients is not revoked yet; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Which clients differ, by identifier.
fn changes(before: &BTreeMap<String, Described>, after: &BTreeMap<String, Described>) -> String {
    let ids = |ids: Vec<&String>| ids.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let only_in = |one: &BTreeMap<String, Described>, other: &BTreeMap<String, Described>| {
        ids(one.keys().filter(|id| !other.contains_key(*id)).collect())
    };
    let is_changed = |id: &&String| match (before.get(*id), after.get(*id)) {
        (Some(before), Some(after)) => !is_same(before, after),
        _ => false,
    };
    let count = after.values().filter(|described| described.client.source == Source::Configured).count();
    let (added, removed) = (only_in(after, before), only_in(before, after));
    let changed = ids(after.keys().filter(is_changed).collect());
    format!("{count} clients; added: [{added}]; changed: [{changed}]; removed: [{removed}]")
}

/// Whether two versions of a client have the same source, metadata and secrets.
fn is_same(one: &Described, other: &Described) -> bool {
    let secrets =
        |described: &Described| described.client.secrets.iter().map(|secret| secret.digest).collect::<Vec<_>>();
    one.client.source == other.client.source
        && one.metadata.to_members() == other.metadata.to_members()
        && secrets(one) == secrets(other)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_tried_again_after_longer_and_longer_pauses() {
        let (attempts, begin) = (AtomicU32::new(0), Instant::now());
        retry(|| async {
            let is_away = attempts.fetch_add(1, Ordering::AcqRel) < 10;
            if is_away { Err(StoreError::internal("the database is away")) } else { Ok(()) }
        })
        .await;
        assert_eq!(attempts.into_inner(), 11);
        assert_eq!(begin.elapsed().as_secs(), 63 + 3 * 60, "0.5 s to 32 s, then a minute each");
    }
}
