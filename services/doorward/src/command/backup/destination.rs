//! Where a backup is written to: a file, or standard output.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use authn::BoxError;
use config::Environment;
use tokio::sync::oneshot;

use crate::command::say;

/// How the file is called that is written to standard output once it is complete.
const UNNAMED: &str = "standard-output";

/// Where a backup is written to.
pub(super) struct Destination {
    /// The file that is written. It never has this name if the backup is for standard output.
    pub(super) path: PathBuf,
    /// Whether the backup is for standard output.
    pub(super) is_stdout: bool,
}

impl Destination {
    /// That of the argument. What is for standard output is made in the data folder, or in the folder for temporary files if there is
    /// no data folder: until all of it is there, a reader would have no backup.
    pub(super) fn new(file: &Path, data: &Path, environment: &Environment) -> Self {
        if !is_stdout(file) {
            return Self { path: file.to_owned(), is_stdout: false };
        }
        let temporary = || PathBuf::from(environment.get_filled("TMPDIR").unwrap_or("/tmp"));
        let folder = if data.is_dir() { data.to_owned() } else { temporary() };
        Self { path: folder.join(UNNAMED), is_stdout: true }
    }

    /// Prints a line about the backup: on standard error if the backup is for standard output.
    pub(super) fn say(&self, text: impl Display) -> Result<(), BoxError> {
        if self.is_stdout {
            // a line that cannot be printed makes the backup no worse
            let _ = writeln!(io::stderr().lock(), "{text}");
            return Ok(());
        }
        say(text)
    }
}

/// Whether the argument means standard output.
pub(super) fn is_stdout(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Fails if standard output is a terminal.
pub(super) fn check_redirected() -> Result<(), BoxError> {
    if io::stdout().is_terminal() {
        return Err("-: standard output is a terminal; redirect it to a file, or name the file".into());
    }
    Ok(())
}

/// Copies a file to standard output. A thread of its own does it, so that the command can be interrupted while the reader waits.
pub(super) async fn write_out(mut backup: File) -> Result<(), BoxError> {
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let (sender, outcome) = oneshot::channel();
    thread::spawn(move || sender.send(io::copy(&mut backup, &mut output)));
    outcome.await?.map_err(|error| format!("standard output: {error}"))?;
    Ok(())
}
