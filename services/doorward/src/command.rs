//! What each subcommand does.

pub(crate) mod authenticate;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod doctor;
mod factors;
pub(crate) mod group;
pub(crate) mod health;
mod invitation;
pub(crate) mod migrate;
mod passphrase;
pub(crate) mod restore;
pub(crate) mod secrets;
pub(crate) mod service_account;
pub(crate) mod shell;
pub(crate) mod user;
pub(crate) mod user_import;
pub(crate) mod workload;

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Read};

use ::config::Secret;
use authn::BoxError;
use runtime::Context;
use serde_json::Value;

use crate::cli::{PasswordSource, SecretSource};

/// The longest secret that is read, in bytes.
const MAX_SECRET: u64 = 64 * 1024;

/// Does work that SIGINT and SIGTERM interrupt: it is dropped, and with it undone as far as it has gone.
///
/// # Errors
/// Those of the work, or that it was interrupted.
pub(crate) async fn interruptible<T>(
    context: &Context,
    work: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    let outcome = context.shutdown.run_until_cancelled(work).await;
    outcome.unwrap_or_else(|| Err("interrupted; nothing was changed".into()))
}

/// Prints a line of a command's result.
pub(crate) fn say(text: impl Display) -> Result<(), BoxError> {
    runtime::print(format_args!("{text}\n"))
}

/// Prints JSON.
pub(crate) fn json(value: &Value) -> Result<(), BoxError> {
    say(serde_json::to_string_pretty(value)?)
}

/// Prints rows in columns, below a head.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Result<(), BoxError> {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    say(line(head))?;
    rows.iter().try_for_each(|row| say(line(row.each_ref().map(String::as_str))))
}

/// The secret that the command was pointed to, or that is typed at a prompt.
pub(crate) fn secret(source: &SecretSource, prompt: &str) -> Result<Secret, BoxError> {
    match &source.secret_file {
        Some(file) => read_file(file),
        None if source.no_secret => Ok(Secret::default()),
        None if source.secret_stdin || !io::stdin().is_terminal() => read_stdin(),
        None => Ok(Secret::from(rpassword::prompt_password(prompt)?)),
    }
}

/// A new password.
pub(crate) enum NewPassword {
    /// There is to be none.
    Absent,
    /// One that the operator knows.
    Given(Secret),
    /// One that the operator has to be shown, once it is set.
    Generated(Secret),
}

impl NewPassword {
    /// The password, if there is to be one.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Absent => None,
            Self::Given(password) | Self::Generated(password) => Some(password),
        }
    }
}

/// The new password that the command was pointed to.
pub(crate) fn new_password(
    source: &PasswordSource,
    username: &str,
    generate: impl FnOnce() -> Secret,
) -> Result<NewPassword, BoxError> {
    if source.no_password {
        return Ok(NewPassword::Absent);
    }
    if source.generate {
        return Ok(NewPassword::Generated(generate()));
    }
    if let Some(file) = &source.password_file {
        return read_file(file).map(NewPassword::Given);
    }
    if source.password_stdin || !io::stdin().is_terminal() {
        return read_stdin().map(NewPassword::Given);
    }
    let password = rpassword::prompt_password(format!("new password of {username}: "))?;
    if password != rpassword::prompt_password("the same again: ")? {
        return Err("the two passwords are not the same; nothing was changed".into());
    }
    Ok(NewPassword::Given(Secret::from(password)))
}

fn read_file(file: &std::path::Path) -> Result<Secret, BoxError> {
    let open = || -> io::Result<String> {
        let mut text = String::new();
        std::fs::File::open(file)?.take(MAX_SECRET).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = open().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(without_newline(&text))
}

fn read_stdin() -> Result<Secret, BoxError> {
    let mut text = String::new();
    io::stdin().lock().take(MAX_SECRET).read_line(&mut text)?;
    Ok(without_newline(&text))
}

fn without_newline(text: &str) -> Secret {
    let text = text.strip_suffix('\n').unwrap_or(text);
    Secret::from(text.strip_suffix('\r').unwrap_or(text))
}

/// A password that can be read aloud: five groups of five signs without look-alikes, 125 random bits.
pub(crate) fn make_password(random: &runtime::Random) -> Secret {
    // 32 signs, so that a random byte's low five bits choose evenly; no 1, l, 0 or o.
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes: [u8; 25] = random.bytes();
    let sign = |byte: &u8| char::from(SIGNS[usize::from(byte & 31)]);
    let groups: Vec<String> = bytes.chunks(5).map(|group| group.iter().map(sign).collect()).collect();
    Secret::from(groups.join("-"))
}
