//! The service with a directory in memory, a database and a clock for one test.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use auth_basic::password::Cost;
use auth_basic::{Components, Config};
use authn::testing::{MemoryDirectory, user};
use authn::{AuthError, Authenticated, Caller, Credentials, Device, User, UserStatus};
use config::{Environment, Secret, TokenManager};
use runtime::{Clock, Context, Random};
use secrecy::SecretString;

/// The password of each user that has one.
pub(crate) const PASSWORD: &str = "the password of a test";
/// The secret of the internal token.
pub(crate) const JWT_SECRET: &str = "a secret of the tests, at least 32 bytes long";
/// What the administrator's internal token is where it is only handed on.
pub(crate) const TOKEN: &str = "the token of an administrator";
/// The source address of users.
pub(crate) const HOME: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
/// The source address of an attacker.
pub(crate) const AWAY: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)));

/// The service, its directory and its clock.
pub(crate) struct Bench {
    pub(crate) directory: Arc<MemoryDirectory>,
    pub(crate) opened: Components,
    pub(crate) config: Config,
    pub(crate) context: Context,
    _folder: tempfile::TempDir,
    _database: Option<store::testing::TestDatabase>,
}

/// A configuration whose hashes cost next to nothing.
pub(crate) fn cheap() -> Config {
    let jwt_secret = Secret::from(JWT_SECRET);
    Config {
        token_manager: TokenManager { jwt_secret, ..TokenManager::default() },
        argon2: Cost { memory: 64, iterations: 1, parallelism: 1 },
        ..Config::default()
    }
}

impl Bench {
    /// With einstein, marie and (disabled) lise, each with [`PASSWORD`].
    pub(crate) async fn start(config: Config) -> Self {
        // boxed: what the service needs while it opens is large, and is part of each test
        Box::pin(Self::open(config)).await
    }

    async fn open(mut config: Config) -> Self {
        let database = store::testing::on_server();
        if let Some(database) = &database {
            config.database_url = database.url().into();
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let environment = Environment::from([("OCIS_BASE_DATA_PATH", folder.path().display().to_string())]);
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let context = Context { clock, random: Random::seeded(1), ..Context::new(environment) };
        let directory = MemoryDirectory::new([]);
        directory.fail_password_changes(None);
        let opened = auth_basic::open(&config, directory.clone(), &context).await.expect("the service opens");
        let bench = Self { directory, opened, config, context, _folder: folder, _database: database };
        bench.put_user("einstein", UserStatus::Active);
        bench.put_user("marie", UserStatus::Active);
        bench.put_user("lise", UserStatus::Blocked);
        for name in ["einstein", "marie", "lise"] {
            bench.set(name, PASSWORD).await;
        }
        bench
    }

    /// Adds or replaces a user of the directory.
    pub(crate) fn put_user(&self, name: &str, status: UserStatus) {
        self.directory.put(User { mail: format!("{name}@example.org"), status, ..user(name) });
    }

    /// Sets a password.
    pub(crate) async fn set(&self, name: &str, password: &str) {
        let administration = self.opened.administration.as_ref().expect("passwords are kept here");
        let (user_id, password) = (format!("id-of-{name}"), SecretString::from(password));
        administration.set_password(&user_id, &password, TOKEN).await.expect("the password is accepted");
    }

    /// Signs in from [`HOME`].
    pub(crate) async fn sign_in(&self, login: &str, password: &str) -> Result<Authenticated, AuthError> {
        self.sign_in_from(HOME, login, password).await
    }

    /// Signs in from somewhere.
    pub(crate) async fn sign_in_from(
        &self,
        source: Option<IpAddr>,
        login: &str,
        password: &str,
    ) -> Result<Authenticated, AuthError> {
        self.sign_in_with(source, None, login, password).await
    }

    /// Signs in from somewhere, at a device that is known.
    pub(crate) async fn sign_in_with(
        &self,
        source: Option<IpAddr>,
        device: Option<Device>,
        login: &str,
        password: &str,
    ) -> Result<Authenticated, AuthError> {
        let caller = Caller { source, device, ..Caller::default() };
        let credentials = Credentials { caller, ..Credentials::new(login, password) };
        self.opened.authenticator.authenticate(&credentials).await
    }

    /// How many passwords were hashed so far.
    pub(crate) fn hashed(&self) -> u64 {
        self.opened.hashed().0
    }
}

/// Whether it was refused with [`AuthError::Busy`].
pub(crate) fn is_busy(outcome: &Result<Authenticated, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::Busy { .. }))
}
