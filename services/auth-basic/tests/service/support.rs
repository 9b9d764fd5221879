//! A service over a handful of people in memory, with a database and a clock of the test's own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use auth_basic::password::Cost;
use auth_basic::{Config, Opened};
use authn::{
    AuthError, Authenticated, Caller, Claim, Credentials, Device, Directory, DirectoryError, Filter, Groups, Reason,
    User, UserId, UserStatus, UserType,
};
use config::{Environment, Secret, TokenManager};
use runtime::{Clock, Context, Random};
use secrecy::SecretString;

/// The password of each user that has one.
pub(crate) const PASSWORD: &str = "the password of a test";
/// The secret of the internal token.
pub(crate) const JWT_SECRET: &str = "a secret of the tests, at least 32 bytes long";
/// What the administrator's internal token is where it is only handed on.
pub(crate) const TOKEN: &str = "the token of an administrator";
/// Where the person is.
pub(crate) const HOME: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
/// Where the attacker is.
pub(crate) const AWAY: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)));

/// People in memory.
#[derive(Default)]
pub(crate) struct People {
    known: Mutex<Vec<Arc<User>>>,
    noted: Mutex<Vec<Noted>>,
    refusal: Mutex<Option<fn() -> DirectoryError>>,
}

/// A notification of a changed password to the directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) user_id: String,
    pub(crate) at: SystemTime,
    pub(crate) token: String,
}

impl People {
    /// Adds or replaces someone.
    pub(crate) fn put(&self, name: &str, status: UserStatus) {
        let mut people = self.known.lock().expect("no test fails while holding it");
        people.retain(|user| user.username != name);
        let id = UserId { opaque_id: format!("id-of-{name}"), kind: UserType::Primary, ..UserId::default() };
        let mail = format!("{name}@example.org");
        people.push(Arc::new(User { id, username: name.into(), mail, status, ..User::default() }));
    }

    /// Forgets someone.
    pub(crate) fn forget(&self, name: &str) {
        self.known.lock().expect("no test fails while holding it").retain(|user| user.username != name);
    }

    /// Takes note of passwords no more, for this reason; or again.
    pub(crate) fn refuse(&self, refusal: Option<fn() -> DirectoryError>) {
        *self.refusal.lock().expect("no test fails while holding it") = refusal;
    }

    /// What was noted since the last time.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        std::mem::take(&mut *self.noted.lock().expect("no test fails while holding it"))
    }

    fn find_by(&self, fits: impl Fn(&User) -> bool) -> Result<Arc<User>, DirectoryError> {
        let people = self.known.lock().expect("no test fails while holding it");
        people.iter().find(|user| fits(user)).cloned().ok_or(DirectoryError::NotFound)
    }
}

#[async_trait]
impl Directory for People {
    async fn user(&self, id: &UserId, _groups: Groups) -> Result<Arc<User>, DirectoryError> {
        self.find_by(|user| user.id.opaque_id == id.opaque_id)
    }

    async fn user_by_claim(&self, claim: &Claim, _groups: Groups) -> Result<Arc<User>, DirectoryError> {
        match claim {
            Claim::Username(name) => self.find_by(|user| user.username == *name),
            Claim::Mail(mail) => self.find_by(|user| user.mail == *mail),
            other => panic!("no user signs in by {other:?}"),
        }
    }

    async fn groups(&self, _id: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &[Filter], _: Groups, _: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn note_password_change(&self, id: &UserId, at: SystemTime, token: &str) -> Result<(), DirectoryError> {
        if let Some(refusal) = *self.refusal.lock().expect("no test fails while holding it") {
            return Err(refusal());
        }
        let user_id = self.find_by(|user| user.id.opaque_id == id.opaque_id)?.id.opaque_id.clone();
        let noted = Noted { user_id, at, token: token.to_owned() };
        self.noted.lock().expect("no test fails while holding it").push(noted);
        Ok(())
    }
}

/// The service, and what the test moves.
pub(crate) struct Bench {
    pub(crate) people: Arc<People>,
    pub(crate) opened: Opened,
    pub(crate) config: Config,
    pub(crate) context: Context,
    _folder: tempfile::TempDir,
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
        let folder = tempfile::tempdir().expect("a temporary folder");
        let environment = Environment::from([("OCIS_BASE_DATA_PATH", folder.path().display().to_string())]);
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let context = Context { clock, random: Random::seeded(1), ..Context::new(environment) };
        let people = Arc::new(People::default());
        let opened = auth_basic::open(&config, people.clone(), &context).await.expect("the service opens");
        let bench = Self { people, opened, config, context, _folder: folder };
        bench.people.put("einstein", UserStatus::Active);
        bench.people.put("marie", UserStatus::Active);
        bench.people.put("lise", UserStatus::Blocked);
        for name in ["einstein", "marie", "lise"] {
            bench.set(name, PASSWORD).await;
        }
        bench
    }

    /// Sets a password.
    pub(crate) async fn set(&self, name: &str, password: &str) {
        let administration = self.opened.administration.as_ref().expect("passwords are kept here");
        let (user_id, password) = (format!("id-of-{name}"), SecretString::from(password));
        administration.set_password(&user_id, &password, TOKEN).await.expect("a password that is good enough");
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

/// Why it was refused.
pub(crate) fn reason(outcome: Result<Authenticated, AuthError>) -> Reason {
    match outcome {
        Err(AuthError::Refused(reason)) => reason,
        other => panic!("refused, not {other:?}"),
    }
}

/// Whether it was refused with [`AuthError::Busy`].
pub(crate) fn is_busy(outcome: &Result<Authenticated, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::Busy { .. }))
}
