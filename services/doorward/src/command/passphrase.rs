//! Passphrases of backups.

use std::io::{self, IsTerminal};

use authn::BoxError;
use config::Secret;

use super::{read_file, read_stdin};
use crate::cli::PassphraseSource;

/// The shortest new passphrase, in bytes.
const SHORTEST: usize = 12;

/// The passphrase of a backup that exists.
pub(super) fn of_backup(source: &PassphraseSource) -> Result<Secret, BoxError> {
    match named(source)? {
        Some(passphrase) => Ok(passphrase),
        None => Ok(Secret::from(rpassword::prompt_password("passphrase of the backup: ")?)),
    }
}

/// The passphrase of a new backup; typed at a prompt, it is asked for twice.
pub(super) fn new(source: &PassphraseSource) -> Result<Secret, BoxError> {
    let passphrase = if let Some(passphrase) = named(source)? {
        passphrase
    } else {
        let typed = rpassword::prompt_password("passphrase for the secrets: ")?;
        if typed != rpassword::prompt_password("the same again: ")? {
            return Err("the two passphrases are not the same; there is no backup".into());
        }
        Secret::from(typed)
    };
    let length = passphrase.expose().len();
    if length < SHORTEST {
        return Err(format!("the passphrase must have at least {SHORTEST} bytes, not {length}").into());
    }
    Ok(passphrase)
}

/// The passphrase that the command was pointed to; `None` if it can be asked for.
fn named(source: &PassphraseSource) -> Result<Option<Secret>, BoxError> {
    match &source.passphrase_file {
        Some(file) => read_file(file).map(Some),
        None if source.passphrase_stdin => read_stdin().map(Some),
        None if io::stdin().is_terminal() => Ok(None),
        None => {
            Err("there is no terminal to ask for the passphrase; name --passphrase-file or --passphrase-stdin".into())
        }
    }
}
