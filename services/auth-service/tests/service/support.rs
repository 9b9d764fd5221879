//! The service with a database and a clock for one test.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use auth_service::{Administration, Components, Config, NewAccount, ServiceAccount, Verification, WithSecret};
use authn::{AuthError, Authenticated, Credentials, Reason};
use config::Environment;
use runtime::{Clock, Context, Random};
use secrecy::ExposeSecret;

/// The secret of the internal token.
pub(crate) const JWT_SECRET: &str = "a secret of the tests, at least 32 bytes long";
/// The secret of the account `jobs` of the configuration.
pub(crate) const JOBS_SECRET: &str = "0123456789abcdef-long";
/// Who adds accounts.
pub(crate) const MOSS: &str = "id-of-moss";

/// The service and its clock.
pub(crate) struct Bench {
    pub(crate) opened: Components,
    pub(crate) config: Config,
    pub(crate) context: Context,
    pub(crate) folder: tempfile::TempDir,
}

/// With the account `jobs`, and a store.
pub(crate) fn stored() -> Config {
    Config {
        service_account: ServiceAccount { id: "jobs".into(), secret: JOBS_SECRET.into(), ..ServiceAccount::default() },
        store_accounts: true,
        token_manager: Verification { jwt_secret: JWT_SECRET.into(), ..Verification::default() },
        ..Config::default()
    }
}

impl Bench {
    pub(crate) async fn start(config: Config) -> Self {
        Self::over(config, tempfile::tempdir().expect("a temporary folder"), 500_000).await
    }

    /// Over what another one has left in this folder.
    pub(crate) async fn over(config: Config, folder: tempfile::TempDir, hours: u64) -> Self {
        let environment = Environment::from([("OCIS_BASE_DATA_PATH", folder.path().display().to_string())]);
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(hours));
        let context = Context { clock, random: Random::seeded(1), ..Context::new(environment) };
        let opened = auth_service::open(&config, &context).await.expect("the service opens");
        Self { opened, config, context, folder }
    }

    pub(crate) fn administration(&self) -> &Arc<Administration> {
        self.opened.administration.as_ref().expect("accounts are stored")
    }

    /// Adds an account.
    pub(crate) async fn create(&self, id: &str) -> WithSecret {
        let new = NewAccount { id: id.to_owned(), ..NewAccount::default() };
        self.administration().create(new, MOSS).await.expect("is added")
    }

    pub(crate) async fn authenticate(&self, id: &str, secret: &str) -> Result<Authenticated, AuthError> {
        self.opened.authenticator.authenticate(&Credentials::new(id, secret)).await
    }

    /// Why these credentials are refused.
    pub(crate) async fn refusal(&self, id: &str, secret: &str) -> Reason {
        match self.authenticate(id, secret).await {
            Err(AuthError::Refused(reason)) => reason,
            other => panic!("is not refused: {other:?}"),
        }
    }
}

/// The secret that was made.
pub(crate) fn text(made: &WithSecret) -> &str {
    made.secret.expose_secret()
}
