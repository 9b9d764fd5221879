//! Adding and changing accounts of the database.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use runtime::{Clock, FileValue, Random};
use secrecy::{ExposeSecret, SecretString};
use status::Kind;
use store::StoreError;
use uuid::Uuid;

use crate::accounts::{Accounts, USER_SCOPE, UnknownScope, scopes};
use crate::model::{Change, StoredAccount, StoredSecret, is_display_name, is_id};
use crate::secret::{Verifier, generate};
use crate::store::{Page, SecretAdded};
use crate::stored_accounts::StoredAccounts;

/// A new account.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// The identifier, by which it authenticates.
    pub id: String,
    /// What administrators call it.
    pub display_name: String,
    /// What it may do; everything if empty.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

/// An account, and a secret that was made for it and that is shown once.
#[derive(Debug)]
pub struct WithSecret {
    /// The account.
    pub account: StoredAccount,
    /// The secret.
    pub secret: SecretString,
    /// The identifier of the secret.
    pub secret_id: Uuid,
}

/// Administers stored accounts, with or without gRPC. It checks no permissions: its callers must.
pub struct Administration {
    pub(crate) stored: Arc<StoredAccounts>,
    pub(crate) configured: Arc<FileValue<Accounts>>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl Administration {
    /// Accounts in the order of their identifiers.
    pub async fn list(&self, page: &Page<'_>) -> Result<Vec<StoredAccount>, AdministrationError> {
        Ok(self.stored.store().list(page).await?)
    }

    /// The account with this identifier.
    pub async fn get(&self, id: &str) -> Result<StoredAccount, AdministrationError> {
        self.stored.store().find(id).await?.ok_or(AdministrationError::NoAccount)
    }

    /// Whether the configuration has an account with this identifier, which takes precedence.
    pub fn is_overridden(&self, id: &str) -> bool {
        self.configured.current().contains(id)
    }

    /// Adds an account with its first secret. `actor` is the identifier of the administrator who does it.
    pub async fn create(&self, new: NewAccount, actor: &str) -> Result<WithSecret, AdministrationError> {
        let NewAccount { id, display_name, mut scopes, expires } = new;
        if !is_id(&id) {
            return Err(AdministrationError::Id);
        }
        if scopes.is_empty() {
            scopes.push(USER_SCOPE.to_owned());
        }
        self.check(Some(&display_name), Some(&scopes), expires)?;
        if self.is_overridden(&id) {
            return Err(AdministrationError::Configured);
        }
        let (stored, secret) = self.make_secret(actor);
        let (created, created_by, secret_id) = (stored.created, stored.created_by.clone(), stored.id);
        let secrets = vec![stored];
        let account = StoredAccount {
            id,
            display_name,
            scopes,
            disabled: false,
            expires,
            created,
            created_by,
            last_use: None,
            secrets,
        };
        if self.stored.store().create(&account).await? {
            Ok(WithSecret { account, secret, secret_id })
        } else {
            Err(AdministrationError::Taken)
        }
    }

    /// Changes an account; returns it as it is then.
    pub async fn update(&self, id: &str, change: &Change) -> Result<StoredAccount, AdministrationError> {
        if *change == Change::default() {
            return Err(AdministrationError::NoChange);
        }
        self.check(change.display_name.as_deref(), change.scopes.as_deref(), change.expires.flatten())?;
        if self.stored.store().update(id, change).await? {
            self.get(id).await
        } else {
            Err(AdministrationError::NoAccount)
        }
    }

    /// Deletes an account and its secrets.
    pub async fn delete(&self, id: &str) -> Result<(), AdministrationError> {
        if self.stored.store().delete(id).await? { Ok(()) } else { Err(AdministrationError::NoAccount) }
    }

    /// Gives an account another secret. The one that it has ends after `expire_old_in`, or only when it is removed.
    pub async fn add_secret(
        &self,
        id: &str,
        expire_old_in: Option<Duration>,
        actor: &str,
    ) -> Result<WithSecret, AdministrationError> {
        let now = self.clock.now();
        let end = expire_old_in.map(|after| now.checked_add(after).ok_or(AdministrationError::OldEnd)).transpose()?;
        let (stored, secret) = self.make_secret(actor);
        match self.stored.store().add_secret(id, &stored, end, now).await? {
            SecretAdded::Done => Ok(WithSecret { account: self.get(id).await?, secret, secret_id: stored.id }),
            SecretAdded::Full => Err(AdministrationError::Full),
            SecretAdded::NoAccount => Err(AdministrationError::NoAccount),
        }
    }

    /// Removes a secret of an account; returns the account without it.
    pub async fn remove_secret(&self, id: &str, secret: Uuid) -> Result<StoredAccount, AdministrationError> {
        if self.stored.store().remove_secret(id, secret).await? {
            self.get(id).await
        } else {
            Err(AdministrationError::NoSecret)
        }
    }

    fn make_secret(&self, actor: &str) -> (StoredSecret, SecretString) {
        let secret = generate(&self.random);
        let stored = StoredSecret {
            id: self.random.uuid(),
            verifier: Verifier::new(secret.expose_secret(), &self.random),
            created: self.clock.now(),
            created_by: actor.to_owned(),
            expires: None,
            last_used: None,
        };
        (stored, secret)
    }

    fn check(
        &self,
        display_name: Option<&str>,
        named_scopes: Option<&[String]>,
        expires: Option<SystemTime>,
    ) -> Result<(), AdministrationError> {
        if display_name.is_some_and(|name| !is_display_name(name)) {
            return Err(AdministrationError::DisplayName);
        }
        named_scopes.map(scopes).transpose()?;
        if expires.is_some_and(|end| end <= self.clock.now()) {
            return Err(AdministrationError::Past);
        }
        Ok(())
    }
}

/// Why an account was not administered.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// The identifier has another form.
    #[error("the id has 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit")]
    Id,
    /// The display name is too long or has control characters.
    #[error("the name has at most 128 characters, none of them a line break, and no blanks at its ends")]
    DisplayName,
    /// A scope that accounts do not have.
    #[error(transparent)]
    Scope(#[from] UnknownScope),
    /// The end is over.
    #[error("the end of an account must be in the future; disable the account to refuse it now")]
    Past,
    /// The end of the old secret cannot be represented.
    #[error("the old secret cannot end so late")]
    OldEnd,
    /// Nothing is to be changed.
    #[error("nothing to change is given")]
    NoChange,
    /// A text that is no identifier of a secret.
    #[error("the id of a secret is a UUID")]
    SecretId,
    /// There is no such account.
    #[error("there is no such service account")]
    NoAccount,
    /// There is no such secret.
    #[error("the service account has no such secret")]
    NoSecret,
    /// The identifier is taken.
    #[error("there is a service account with this id")]
    Taken,
    /// The identifier is taken by the configuration.
    #[error("the configuration of auth-service has a service account with this id; choose another one")]
    Configured,
    /// There are two secrets.
    #[error("the service account has two secrets; remove one first")]
    Full,
    /// The database did not do it.
    #[error("the database of service accounts failed")]
    Store(#[from] StoreError),
}

impl AdministrationError {
    /// The kind, which decides the status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Id
            | Self::DisplayName
            | Self::Scope(_)
            | Self::Past
            | Self::OldEnd
            | Self::NoChange
            | Self::SecretId => Kind::InvalidArgument,
            Self::NoAccount | Self::NoSecret => Kind::NotFound,
            Self::Taken | Self::Configured => Kind::AlreadyExists,
            Self::Full => Kind::FailedPrecondition,
            Self::Store(error) => error.kind(),
        }
    }
}
