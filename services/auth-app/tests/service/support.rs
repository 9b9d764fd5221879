//! People, a clock and a database for one test.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use auth_app::model::{AppToken, Fingerprint, Stored};
use auth_app::pepper::Peppers;
use auth_app::store::{Sql, Tokens};
use auth_app::{AppTokens, Applications, Ledger, Migrator};
use authn::{
    AuthError, Authenticated, Authenticator, Claim, Credentials, Directory, DirectoryError, Filter, Groups, Reason,
    Scopes, User, UserId, UserStatus, UserType,
};
use runtime::{Clock, Random, config::Secret};
use secrecy::{ExposeSecret, SecretString};
use store::{Database, StoreError, testing::TestDatabase};
use token::Claims;
use uuid::Uuid;

pub(crate) const KEY: &str = "the-key-of-the-token-digests-32-bytes";
pub(crate) const YEAR: Duration = Duration::from_hours(8760);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A directory in memory.
#[derive(Default)]
pub(crate) struct People(Mutex<BTreeMap<String, Arc<User>>>);

impl People {
    pub(crate) fn with(names: &[&str]) -> Arc<Self> {
        let people = Self::default();
        for name in names {
            people.set(name, UserStatus::Active);
        }
        Arc::new(people)
    }

    pub(crate) fn set(&self, name: &str, status: UserStatus) {
        let user = User { status, ..user(name) };
        self.0.lock().expect("no panic").insert(name.to_owned(), Arc::new(user));
    }

    pub(crate) fn delete(&self, name: &str) {
        self.0.lock().expect("no panic").remove(name);
    }
}

#[async_trait]
impl Directory for People {
    async fn user(&self, _: &UserId, _: Groups) -> Result<Arc<User>, DirectoryError> {
        Err(DirectoryError::NotFound)
    }

    async fn user_by_claim(&self, claim: &Claim, _: Groups) -> Result<Arc<User>, DirectoryError> {
        let Claim::Username(name) = claim else { return Err(DirectoryError::NotFound) };
        self.0.lock().expect("no panic").get(name).cloned().ok_or(DirectoryError::NotFound)
    }

    async fn groups(&self, _: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &[Filter], _: Groups, _: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        Ok(Vec::new())
    }
}

/// The person of a name, as the directory has it.
pub(crate) fn user(name: &str) -> User {
    let id = UserId { opaque_id: format!("id-of-{name}"), kind: UserType::Primary, ..UserId::default() };
    User { id, username: name.to_owned(), ..User::default() }
}

/// What a session of this person claims, that was proven with these methods.
pub(crate) fn claims(name: &str, amr: &[&str]) -> Claims {
    Claims {
        user: user(name),
        scopes: Scopes::full_user(),
        issuer: String::new(),
        issued_at: UNIX_EPOCH,
        expires_at: UNIX_EPOCH + 100 * YEAR,
        jti: None,
        amr: amr.iter().map(|method| (*method).to_owned()).collect(),
        actor: None,
    }
}

/// A store that counts its reads.
pub(crate) struct Counting {
    inner: Sql,
    pub(crate) reads: AtomicUsize,
    pub(crate) rekeys: AtomicUsize,
}

#[async_trait]
impl Tokens for Counting {
    async fn add(&self, token: &Stored) -> Result<(), StoreError> {
        self.inner.add(token).await
    }

    async fn find(&self, fingerprints: &[Fingerprint]) -> Result<Option<Stored>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.find(fingerprints).await
    }

    async fn list(&self, owner: &UserId, now: SystemTime) -> Result<Vec<AppToken>, StoreError> {
        self.inner.list(owner, now).await
    }

    async fn revoke(&self, owner: &UserId, id: Uuid, now: SystemTime) -> Result<bool, StoreError> {
        self.inner.revoke(owner, id, now).await
    }

    async fn rekey(&self, id: Uuid, fingerprint: &Fingerprint) -> Result<(), StoreError> {
        self.rekeys.fetch_add(1, Ordering::Relaxed);
        self.inner.rekey(id, fingerprint).await
    }
}

/// The service without listeners.
pub(crate) struct Fixture {
    pub(crate) people: Arc<People>,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    pub(crate) counting: Arc<Counting>,
    pub(crate) authenticator: AppTokens,
    pub(crate) applications: Arc<Applications>,
    file: Arc<TestDatabase>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let file = store::testing::sqlite();
        let database = file.open().await;
        database.migrate::<Migrator>().await.expect("migrates");
        let people = People::with(&["einstein", "marie"]);
        Self::over(Arc::new(file), database, people, KEY, "")
    }

    /// The same service, begun again with other keys.
    pub(crate) fn restarted(&self, current: &str, previous: &str) -> Self {
        Self::over(Arc::clone(&self.file), self.database.clone(), Arc::clone(&self.people), current, previous)
    }

    fn over(file: Arc<TestDatabase>, database: Database, people: Arc<People>, current: &str, previous: &str) -> Self {
        let counting =
            Counting { inner: Sql::new(database.clone()), reads: AtomicUsize::new(0), rekeys: AtomicUsize::new(0) };
        let counting = Arc::new(counting);
        let clock = Clock::manual(UNIX_EPOCH + 50 * YEAR);
        let peppers = Peppers::new(&Secret::from(current), &Secret::from(previous));
        let tokens: Arc<dyn Tokens> = Arc::<Counting>::clone(&counting);
        let ledger = Arc::new(Ledger::new(tokens, peppers, Duration::from_mins(1)));
        let directory: Arc<dyn Directory> = Arc::<People>::clone(&people);
        let authenticator = AppTokens::new(Arc::clone(&ledger), directory, Groups::Include, clock.clone());
        let applications = Applications::new(ledger, clock.clone(), Random::system(), YEAR);
        let applications = Arc::new(applications);
        Self { people, clock, database, counting, authenticator, applications, file }
    }

    /// A new token of this person with so much time to live.
    pub(crate) async fn token(&self, name: &str, lifetime: Duration) -> (Uuid, SecretString) {
        let expires = Some(self.clock.now() + lifetime);
        let wish = auth_app::applications::Wish { label: "phone".to_owned(), scopes: Scopes::full_user(), expires };
        let made = self.applications.create(&claims(name, &["pwd"]), &wish, &authn::Caller::default()).await;
        let (token, secret) = made.expect("is made");
        (token.id, secret)
    }

    pub(crate) async fn authenticate(&self, name: &str, secret: &str) -> Result<Authenticated, AuthError> {
        self.authenticator.authenticate(&Credentials::new(name, secret.to_owned())).await
    }

    /// Why this is refused.
    pub(crate) async fn refusal(&self, name: &str, secret: &SecretString) -> Reason {
        match self.authenticate(name, secret.expose_secret()).await {
            Err(AuthError::Refused(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn reads(&self) -> usize {
        self.counting.reads.load(Ordering::Relaxed)
    }
}
