//! Files that hold a secret.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use super::Secret;

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
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if !allow_exposed && is_exposed(&metadata) {
        return Err(SecretFileError::Exposed { mode: metadata.mode() & 0o7777 });
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Secret::from(text))
}

/// Whether accounts other than the owner and this process can read the file. A file that belongs to another account, like the
/// secrets that Kubernetes mounts for root and the pod's group, is readable for this process only by its group.
pub(super) fn is_exposed(metadata: &Metadata) -> bool {
    let is_ours = metadata.uid() == geteuid().as_raw();
    metadata.mode() & 0o004 != 0 || (is_ours && metadata.mode() & 0o040 != 0)
}
