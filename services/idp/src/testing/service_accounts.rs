//! auth-service as the provider sees it: one account.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use async_trait::async_trait;
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Credentials, Reason, Scopes, User, UserId, UserType, amr,
};
use secrecy::ExposeSecret;

/// The identifier of the account.
pub(crate) const ACCOUNT: &str = "backup";
/// Its secret.
pub(crate) const ACCOUNT_SECRET: &str = "an-account-secret-of-enough-length";

/// Service accounts, of which there is one.
#[derive(Debug, Default)]
pub(crate) struct FakeServiceAccounts(Mutex<AccountState>);

/// The state of the account, and who has asked for it.
#[derive(Debug, Default)]
pub(crate) struct AccountState {
    /// The token that proves that a workload is the account.
    pub(crate) token: Option<String>,
    /// Whether it is disabled.
    pub(crate) is_disabled: bool,
    /// Whether the service does not answer.
    pub(crate) is_away: bool,
    /// When it ends.
    pub(crate) not_after: Option<SystemTime>,
    /// The circumstances of the requests.
    pub(crate) callers: Vec<Caller>,
}

impl FakeServiceAccounts {
    pub(crate) fn state(&self) -> MutexGuard<'_, AccountState> {
        self.0.lock().expect("not poisoned")
    }
}

#[async_trait]
impl Authenticator for FakeServiceAccounts {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let mut state = self.state();
        state.callers.push(credentials.caller.clone());
        if state.is_away {
            return Err(AuthError::Unavailable { service: "auth-service", source: "is away".into() });
        }
        if credentials.client_id != ACCOUNT {
            return Err(AuthError::Refused(Reason::UnknownUser));
        }
        let secret = credentials.secret.expose_secret();
        if secret != ACCOUNT_SECRET && Some(secret) != state.token.as_deref() {
            return Err(AuthError::Refused(Reason::WrongSecret));
        }
        if state.is_disabled {
            return Err(AuthError::Refused(Reason::Disabled));
        }
        let id = UserId {
            idp: "none".to_owned(),
            opaque_id: ACCOUNT.to_owned(),
            kind: UserType::Service,
            ..UserId::default()
        };
        let user = Arc::new(User { id, ..User::default() });
        let scopes = Arc::new(Scopes::full_user());
        Ok(Authenticated { scopes, not_after: state.not_after, ..Authenticated::full(user, amr::SERVICE) })
    }
}
