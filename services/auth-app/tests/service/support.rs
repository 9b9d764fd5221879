//! The service with a directory, a clock and a database for one test.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use auth_app::applications::TokenRequest;
use auth_app::cache::Limits;
use auth_app::digest_keys::DigestKeys;
use auth_app::model::{AppToken, Kind};
use auth_app::policy::LifetimeRequest;
use auth_app::store::{Page, TokenStore};
use auth_app::{AppTokens, Applications, Migrator, TokenService};
use authn::testing::{MemoryDirectory, refusal_reason, user};
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Credentials, Directory, Grants, Groups, Permission, Reason, User,
    UserStatus,
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
        sid: None,
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
            // each row is a list in parentheses after the names of the columns, with signs that depend on the database
            let rows = sql.split(" ON CONFLICT").next().unwrap_or_default().matches('(').count() - 1;
            self.written.fetch_add(rows, Ordering::Relaxed);
        }
    }
}

/// The service without listeners.
pub(crate) struct Fixture {
    pub(crate) directory: Arc<MemoryDirectory>,
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

    /// With settings of the operator.
    pub(crate) async fn with(settings: auth_app::Tokens, allow_impersonation: bool) -> Self {
        let file = store::testing::database();
        let database = file.open().await;
        database.migrate::<Migrator>().await.expect("migrates");
        let directory = MemoryDirectory::new(["einstein", "marie", "admin"].map(user));
        let clock = Clock::manual(UNIX_EPOCH + 50 * YEAR);
        Self::over(Arc::new(file), database, directory, clock, (KEY, ""), (settings, allow_impersonation)).await
    }

    /// The same service, begun again with other keys.
    pub(crate) async fn restarted(&self, current: &str, previous: &str) -> Self {
        let settings = (auth_app::Tokens::default(), true);
        let (file, directory) = (Arc::clone(&self.file), Arc::clone(&self.directory));
        Self::over(file, self.database.clone(), directory, self.clock.clone(), (current, previous), settings).await
    }

    async fn over(
        file: Arc<TestDatabase>,
        database: Database,
        directory: Arc<MemoryDirectory>,
        clock: Clock,
        (current, previous): (&str, &str),
        (settings, allow_impersonation): (auth_app::Tokens, bool),
    ) -> Self {
        let statements = Arc::<Statements>::default();
        let counted = Arc::clone(&statements);
        let store = TokenStore::new(database.clone().observed(move |sql| counted.count(sql)));
        let digest_keys = DigestKeys::new(&Secret::from(current), &Secret::from(previous));
        let limits = Limits { bytes: 8 * 1024 * 1024, cached_for: HOUR };
        let tokens = TokenService::open(Arc::new(store), digest_keys, limits).await.expect("opens");
        let tokens = Arc::new(tokens);
        let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
        let ends_with_password = settings.end_on_password_change;
        let (shared, one) = (Arc::clone(&tokens), Arc::clone(&users));
        let authenticator = AppTokens::new(shared, one, Groups::Include, ends_with_password, clock.clone());
        let applications = Applications::new(
            Arc::clone(&tokens),
            users,
            settings.policy(),
            allow_impersonation,
            (clock.clone(), Random::system()),
        );
        let applications = Arc::new(applications);
        let answers = Mutex::default();
        Self { directory, clock, database, statements, tokens, authenticator, applications, file, answers }
    }

    /// Replaces a user of the directory by one without mail address and times, with this change.
    pub(crate) fn change_user(&self, name: &str, change: impl FnOnce(&mut User)) {
        let mut user = user(name);
        change(&mut user);
        self.directory.put(user);
    }

    /// Replaces a user of the directory by one with this status.
    pub(crate) fn set_status(&self, name: &str, status: UserStatus) {
        self.change_user(name, |user| user.status = status);
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
        answer.and_then(|answer| answer.revalidate).is_some_and(|check| check.is_still_valid(&Caller::default()))
    }

    /// Why this is refused.
    pub(crate) async fn refusal(&self, name: &str, secret: &SecretString) -> Reason {
        refusal_reason(self.authenticate(name, secret.expose_secret()).await)
    }

    pub(crate) fn reads(&self) -> usize {
        self.statements.reads.load(Ordering::Relaxed)
    }
}
