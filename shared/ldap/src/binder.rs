//! Whether a password is a person's: the server itself says so, when it lets the person bind.

use std::sync::Arc;
use std::time::Duration;

use authn::{Claim, DirectoryError, Groups, Login, User, prepare_password};
use ldap3::{LdapResult, dn_escape};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Directory;
use crate::entry::Entry;
use crate::failure::{Failure, code};
use crate::known_support::KnownSupport;
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
    login: String,
}

impl Account {
    /// Where the entry is: what the person binds as.
    pub fn dn(&self) -> &str {
        &self.dn
    }

    /// A login that identifies the account for [`Binder::find`].
    pub fn login(&self) -> &str {
        &self.login
    }
}

/// Verifies passwords by binding with them.
#[derive(Debug)]
pub struct Binder {
    pub(crate) users: Arc<UserSearch>,
    permits: Semaphore,
    pub(crate) password_change: KnownSupport,
}

impl Binder {
    /// Verifies passwords of the people in this directory.
    pub fn new(directory: &Directory) -> Self {
        Self {
            users: Arc::clone(&directory.users),
            permits: Semaphore::new(BINDS),
            password_change: KnownSupport::default(),
        }
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
        self.account_of(entry, login.given().to_owned()).await
    }

    /// The user with this identifier, with groups. `None` if there is none, several have it, or the entry has no login.
    pub async fn find_by_id(&self, user_id: &str) -> Result<Option<Account>, DirectoryError> {
        let Some(filter) = self.users.claim(&Claim::UserId(user_id.to_owned())) else { return Ok(None) };
        let mut found = self.users.search(vec![filter], Limit::AtMost(2)).await?;
        let (Some(entry), true) = (found.pop(), found.is_empty()) else { return Ok(None) };
        let Some(login) = self.login_of(&entry) else { return Ok(None) };
        self.account_of(entry, login).await
    }

    async fn account_of(&self, entry: Entry, login: String) -> Result<Option<Account>, DirectoryError> {
        let user = self.users.person(&entry, Groups::Include).await?;
        Ok(user.map(|user| Account { user, dn: entry.dn, login }))
    }

    /// The user name, if users sign in with it: other attributes, such as the mail address, may be shared by several users.
    fn login_of(&self, entry: &Entry) -> Option<String> {
        let config = &self.users.config;
        let is_user_name = |name: &&String| name.eq_ignore_ascii_case(&config.user_schema.user_name);
        let user_name = config.login_attributes.iter().filter(is_user_name);
        let mut names = user_name.chain(&config.login_attributes);
        names.find_map(|name| entry.text(name)).map(str::to_owned)
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
        let _permit = self.permit().await?;
        let mut connection = self.users.pool.server.connect().await?;
        let result = bind(&mut connection, dn, password.expose_secret()).await?;
        // a courtesy; the connection closes either way
        let _ = timeout(PATIENCE, connection.unbind()).await;
        is_accepted(result)
    }

    /// One of the connections that users may bind on at the same time.
    pub(crate) async fn permit(&self) -> Result<SemaphorePermit<'_>, Failure> {
        let permit = timeout(PATIENCE, self.permits.acquire()).await.map_err(|_| Failure::Exhausted)?;
        permit.map_err(|_| Failure::Exhausted)
    }
}

/// Whether the server accepts the password of a bind.
pub(crate) fn is_accepted(result: LdapResult) -> Result<bool, Failure> {
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
