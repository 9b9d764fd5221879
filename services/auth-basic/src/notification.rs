//! Notifies the directory of changed passwords, by which sessions and tokens from before end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Authenticated, BoxError, Directory, DirectoryError, User, UserId, UserType, role};
use runtime::Clock;
use token::{KeyRing, Minter};

/// The name of this service in its tokens.
const NAME: &str = "auth-basic";
/// The lifetime of a token.
const LIFETIME: Duration = Duration::from_mins(1);

/// Notifies the directory in the name of this service, for users who change their own passwords.
pub(crate) struct Notifier {
    directory: Arc<dyn Directory>,
    minter: Minter,
    clock: Clock,
}

impl Notifier {
    pub(crate) fn new(directory: Arc<dyn Directory>, keys: Arc<KeyRing>, clock: Clock) -> Self {
        Self { directory, minter: Minter::new(keys, LIFETIME, true), clock }
    }

    /// See [`notify`].
    pub(crate) async fn notify(&self, user_id: &str) -> Result<SystemTime, DirectoryError> {
        let token = self.token().map_err(DirectoryError::Internal)?;
        notify(&*self.directory, &self.clock, user_id, &token).await
    }

    /// The internal token of this service for the directory, which takes changes from administrators only.
    fn token(&self) -> Result<String, BoxError> {
        let id = UserId { opaque_id: NAME.to_owned(), kind: UserType::Service, ..UserId::default() };
        let service = User { id, username: NAME.to_owned(), roles: vec![role::ADMIN.to_owned()], ..User::default() };
        Ok(self.minter.mint(self.clock.now(), &Authenticated::full(Arc::new(service), "pwd"))?)
    }
}

/// Notifies the directory that a password was changed. The time is that of the notification, when the change is durable: what the
/// old password was valid for until then is older. Returns it.
pub(crate) async fn notify(
    directory: &dyn Directory,
    clock: &Clock,
    user_id: &str,
    token: &str,
) -> Result<SystemTime, DirectoryError> {
    let at = clock.now();
    match directory.note_password_change(&id(user_id), at, token).await {
        Err(DirectoryError::ReadOnly) => {
            tracing::info!(
                user = user_id,
                "the directory is only read: other credentials outlive the password that was changed"
            );
            Ok(at)
        }
        outcome => outcome.map(|()| at),
    }
}

/// The identifier of a user of whichever issuer.
pub(crate) fn id(user_id: &str) -> UserId {
    UserId { opaque_id: user_id.to_owned(), ..UserId::default() }
}
