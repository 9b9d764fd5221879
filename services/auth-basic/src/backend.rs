//! Who may sign in, and what decides whether a password is theirs.

mod ldap;
mod sql;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use authn::{AuthError, Login, User};
use secrecy::SecretString;
use tokio::time::Instant;

pub(crate) use ldap::Ldap;
pub(crate) use sql::{Hashing, Sql};

use crate::digest::Digest;

/// When to come again while all slots are taken.
pub(crate) const COME_AGAIN: Duration = Duration::from_secs(1);

/// Someone found by login.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Who it is; perhaps disabled.
    pub(crate) user: Arc<User>,
    /// What the password is held against.
    pub(crate) proof: Proof,
}

/// What a password is held against.
#[derive(Clone)]
pub(crate) enum Proof {
    /// Nothing: this person cannot sign in with a password.
    Nothing,
    /// What is kept of the password.
    Verifier(String),
    /// An entry that only its password lets one bind as.
    Entry(::ldap::Account),
}

impl Proof {
    /// What changes when the password does, as far as that can be seen.
    pub(crate) fn stamp(&self) -> &[u8] {
        match self {
            Self::Nothing => b"",
            Self::Verifier(verifier) => verifier.as_bytes(),
            Self::Entry(account) => account.dn().as_bytes(),
        }
    }
}

/// Shows the kind only.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Verifier(_) => "Verifier",
            Self::Entry(_) => "Entry",
        })
    }
}

/// Where people and their passwords are.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// The one person who signs in so.
    async fn find(&self, login: &Login) -> Result<Option<Person>, AuthError>;

    /// Whether so many attempts are under way that [`verify`](Self::verify) would refuse this one.
    fn is_busy(&self, account: Digest) -> bool;

    /// Whether [`Proof::stamp`] changes when any user's password does.
    fn sees_changes(&self) -> bool;

    /// Another number after this service has changed the user's password, where [`Proof::stamp`] stays the same.
    fn generation(&self, _user_id: &str) -> u64 {
        0
    }

    /// Whether the password is this user's. Without a user it is not, after the same work. `account` is the account whose
    /// share of the queue is used, and `begun` is when the lookup of the user began.
    async fn verify(
        &self,
        account: Digest,
        person: Option<&Person>,
        password: &SecretString,
        begun: Instant,
    ) -> Result<bool, AuthError>;
}
