//! Where account, certificate and attempts are stored: in a file of the data folder, or in the database that replicas share.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use config::{PrivateKeyFile, SecretFileError};
use runtime::StagedFile;
use store::StoreError;

use super::challenges::Answer;
use super::state::State;
use crate::session::seal::{Purpose, Sealer};
use crate::store::acme::Row;

/// The file in the data folder.
const FILE: &str = "acme.json";
/// The file that is locked while an order runs.
const LOCK: &str = "acme.lock";
/// How long a replica has the row of the database. An order takes less.
const LEASE: Duration = Duration::from_mins(10);

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// A file.
    #[error("{}: {source}; OCIS_BASE_DATA_PATH names the folder", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The file has a private key, and cannot be used.
    #[error("{}, {source}", path.display())]
    Secret {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: SecretFileError,
    },
    /// The file has other content.
    #[error("{} is no state of ACME: {source}; remove it to obtain another certificate", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The row was sealed under another secret.
    #[error(
        "the stored certificate of ACME cannot be opened: name the secret that sealed it in PROXY_SESSION_SECRET_PREVIOUS, or delete the row of proxy_acme"
    )]
    Sealed,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another replica has taken over.
    #[error("another replica has taken over the order")]
    Lost,
}

/// Where the state is stored.
pub(crate) enum Storage {
    /// In a file of this folder, which is used by one process.
    Folder(PathBuf),
    /// In a row of the database.
    Shared {
        /// The row.
        row: Row,
        /// Seals the state.
        sealer: Box<Sealer>,
        /// What this replica is called there.
        holder: String,
    },
}

/// The right to order. It ends when it is released or dropped; of a row after [`LEASE`].
pub(crate) struct Lock(Option<File>);

impl Drop for Lock {
    fn drop(&mut self) {
        // a process that is being started at this moment shares the lock until it runs its program
        let _ = self.0.as_ref().map(File::unlock);
    }
}

impl Storage {
    /// In this folder, which is created if it is missing.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, StorageError> {
        let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        created.map_err(|source| StorageError::File { path: folder.to_owned(), source })?;
        Ok(Self::Folder(folder.to_owned()))
    }

    /// The file of a state in this folder.
    pub(crate) fn file_in(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    /// The stored state; an empty one if there is none.
    pub(crate) async fn read(&self) -> Result<State, StorageError> {
        match self {
            Self::Folder(folder) => read_file(&Self::file_in(folder)),
            Self::Shared { row, sealer, .. } => {
                let Some(sealed) = row.state().await? else { return Ok(State::default()) };
                // replicas may have different secrets: one that cannot open the row must not replace what others use
                sealer.open(Purpose::Acme(row.id()), &sealed).ok_or(StorageError::Sealed)
            }
        }
    }

    /// The right to order; `None` while another process has it.
    pub(crate) async fn lock(&self, now: SystemTime) -> Result<Option<Lock>, StorageError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(LOCK);
                let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
                let file = open.map_err(|source| StorageError::File { path: path.clone(), source })?;
                match file.try_lock() {
                    Ok(()) => Ok(Some(Lock(Some(file)))),
                    Err(TryLockError::WouldBlock) => Ok(None),
                    Err(TryLockError::Error(source)) => Err(StorageError::File { path, source }),
                }
            }
            Self::Shared { row, holder, .. } => {
                let now = row.time().await?.unwrap_or(now);
                Ok(row.claim(holder, now, now + LEASE).await?.then_some(Lock(None)))
            }
        }
    }

    /// Replaces the state.
    pub(crate) async fn write(&self, _lock: &Lock, state: &State) -> Result<(), StorageError> {
        match self {
            Self::Folder(folder) => {
                let path = Self::file_in(folder);
                let text =
                    serde_json::to_vec(state).map_err(|source| StorageError::Content { path: path.clone(), source })?;
                // the file has private keys: mode 0600 (`docs/security-requirements.md#e44`)
                let written = StagedFile::write(&path, &text).and_then(StagedFile::replace);
                written.map_err(|source| StorageError::File { path, source })
            }
            Self::Shared { row, sealer, holder } => {
                let sealed = sealer.seal(Purpose::Acme(row.id()), state);
                if row.write_state(holder, &sealed).await? { Ok(()) } else { Err(StorageError::Lost) }
            }
        }
    }

    /// Lets other replicas answer these challenges too. Returns whether that takes them a moment.
    pub(crate) async fn publish(&self, _lock: &Lock, answers: &[Answer]) -> Result<bool, StorageError> {
        let Self::Shared { row, holder, .. } = self else { return Ok(false) };
        let text = serde_json::to_string(answers).unwrap_or_default();
        if row.write_challenges(holder, &text).await? { Ok(true) } else { Err(StorageError::Lost) }
    }

    /// Gives up the right to order, with the challenges.
    pub(crate) async fn release(&self) {
        let Self::Shared { row, holder, .. } = self else { return };
        if let Err(error) = row.release(holder).await {
            tracing::warn!(%error, "other replicas can order a certificate only after some minutes");
        }
    }
}

fn read_file(path: &Path) -> Result<State, StorageError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        _ => {}
    }
    let opened = PrivateKeyFile::from(path.to_owned()).open();
    let mut file = opened.map_err(|source| StorageError::Secret { path: path.to_owned(), source })?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(|source| StorageError::File { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| StorageError::Content { path: path.to_owned(), source })
}
