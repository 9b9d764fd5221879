//! Whether a password is a person's: the server itself says so, when it lets the person bind.

use std::sync::Arc;
use std::time::Duration;

use authn::{DirectoryError, Groups, Login, User, prepare_password};
use ldap3::dn_escape;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

use crate::Directory;
use crate::failure::{Failure, code};
use crate::pool::Limit;
use crate::server::{PATIENCE, bind};
use crate::user_search::UserSearch;

/// How many binds of people run at the same time.
const BINDS: usize = 32;

/// No refusal comes sooner than this after the account was looked for. A server reads the groups and hashes the password of
/// someone who exists and need not for someone who does not: within this time the two look the same.
const REFUSAL: Duration = Duration::from_millis(250);

/// Someone who may sign in, found by login.
#[derive(Debug, Clone)]
pub struct Account {
    /// Who it is; perhaps disabled.
    pub user: Arc<User>,
    dn: String,
}

impl Account {
    /// Where the entry is: what the person binds as.
    pub fn dn(&self) -> &str {
        &self.dn
    }
}

/// Verifies passwords by binding with them.
#[derive(Debug)]
pub struct Binder {
    users: Arc<UserSearch>,
    permits: Semaphore,
}

impl Binder {
    /// Verifies passwords of the people in this directory.
    pub fn new(directory: &Directory) -> Self {
        Self { users: Arc::clone(&directory.users), permits: Semaphore::new(BINDS) }
    }

    /// The user that a login attribute identifies, with groups. `None` if there are several, or if the server found an
    /// entry by a looser comparison than that of [`Login::names`].
    pub async fn find(&self, login: &Login) -> Result<Option<Account>, DirectoryError> {
        let Some(filter) = self.users.login(login) else { return Ok(None) };
        let mut found = self.users.search(vec![filter], Limit::AtMost(2)).await?;
        let entry = match (found.pop(), found.is_empty()) {
            (Some(entry), true) => entry,
            (None, _) => return Ok(None),
            (Some(_), false) => {
                tracing::warn!("a login matches several LDAP entries; no user can sign in with it");
                return Ok(None);
            }
        };
        if !entry.is_named(&self.users.config.login_attributes, login) {
            return Ok(None);
        }
        let user = self.users.person(&entry, Groups::Include).await?;
        Ok(user.map(|user| Account { user, dn: entry.dn }))
    }

    /// Whether the password is the account's: prepared (RFC 8265 4.2), or as it was given, where the server stores one that
    /// was never prepared. Without an account it binds with a DN that does not exist, so that the time does not reveal which
    /// accounts exist; `begun` is when the lookup began, as it takes longer for an existing account. An empty password, with
    /// which a bind succeeds without authentication (RFC 4513, 5.1.2), never reaches the server.
    pub async fn prove(
        &self,
        account: Option<&Account>,
        password: &SecretString,
        begun: Instant,
    ) -> Result<bool, DirectoryError> {
        let prepared = prepare_password(password);
        let is_other = prepared.expose_secret() != password.expose_secret();
        if prepared.expose_secret().is_empty() {
            return Ok(false);
        }
        let dn = account.map_or_else(|| self.absent_dn(), |account| account.dn.clone());
        let accepted = self.bind(&dn, &prepared).await? || (is_other && self.bind(&dn, password).await?);
        if accepted && account.is_some() {
            return Ok(true);
        }
        sleep_until(begun + REFUSAL).await;
        Ok(false)
    }

    /// The person with this login and password; `None` if there is none or the password is another. Who is disabled is
    /// answered like anybody, with the status saying so.
    pub async fn verify(&self, login: &str, password: &SecretString) -> Result<Option<Arc<User>>, DirectoryError> {
        let begun = Instant::now();
        let account = self.find(&Login::new(login)).await?;
        let proven = self.prove(account.as_ref(), password, begun).await?;
        Ok(account.filter(|_| proven).map(|account| account.user))
    }

    /// A DN below the base of users that no entry has.
    fn absent_dn(&self) -> String {
        let config = &self.users.config;
        format!("{}={},{}", config.user_schema.user_name, dn_escape("doorward: nobody"), config.user_base_dn)
    }

    async fn bind(&self, dn: &str, password: &SecretString) -> Result<bool, Failure> {
        let permit = timeout(PATIENCE, self.permits.acquire()).await.map_err(|_| Failure::Exhausted)?;
        let _permit = permit.map_err(|_| Failure::Exhausted)?;
        let mut connection = self.users.pool.server.connect().await?;
        let result = bind(&mut connection, dn, password.expose_secret()).await?;
        // a courtesy; the connection closes either way
        let _ = timeout(PATIENCE, connection.unbind()).await;
        match result.rc {
            code::SUCCESS => Ok(true),
            code::INVALID_CREDENTIALS
            | code::NO_SUCH_OBJECT
            | code::INVALID_DN_SYNTAX
            | code::INAPPROPRIATE_AUTHENTICATION
            | code::INSUFFICIENT_ACCESS
            | code::CONSTRAINT_VIOLATION
            | code::UNWILLING_TO_PERFORM => Ok(false),
            _ => Err(Failure::Answer { operation: "bind", result }),
        }
    }
}
