//! What commands print on standard output.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use authn::BoxError;

/// Prints a part of a command's result. A reader that has gone away, as `head` does, has seen what it wanted: that is no error.
///
/// # Errors
/// When standard output cannot be written for another reason, like a full disk.
pub fn print(text: impl Display) -> Result<(), BoxError> {
    match write(&text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("standard output: {error}").into()),
        _ => Ok(()),
    }
}

/// Prints what cannot be printed again, like a new secret. `remedy` says what to do when it was not shown.
///
/// # Errors
/// When standard output cannot be written, is closed or discards what it is given.
pub fn print_once(text: impl Display, remedy: impl Display) -> Result<(), BoxError> {
    let shown = if is_discarded() { Err(io::Error::other("it is closed or /dev/null")) } else { write(&text) };
    shown.map_err(|error| {
        format!("standard output: {error}, and what is shown only once was not shown; {remedy}").into()
    })
}

fn write(text: &impl Display) -> io::Result<()> {
    let mut output = io::stdout().lock();
    write!(output, "{text}")?;
    output.flush()
}

/// Whether standard output is the null device. A process that is started with it closed gets the null device for it.
fn is_discarded() -> bool {
    let output = io::stdout().as_fd().try_clone_to_owned().and_then(|output| File::from(output).metadata());
    let null = fs::metadata("/dev/null");
    match (output, null) {
        (Ok(output), Ok(null)) => output.file_type().is_char_device() && output.rdev() == null.rdev(),
        // it is closed
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    }
}
