//! Changes of the file of clients while the service runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use runtime::{Context, FileReloads, FileSetting, Service};
use store::StoreError;

use super::change::LONGEST_TOKEN;
use super::{Clients, Described, FileError, Source, file, reliance};
use crate::Idp;

/// Why changes of the file are not, or not completely, in effect.
#[derive(Debug, thiserror::Error)]
pub enum FileChangeError {
    /// The file is invalid, and nothing has changed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file could not be read to its end.
    #[error("the file was not read: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The clients have changed, but grants of removed ones may still be there.
    #[error("the clients are changed, but what users have granted to removed ones is not revoked: {0}")]
    Store(#[from] StoreError),
}

impl Clients {
    /// Reads the file again when it changes and at SIGHUP, until the service stops. An invalid file changes nothing.
    pub(crate) async fn follow_file(self, context: Context) {
        let Some(file) = self.0.file.clone() else { return };
        let (service, name) = (Idp::IDENTITY.name, "IDP_CLIENTS_FILE");
        let mut reloads = FileReloads::new(FileSetting { service, name, files: vec![file] }, &context);
        // it may have changed since the service read it, before it was watched
        if let Err(error) = self.read_file_again().await {
            reloads.record::<FileChangeError>(Err(error));
        }
        while reloads.next(&context.shutdown).await {
            reloads.record(self.read_file_again().await);
        }
    }

    /// Reads the file again. Added and changed clients take effect at once; what users have granted to a removed one is revoked, as when an
    /// administrator removes it (`docs/security-requirements.md#i60`). Returns which clients have changed.
    ///
    /// # Errors
    /// [`FileChangeError`]; an invalid file changes nothing.
    pub async fn read_file_again(&self) -> Result<String, FileChangeError> {
        let reader = self.clone();
        // reading a file blocks
        let read = move || {
            let is_configured = |described: &Described| described.client.source == Source::Configured;
            if let Some(file) = reader.0.file.as_ref().filter(|_| reader.0.fixed.load().values().any(is_configured)) {
                file::require_list(file)?;
            }
            Ok::<_, FileChangeError>(reader.read_file()?)
        };
        let after = tokio::task::spawn_blocking(read).await??;
        let before = self.0.fixed.swap(Arc::new(after.clone()));
        self.forget();
        let mut pending = self.0.removed.lock().await;
        pending.extend(before.keys().filter(|id| !after.contains_key(*id)).cloned());
        pending.retain(|id| !after.contains_key(id));
        while let Some(id) = pending.first().cloned() {
            self.revoke_grants_of_removed(&id).await?;
            pending.remove(&id);
        }
        Ok(changes(&before, &after))
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

    /// Revokes what users have granted to a client that the file no longer has; nothing if the database has a client of that identifier, which
    /// takes its place.
    async fn revoke_grants_of_removed(&self, id: &str) -> Result<(), StoreError> {
        if self.0.store.client(id).await?.is_some() {
            return Ok(());
        }
        let now = self.0.clock.now();
        self.0.store.revoke_grants_of_client(id, now + LONGEST_TOKEN, now).await
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
