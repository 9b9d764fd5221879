//! One process at a time makes the files of a folder.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file that is locked. It stays in the folder: whoever removed it would let two processes in.
const FILE: &str = "start.lock";

/// Waits until no other process makes files in this folder, and lets none do so until the result is dropped. For what is made
/// once, at the first start: two processes that start at the same time must not each use what it has made itself.
///
/// # Errors
/// When the folder cannot be written, or its file system has no locks.
pub fn lock_folder(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(FILE))?;
    file.lock()?;
    Ok(file)
}
