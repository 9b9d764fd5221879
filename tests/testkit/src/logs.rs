//! Where tests log, and which secrets must never appear there.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// `target/test-logs`, found from the running test's own place in `target/<profile>/deps`.
pub(crate) fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a file");
    let profile = test.ancestors().find(|folder| folder.join("deps").is_dir()).expect("a test lies in a target folder");
    let folder = profile.parent().unwrap_or(profile).join("test-logs");
    fs::create_dir_all(&folder).expect("the folder of test logs can be made");
    folder
}

/// Records a secret that the run uses, so that `cargo xtask test` can look for it in every log.
pub fn note_secret(secret: &str) {
    let file = OpenOptions::new().create(true).append(true).open(folder().join("secrets.txt"));
    // One write a line: tests of other processes append to the same file.
    let line = format!("{secret}\n");
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("secrets.txt can be written");
}

/// Writes a file of a secret, which its owner alone can read.
///
/// # Panics
/// When it cannot be written.
pub fn write_secret(path: &Path, secret: &str) {
    let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(secret.as_bytes())).expect("a file of a secret can be written");
}
