//! Files that hold a secret.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Secret;

/// Why a secret is not read from a file. The text continues the sentence "... names the file FILE".
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be read.
    #[error("which cannot be read: {0}; make it readable for this service or correct the name")]
    Unreadable(#[from] io::Error),
    /// Other accounts of this machine can read it too.
    #[error(
        "which other accounts of this machine can read (mode {mode:04o}); run chmod go-rwx on it, \
         or set OCIS_ALLOW_READABLE_SECRETS=true"
    )]
    Exposed {
        /// The permission bits.
        mode: u32,
    },
}

/// The secret in a file, without the newline that editors and `echo` put at its end; only one is taken off.
///
/// # Errors
/// When the file cannot be read, or when other accounts can read it too and `allow_exposed` is `false`.
pub fn read_secret_file(path: &Path, allow_exposed: bool) -> Result<Secret, SecretFileError> {
    let mut text = String::new();
    open(path, allow_exposed)?.read_to_string(&mut text)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Secret::from(text))
}

fn open(path: &Path, allow_exposed: bool) -> Result<File, SecretFileError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !allow_exposed && is_exposed(&metadata) {
        return Err(SecretFileError::Exposed { mode: metadata.mode() & 0o7777 });
    }
    Ok(file)
}

/// The file of a private key. Its permissions are checked at each reading, as those of other secrets are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String", extend("x-private-key" = true))]
pub struct PrivateKeyFile {
    path: PathBuf,
    allow_exposed: bool,
}

impl From<PathBuf> for PrivateKeyFile {
    /// A file that is refused when other accounts can read it.
    fn from(path: PathBuf) -> Self {
        Self::new(path, false)
    }
}

impl PrivateKeyFile {
    pub(crate) fn new(path: PathBuf, allow_exposed: bool) -> Self {
        Self { path, allow_exposed }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it.
    ///
    /// # Errors
    /// As of [`read_secret_file`].
    pub fn open(&self) -> Result<File, SecretFileError> {
        open(&self.path, self.allow_exposed)
    }
}

/// Whether accounts other than the owner and this process can read the file. A file that belongs to another account, like the
/// secrets that Kubernetes mounts for root and the pod's group, is readable for this process only by its group.
fn is_exposed(metadata: &Metadata) -> bool {
    is_readable_by_others(metadata.mode(), metadata.uid() == geteuid().as_raw())
}

/// Whether other accounts can read the file at this path.
pub(crate) fn is_exposed_at(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| is_exposed(&metadata))
}

fn is_readable_by_others(mode: u32, is_ours: bool) -> bool {
    mode & 0o004 != 0 || (is_ours && mode & 0o040 != 0)
}

#[cfg(test)]
mod tests {
    use super::is_readable_by_others;

    /// Row D4.
    #[test]
    fn file_of_another_account_may_be_readable_for_its_group() {
        for (mode, ours, mounted) in [
            (0o600, false, false),
            (0o400, false, false),
            (0o640, true, false),
            (0o440, true, false),
            (0o644, true, true),
        ] {
            assert_eq!(is_readable_by_others(mode, true), ours, "{mode:04o}");
            assert_eq!(is_readable_by_others(mode, false), mounted, "{mode:04o}, of another account");
        }
    }
}
