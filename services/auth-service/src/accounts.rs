//! The accounts of the configuration: read, checked, and compared with what a caller presents.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use authn::{Authenticated, Reason, Scopes, User, UserId, UserType, amr};
use config::{Secret, SecretFileError, read_secret_file, read_yaml_file};
use crypto::{HMAC_LEN, HmacKey};
use runtime::Random;
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use workload::Workloads;

use crate::config::{Config, MIN_SECRET};

/// The scope with everything that an account may do.
pub(crate) const USER_SCOPE: &str = "user";

/// Why the accounts are refused. One line each, without a secret.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// A file cannot be read.
    #[error("AUTH_SERVICE_ACCOUNTS_FILE: cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of a secret cannot be used.
    #[error("service account {id:?} names the file {}, {source}", file.display())]
    SecretFile {
        /// The account's identifier.
        id: String,
        /// The file.
        file: PathBuf,
        /// Why.
        source: SecretFileError,
    },
    /// The file is not a list of accounts.
    #[error("AUTH_SERVICE_ACCOUNTS_FILE: {} is not a list of accounts: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What the parser says.
        problem: String,
    },
    /// One account is wrong.
    #[error("service account {id:?}: {problem}")]
    Account {
        /// Its identifier.
        id: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// One account as the file has it. Not `Debug`: it holds the secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    secret: Option<String>,
    secret_file: Option<PathBuf>,
    /// Absent is everything that the account may; an empty list is a mistake.
    scopes: Option<Vec<String>>,
    /// RFC 3339.
    expires: Option<String>,
    #[serde(default)]
    disabled: bool,
}

struct Account {
    /// Of the secret, under a key that only this process knows; `None` if only a workload is the account.
    digest: Option<[u8; HMAC_LEN]>,
    /// Of the secret before it, which is accepted too.
    previous: Option<[u8; HMAC_LEN]>,
    authenticated: Authenticated,
    disabled: bool,
}

/// All accounts, by identifier. Secrets are not kept, only their digests under a random key.
pub struct Accounts {
    key: HmacKey,
    /// Compared with when there is no such account, so that the answer takes as long.
    dummy: [u8; HMAC_LEN],
    by_id: HashMap<String, Account>,
    files: Vec<PathBuf>,
}

impl Accounts {
    /// Reads the accounts that a configuration names.
    pub fn load(config: &Config, random: &Random) -> Result<Self, AccountsError> {
        let key = HmacKey::new(&random.bytes::<HMAC_LEN>());
        let dummy = key.digest(&[]);
        let mut accounts = Self { key, dummy, by_id: HashMap::new(), files: Vec::new() };
        let own = &config.service_account;
        if !own.id.is_empty() {
            accounts.add(&own.id, Some(&own.secret), Scopes::full_user(), None, false)?;
            let previous = &own.secret_previous;
            if let Some(account) = accounts.by_id.get_mut(&own.id).filter(|_| !previous.is_empty()) {
                account.previous = Some(accounts.key.digest(previous.expose().as_bytes()));
            }
        }
        if let Some(file) = &config.accounts_file {
            accounts.files.push(file.clone());
            for entry in read(file)? {
                accounts.files.extend(entry.secret_file.clone());
                let secret = entry.secret(config.secret_files.allow_readable_secrets)?;
                if secret.is_none() && config.workload_policy.policy_file.is_none() {
                    return Err(entry.problem("must have either secret or secret_file"));
                }
                accounts.add(&entry.id, secret.as_ref(), entry.scopes()?, entry.expires()?, entry.disabled)?;
            }
        }
        Ok(accounts)
    }

    fn add(
        &mut self,
        id: &str,
        secret: Option<&Secret>,
        scopes: Scopes,
        not_after: Option<SystemTime>,
        disabled: bool,
    ) -> Result<(), AccountsError> {
        let refuse = |problem: String| Err(AccountsError::Account { id: id.to_owned(), problem });
        if id.is_empty() || self.by_id.contains_key(id) {
            return refuse("must have an id that no other account has".to_owned());
        }
        if let Some(weakness) = secret.and_then(|secret| secret.weakness(MIN_SECRET)) {
            return refuse(format!("the secret {weakness}"));
        }
        if secret.is_some_and(|secret| Workloads::is_token(secret.expose())) {
            return refuse("the secret has the form of a token (JWT), and would never be compared".to_owned());
        }
        let authenticated = authenticated(id, "", scopes, not_after);
        let digest = secret.map(|secret| self.key.digest(secret.expose().as_bytes()));
        self.by_id.insert(id.to_owned(), Account { digest, previous: None, authenticated, disabled });
        Ok(())
    }

    /// The account these credentials belong to, in the same time whether or not there is one of that name.
    pub fn verify(&self, id: &str, secret: &str, now: SystemTime) -> Result<Authenticated, Reason> {
        if secret.is_empty() {
            return Err(Reason::EmptySecret);
        }
        let account = self.by_id.get(id);
        let expected = account.and_then(|account| account.digest.as_ref()).unwrap_or(&self.dummy);
        let previous = account.and_then(|account| account.previous.as_ref()).unwrap_or(&self.dummy);
        let equal = self.key.verify(secret.as_bytes(), expected) | self.key.verify(secret.as_bytes(), previous);
        match account {
            None => Err(Reason::UnknownUser),
            Some(_) if !equal => Err(Reason::WrongSecret),
            Some(account) => account.granted(now),
        }
    }

    /// The account of this identifier, for a workload that is the account.
    pub fn granted(&self, id: &str, now: SystemTime) -> Result<Authenticated, Reason> {
        self.by_id.get(id).ok_or(Reason::UnknownUser)?.granted(now)
    }

    /// Whether there is an account with this identifier.
    pub fn contains(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The files that were read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl Account {
    /// What the account is answered with, unless it is disabled or has ended.
    fn granted(&self, now: SystemTime) -> Result<Authenticated, Reason> {
        if self.disabled {
            return Err(Reason::Disabled);
        }
        if self.authenticated.not_after.is_some_and(|end| now >= end) {
            return Err(Reason::Expired);
        }
        Ok(self.authenticated.clone())
    }
}

/// A scope that accounts do not have.
#[derive(Debug, thiserror::Error)]
#[error("there is no scope {0:?}; there is: user")]
pub struct UnknownScope(String);

/// What an account with these scopes may do.
pub(crate) fn scopes(named: &[String]) -> Result<Scopes, UnknownScope> {
    match named.iter().find(|scope| *scope != USER_SCOPE) {
        Some(unknown) => Err(UnknownScope(unknown.clone())),
        None => Ok(Scopes::full_user()),
    }
}

/// What the service answers for an account.
pub(crate) fn authenticated(
    id: &str,
    display_name: &str,
    scopes: Scopes,
    not_after: Option<SystemTime>,
) -> Authenticated {
    let id = UserId { idp: "none".to_owned(), opaque_id: id.to_owned(), kind: UserType::Service, ..UserId::default() };
    let user = Arc::new(User { id, display_name: display_name.to_owned(), ..User::default() });
    Authenticated { scopes: Arc::new(scopes), not_after, ..Authenticated::full(user, amr::SERVICE) }
}

impl Entry {
    fn problem(&self, problem: impl Into<String>) -> AccountsError {
        AccountsError::Account { id: self.id.clone(), problem: problem.into() }
    }

    fn secret(&self, allow_exposed: bool) -> Result<Option<Secret>, AccountsError> {
        match (&self.secret, &self.secret_file) {
            (None, None) => Ok(None),
            (Some(secret), None) => Ok(Some(Secret::from(secret.as_str()))),
            (None, Some(file)) => read_secret_file(file, allow_exposed)
                .map(Some)
                .map_err(|source| AccountsError::SecretFile { id: self.id.clone(), file: file.clone(), source }),
            (Some(_), Some(_)) => Err(self.problem("must have either secret or secret_file")),
        }
    }

    fn scopes(&self) -> Result<Scopes, AccountsError> {
        match self.scopes.as_deref() {
            None => Ok(Scopes::full_user()),
            Some([]) => Err(self.problem("scopes must not be empty; leave them out for everything the account may")),
            Some(named) => scopes(named).map_err(|unknown| self.problem(unknown.to_string())),
        }
    }

    fn expires(&self) -> Result<Option<SystemTime>, AccountsError> {
        let Some(text) = &self.expires else { return Ok(None) };
        let time = OffsetDateTime::parse(text, &Rfc3339);
        let time = time.map_err(|_| self.problem("expires must be a time like 2027-01-31T00:00:00Z"))?;
        Ok(Some(time.into()))
    }
}

fn read(file: &Path) -> Result<Vec<Entry>, AccountsError> {
    let text = read_yaml_file(file).map_err(|source| AccountsError::Unreadable { file: file.to_owned(), source })?;
    let entries: Result<Option<Vec<Entry>>, _> = serde_yaml_ng::from_str(&text);
    // the parser may quote a value, which may be a secret: only the position is reported
    let entries = entries.map_err(|error| AccountsError::Syntax { file: file.to_owned(), problem: place(&error) })?;
    Ok(entries.unwrap_or_default())
}

fn place(error: &serde_yaml_ng::Error) -> String {
    let hint = "each entry has id, secret or secret_file, and optionally scopes, expires, disabled";
    match error.location() {
        Some(at) => format!("see line {} column {}; {hint}", at.line(), at.column()),
        None => hint.to_owned(),
    }
}

#[cfg(test)]
mod tests;
