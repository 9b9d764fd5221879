//! People, a clock and a database for one test.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use auth_app::applications::TokenRequest;
use auth_app::digest_keys::DigestKeys;
use auth_app::model::{AppToken, Kind};
use auth_app::policy::LifetimeRequest;
use auth_app::store::{Page, TokenStore};
use auth_app::{AppTokens, Applications, Migrator, TokenService};
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Claim, Credentials, Directory, DirectoryError, Filter, Grants,
    Groups, Permission, Reason, User, UserId, UserStatus, UserType, role,
};
use config::Secret;
use runtime::{Clock, Random};
use secrecy::{ExposeSecret, SecretString};
use store::{Database, testing::TestDatabase};
use token::Claims;
use uuid::Uuid;

pub(crate) const KEY: &str = "the-key-of-the-token-digests-32-bytes";
pub(crate) const YEAR: Duration = Duration::from_hours(8760);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A directory in memory.
#[derive(Default)]
pub(crate) struct People {
    people: Mutex<BTreeMap<String, Arc<User>>>,
    changes: AtomicU64,
}

impl People {
    pub(crate) fn with(names: &[&str]) -> Arc<Self> {
        let people = Self::default();
        for name in names {
            people.change(name, |_| {});
        }
        Arc::new(people)
    }

    /// Changes what is known of a person.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut User)) {
        let mut user = user(name);
        change(&mut user);
        self.people.lock().expect("no panic").insert(name.to_owned(), Arc::new(user));
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, name: &str, status: UserStatus) {
        self.change(name, |user| user.status = status);
    }

    pub(crate) fn delete(&self, name: &str) {
        self.people.lock().expect("no panic").remove(name);
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    fn one(&self, fits: impl Fn(&User) -> bool) -> Result<Arc<User>, DirectoryError> {
        let people = self.people.lock().expect("no panic");
        let mut found = people.values().filter(|user| fits(user));
        match (found.next(), found.next()) {
            (Some(user), None) => Ok(Arc::clone(user)),
            (Some(_), Some(_)) => Err(DirectoryError::Ambiguous),
            (None, _) => Err(DirectoryError::NotFound),
        }
    }

    fn named(&self, name: &str) -> Result<Arc<User>, DirectoryError> {
        self.people.lock().expect("no panic").get(name).cloned().ok_or(DirectoryError::NotFound)
    }
}

#[async_trait]
impl Directory for People {
    async fn user(&self, id: &UserId, _: Groups) -> Result<Arc<User>, DirectoryError> {
        let found = self.named(id.opaque_id.strip_prefix("id-of-").unwrap_or_default())?;
        if id.idp.is_empty() || id.idp == found.id.idp { Ok(found) } else { Err(DirectoryError::NotFound) }
    }

    async fn user_by_claim(&self, claim: &Claim, _: Groups) -> Result<Arc<User>, DirectoryError> {
        match claim {
            Claim::Username(name) => self.named(&name.to_lowercase()),
            Claim::Mail(address) => self.one(|user| user.mail.eq_ignore_ascii_case(address)),
            _ => Err(DirectoryError::NotFound),
        }
    }

    async fn groups(&self, _: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &[Filter], _: Groups, _: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        Ok(Vec::new())
    }

    fn changes(&self) -> Option<u64> {
        Some(self.changes.load(Ordering::SeqCst))
    }

    async fn note_password_change(&self, _: &UserId, _: SystemTime, _: &str) -> Result<(), DirectoryError> {
        Err(DirectoryError::ReadOnly)
    }
}

/// The person of a name, as the directory has it; `admin` is an administrator.
pub(crate) fn user(name: &str) -> User {
    let id = UserId { opaque_id: format!("id-of-{name}"), kind: UserType::Primary, ..UserId::default() };
    let roles = if name == "admin" { vec![role::ADMIN.to_owned()] } else { Vec::new() };
    User { id, username: name.to_owned(), roles, ..User::default() }
}

/// What a session of this person claims, that was proven with these methods.
pub(crate) fn claims(name: &str, amr: &[&str]) -> Claims {
    Claims {
        user: user(name),
        scopes: authn::Scopes::full_user(),
        issuer: String::new(),
        issued_at: UNIX_EPOCH,
        expires_at: UNIX_EPOCH + 100 * YEAR,
        jti: None,
        amr: amr.iter().map(|method| (*method).to_owned()).collect(),
        actor: None,
        groups_omitted: false,
    }
}

/// A request for a token that may do everything.
pub(crate) fn token_request(life: LifetimeRequest) -> TokenRequest {
    TokenRequest { label: "phone".to_owned(), grants: Grants::user(), life, kind: Kind::App }
}

/// How often the store has run some statements.
#[derive(Default)]
pub(crate) struct Statements {
    pub(crate) reads: AtomicUsize,
    pub(crate) rekeys: AtomicUsize,
    /// How many statements wrote uses, and how many uses those were.
    pub(crate) writes: AtomicUsize,
    pub(crate) written: AtomicUsize,
}

impl Statements {
    fn count(&self, sql: &str) {
        if sql.contains(r#""digest" IN"#) {
            self.reads.fetch_add(1, Ordering::Relaxed);
        } else if sql.starts_with(r#"UPDATE "app_tokens" SET "key_id""#) {
            self.rekeys.fetch_add(1, Ordering::Relaxed);
        } else if sql.starts_with(r#"INSERT INTO "app_token_uses""#) && sql.contains("ON CONFLICT") {
            self.writes.fetch_add(1, Ordering::Relaxed);
            self.written.fetch_add(sql.matches("(?, ?, ?, ?, ?)").count(), Ordering::Relaxed);
        }
    }
}

/// The service without listeners.
pub(crate) struct Fixture {
    pub(crate) people: Arc<People>,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    pub(crate) statements: Arc<Statements>,
    pub(crate) tokens: Arc<TokenService>,
    pub(crate) authenticator: AppTokens,
    pub(crate) applications: Arc<Applications>,
    file: Arc<TestDatabase>,
    /// The last good answer to each pair of a login and a secret.
    answers: Mutex<BTreeMap<(String, String), Authenticated>>,
}

/// A secret as clients send it.
pub(crate) fn text(secret: &SecretString) -> &str {
    secret.expose_secret()
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(auth_app::Tokens::default(), true).await
    }

    /// One that the operator has told more.
    pub(crate) async fn with(settings: auth_app::Tokens, allow_impersonation: bool) -> Self {
        let file = store::testing::sqlite();
        let database = file.open().await;
        database.migrate::<Migrator>().await.expect("migrates");
        let people = People::with(&["einstein", "marie", "admin"]);
        let clock = Clock::manual(UNIX_EPOCH + 50 * YEAR);
        Self::over(Arc::new(file), database, people, clock, (KEY, ""), (settings, allow_impersonation)).await
    }

    /// The same service, begun again with other keys.
    pub(crate) async fn restarted(&self, current: &str, previous: &str) -> Self {
        let settings = (auth_app::Tokens::default(), true);
        let (file, people) = (Arc::clone(&self.file), Arc::clone(&self.people));
        Self::over(file, self.database.clone(), people, self.clock.clone(), (current, previous), settings).await
    }

    async fn over(
        file: Arc<TestDatabase>,
        database: Database,
        people: Arc<People>,
        clock: Clock,
        (current, previous): (&str, &str),
        (settings, allow_impersonation): (auth_app::Tokens, bool),
    ) -> Self {
        let statements = Arc::<Statements>::default();
        let counted = Arc::clone(&statements);
        let store = TokenStore::new(database.clone().observed(move |sql| counted.count(sql)));
        let digest_keys = DigestKeys::new(&Secret::from(current), &Secret::from(previous));
        let tokens = TokenService::open(Arc::new(store), digest_keys, HOUR).await.expect("opens");
        let tokens = Arc::new(tokens);
        let directory: Arc<dyn Directory> = Arc::<People>::clone(&people);
        let ends_with_password = settings.end_on_password_change;
        let (shared, one) = (Arc::clone(&tokens), Arc::clone(&directory));
        let authenticator = AppTokens::new(shared, one, Groups::Include, ends_with_password, clock.clone());
        let applications = Applications::new(
            Arc::clone(&tokens),
            directory,
            settings.policy(),
            allow_impersonation,
            (clock.clone(), Random::system()),
        );
        let applications = Arc::new(applications);
        let answers = Mutex::default();
        Self { people, clock, database, statements, tokens, authenticator, applications, file, answers }
    }

    /// A new token of this person with so much time to live.
    pub(crate) async fn token(&self, name: &str, lifetime: Duration) -> (Uuid, SecretString) {
        let (token, secret) = self.made(name, token_request(LifetimeRequest::For(lifetime))).await;
        (token.id, secret)
    }

    /// A new token of this person, as it is requested.
    pub(crate) async fn made(&self, name: &str, request: TokenRequest) -> (AppToken, SecretString) {
        let (session, caller) = (claims(name, &["pwd"]), Caller::default());
        let acting = self.applications.own(&session, &caller, Permission::Write).expect("may manage");
        self.applications.create(&acting, request).await.expect("is made")
    }

    /// Ends a token of this person.
    pub(crate) async fn revoke(
        &self,
        name: &str,
        which: &str,
    ) -> Result<Uuid, auth_app::applications::ApplicationsError> {
        let (session, caller) = (claims(name, &["pwd"]), Caller::default());
        let acting = self.applications.own(&session, &caller, Permission::Write).expect("may manage");
        self.applications.revoke(&acting, which).await
    }

    /// The live tokens of this person.
    pub(crate) async fn list(&self, name: &str) -> Vec<AppToken> {
        let (session, caller) = (claims(name, &["pwd"]), Caller::default());
        let acting = self.applications.own(&session, &caller, Permission::Read).expect("may see");
        self.applications.list(&acting, Page { after: None, limit: 1000 }).await.expect("lists")
    }

    /// Authenticates, and checks that the revalidation of the previous answer agrees with the result.
    pub(crate) async fn authenticate(&self, name: &str, secret: &str) -> Result<Authenticated, AuthError> {
        let held = self.holds(name, secret);
        let answer = self.authenticator.authenticate(&Credentials::new(name, secret.to_owned())).await;
        assert!(!held || answer.is_ok(), "a former answer held, and now there is {answer:?}");
        if let Ok(answer) = &answer {
            let known_by = (name.to_owned(), secret.to_owned());
            self.answers.lock().expect("no panic").insert(known_by, answer.clone());
        }
        answer
    }

    /// Whether the answer before says of itself that it holds.
    pub(crate) fn holds(&self, name: &str, secret: &str) -> bool {
        let answer = self.answers.lock().expect("no panic").get(&(name.to_owned(), secret.to_owned())).cloned();
        answer.and_then(|answer| answer.standing).is_some_and(|standing| standing.holds(&Caller::default()))
    }

    /// Why this is refused.
    pub(crate) async fn refusal(&self, name: &str, secret: &SecretString) -> Reason {
        match self.authenticate(name, secret.expose_secret()).await {
            Err(AuthError::Refused(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn reads(&self) -> usize {
        self.statements.reads.load(Ordering::Relaxed)
    }
}
