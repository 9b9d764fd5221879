//! The harness of the tests: a provider with a database of its own, one user, a clock that does not advance, and requests of
//! browsers, of clients and of administrators.

pub(crate) mod authenticator;
mod listener;
mod mail_box;
mod passwords;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ::token::{KeyRing, Minter, Verifier};
use async_trait::async_trait;
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Claim, Credentials, Directory, DirectoryError, Filter, Groups,
    MailChange, MailChangeError, Peer, Profile, Reason, User, UserId, UserType, role,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use config::Environment;
use mail::Mailer;
use outbound::{Fetcher, Policy};
use runtime::{Clock, Context, Random};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::testing::TestDatabase;
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) use listener::Listener;
pub(crate) use mail_box::{ADDRESS, MailBox};

use passwords::FakePasswords;

use crate::account_mail::AccountMail;
use crate::endpoints::IssuerEndpoints;
use crate::engine::audit_events::AuditEvents;
use crate::engine::client_request::ClientRequest;
use crate::engine::clients::{Addition, Clients, Metadata};
use crate::engine::error::OAuthError;
use crate::engine::factors::enrolment::{self, Proof};
use crate::engine::form::Form;
use crate::engine::grants;
use crate::engine::grants::token_request::TokenRequest;
use crate::engine::grants::token_response::TokenResponse;
use crate::engine::keys::{Keys, Parts as KeyParts, Schedule};
use crate::engine::proofs::{Header, Proofs};
use crate::engine::provider::{Parts, Provider};
use crate::engine::sessions::{self, SignedInUser};
use crate::engine::tokens::{IdTokenBindings, Issue};
use crate::model::{Grant, Session, SignIn, seconds, time_of};
use crate::password_service::{self, PasswordService};
use crate::revocation_sync;
use crate::seal::Sealer;
use crate::store::Store;
use crate::{Config, Migrator};

pub(crate) const SITE: &str = "https://cloud.example";
/// The registration endpoint of the first issuer.
pub(crate) const REGISTER: &str = "/konnect/v1/register";
const SECRET: &str = "an-adequate-secret-of-32-bytes-ok";
pub(crate) const EINSTEIN: &str = "u-einstein";
/// The password of the user `einstein`.
pub(crate) const PASSWORD: &str = "relativity";
/// A request that proves nothing by headers or connection.
pub(crate) const NO_PROOFS: Proofs<'static> = Proofs {
    authorization: Header::Missing,
    dpop: Header::Missing,
    method: "POST",
    certificate: None,
    is_by_mtls: false,
};

/// A provider, and what is around it.
pub(crate) struct Bench {
    pub(crate) provider: Provider,
    pub(crate) clock: Clock,
    directory: Arc<TestDirectory>,
    /// The passwords that were set by links.
    pub(crate) set_passwords: FakePasswords,
    /// The keys of internal tokens.
    ring: Arc<KeyRing>,
    router: Router,
    database: TestDatabase,
}

/// A browser: its cookies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Browser(Vec<(String, String)>);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// One user, or none any more, the profile, and how mail addresses are changed.
struct TestDirectory(Mutex<Option<User>>, Mutex<Profile>, Mutex<MailChanges>);

/// How the directory changes mail addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct MailChanges {
    /// Whether the operator permits it.
    pub(crate) are_permitted: bool,
    /// The address of another user.
    pub(crate) taken: String,
    /// Whether the directory does not answer.
    pub(crate) is_away: bool,
    /// Whether it changes the address and does not answer.
    pub(crate) loses_answers: bool,
}

impl TestDirectory {
    fn einstein() -> Self {
        let id = UserId { opaque_id: EINSTEIN.to_owned(), ..UserId::default() };
        let (username, display_name) = ("einstein".to_owned(), "Albert Einstein".to_owned());
        Self(
            Mutex::new(Some(User { id, username, display_name, ..User::default() })),
            Mutex::default(),
            Mutex::default(),
        )
    }
}

#[async_trait]
impl Directory for TestDirectory {
    async fn user(&self, id: &UserId, _: Groups) -> Result<Arc<User>, DirectoryError> {
        let found = self.0.lock().expect("not poisoned").clone();
        let found = found.filter(|user| user.id.opaque_id == id.opaque_id);
        found.map(Arc::new).ok_or(DirectoryError::NotFound)
    }

    async fn user_by_claim(&self, claim: &Claim, _: Groups) -> Result<Arc<User>, DirectoryError> {
        let found = self.0.lock().expect("not poisoned").clone();
        let is_meant = |user: &User| matches!(claim, Claim::Mail(mail) if !mail.is_empty() && *mail == user.mail);
        found.filter(is_meant).map(Arc::new).ok_or(DirectoryError::NotFound)
    }

    async fn groups(&self, _: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(Vec::new())
    }

    async fn profile(&self, _: &UserId) -> Result<Profile, DirectoryError> {
        Ok(self.1.lock().expect("not poisoned").clone())
    }

    async fn may_change_mail(&self) -> Result<bool, DirectoryError> {
        Ok(self.2.lock().expect("not poisoned").are_permitted)
    }

    async fn set_verified_mail(&self, id: &UserId, change: MailChange<'_>) -> Result<(), MailChangeError> {
        let changes = self.2.lock().expect("not poisoned").clone();
        if changes.is_away {
            return Err(DirectoryError::Unavailable("no answer".into()).into());
        }
        if !changes.are_permitted {
            return Err(MailChangeError::NotPermitted);
        }
        let mut found = self.0.lock().expect("not poisoned");
        let user = found.as_mut().filter(|user| user.id.opaque_id == id.opaque_id);
        let user = user.ok_or(DirectoryError::NotFound)?;
        if user.mail != change.expected {
            return Err(MailChangeError::Outdated);
        }
        if changes.taken == change.address {
            return Err(MailChangeError::Taken);
        }
        change.address.clone_into(&mut user.mail);
        if changes.loses_answers { Err(DirectoryError::Unavailable("no answer".into()).into()) } else { Ok(()) }
    }

    async fn find(&self, _: &[Filter], _: Groups, _: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        Err(DirectoryError::Unauthenticated)
    }

    async fn note_password_change(&self, _: &UserId, _: SystemTime, _: &str) -> Result<(), DirectoryError> {
        Err(DirectoryError::ReadOnly)
    }
}

#[async_trait]
impl Authenticator for TestDirectory {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let found = self.0.lock().expect("not poisoned").clone();
        let is_right = credentials.secret.expose_secret() == PASSWORD;
        match found.filter(|user| is_right && user.username == credentials.client_id) {
            Some(user) => Ok(Authenticated::full(Arc::new(user), "pwd")),
            None => Err(AuthError::Refused(Reason::EmptySecret)),
        }
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// With these settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { url: SITE.to_owned(), allow_private_addresses: true, ..Config::default() };
        change(&mut config);
        // boxed: what all parts need while they open is large, and is part of each test
        Box::pin(Self::open(config)).await
    }

    async fn open(config: Config) -> Self {
        let (clock, random) = (Clock::manual(time_of(1_800_000_000)), Random::system());
        let file = store::testing::database();
        let database = file.open().await;
        database.migrate::<Migrator>().await.expect("migrates");
        let store = Store::new(database);
        let sealer = Sealer::new(&SECRET.into(), &"".into(), random.clone());
        let policy = Policy { allow_private: config.allow_private_addresses, ..Policy::default() };
        let fetcher = Fetcher::new("doorward-idp", policy, None).expect("a fetcher");
        let keys = Keys::open(KeyParts {
            store: store.clone(),
            sealer: sealer.clone(),
            schedule: Schedule::of(&config.lifetimes),
            clock: clock.clone(),
            random: random.clone(),
            algorithms: config.algorithms(),
        });
        let context = Context { clock: clock.clone(), ..Context::new(Environment::default()) };
        let clients = Clients::open(&config, (store.clone(), sealer.clone(), fetcher.clone()), &context);
        let ring = Arc::new(KeyRing::new(&SECRET.into(), None).expect("a secret"));
        let directory = Arc::new(TestDirectory::einstein());
        let audit_events = AuditEvents::new(&context.metrics, random.clone());
        let set_passwords = FakePasswords::default();
        let transport = password_service::transport(set_passwords.clone().serve());
        let password_service = PasswordService::new(transport, Arc::clone(&ring), clock.clone());
        password_service.clone().probe(context.shutdown.clone()).await;
        let mailer = Mailer::open(&config.mail, random.clone(), context.shutdown.clone()).expect("a mail server");
        let mail = AccountMail::new(mailer, password_service);
        let provider = Provider::new(Parts {
            issuers: config.sites(),
            clock: clock.clone(),
            random,
            revocations: revocation_sync::open(&store, clock.now()).await.expect("revocations"),
            keys: keys.await.expect("keys"),
            store,
            sealer,
            clients: clients.expect("clients"),
            fetcher,
            directory: Arc::clone(&directory) as Arc<dyn Directory>,
            passwords: Arc::clone(&directory) as Arc<dyn Authenticator>,
            mail,
            verifier: Verifier::new(Arc::clone(&ring)),
            config,
            deliveries: Arc::default(),
            audit_events,
        });
        let router = crate::http::all(&provider, "idp");
        Self { provider, clock, directory, set_passwords, ring, router, database: file }
    }

    /// The store of another replica: its revocations are in the database, and this provider has not been notified of them.
    pub(crate) async fn other_store(&self) -> Store {
        Store::new(self.database.open().await)
    }

    pub(crate) fn endpoints(&self) -> &IssuerEndpoints {
        &self.provider.issuers[0]
    }

    /// Changes the directory's entry of the user.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Option<User>)) {
        change(&mut self.directory.0.lock().expect("not poisoned"));
    }

    /// Changes how the directory changes mail addresses.
    pub(crate) fn change_mail_changes(&self, change: impl FnOnce(&mut MailChanges)) {
        change(&mut self.directory.2.lock().expect("not poisoned"));
    }

    /// Changes the profile of the user.
    pub(crate) fn change_profile(&self, change: impl FnOnce(&mut Profile)) {
        change(&mut self.directory.1.lock().expect("not poisoned"));
    }

    /// Adds a public client; `more` is added to its metadata. Returns its secret if that makes it confidential.
    pub(crate) async fn add(&self, id: &str, more: &Value) -> String {
        let mut metadata = json!({
            "client_id": id,
            "client_name": format!("The {id}"),
            "redirect_uris": ["https://app.example/back"],
            "post_logout_redirect_uris": ["https://app.example/bye"],
            "token_endpoint_auth_method": "none",
        });
        for (name, value) in more.as_object().expect("members") {
            metadata[name] = value.clone();
        }
        let metadata = Metadata::parse(metadata.to_string().as_bytes()).expect("metadata");
        let made = self.provider.clients.add(metadata, Addition::ByOperator).await.expect("is added");
        made.secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default()
    }

    /// Signs a user in.
    pub(crate) async fn sign_in(&self, browser: &mut Browser, person: &str) -> Session {
        let user = with_password(person);
        let begun = sessions::begin(&self.provider, None, user, &Caller::default()).await.expect("begins");
        browser.keep(&format!("__Host-doorward-session={}; Path=/", begun.cookie));
        begun.session
    }

    /// A grant of a client in a session, of whose end the client is notified.
    pub(crate) async fn grant(
        &self,
        session: &Session,
        client: &str,
        endpoints: &IssuerEndpoints,
        scope: &str,
    ) -> Grant {
        self.provider.store.join_session(session.id, client, endpoints.layout.name()).await.expect("joins");
        let at = seconds(session.signed_in);
        Grant {
            id: self.provider.random.uuid(),
            layout: endpoints.layout,
            client: client.to_owned(),
            person: Some(session.person.clone()),
            sign_in: Some(SignIn { session: Some(session.id), at, amr: vec!["pwd".into()], acr: "1".into() }),
            scope: scope.parse().expect("a scope"),
            claims: None,
            resources: Vec::new(),
            actor: None,
            limited: false,
        }
    }

    /// The ID token and the access token of a grant.
    pub(crate) async fn tokens(&self, grant: &Grant) -> (String, String) {
        let client = self.provider.clients.find(&grant.client).await.expect("asks").expect("is known");
        let id = UserId { opaque_id: grant.person.clone().unwrap_or_default(), ..UserId::default() };
        let issue = Issue {
            endpoints: self.provider.endpoints(grant.layout).expect("is served"),
            client: &client,
            grant,
            user: Some(&Arc::new(User { id, ..User::default() })),
            profile: &Profile::default(),
            binding: None,
            nonce: None,
            now: self.clock.now(),
        };
        (issue.id_token(&self.provider, &IdTokenBindings::default()), issue.access_token(&self.provider).text)
    }

    /// Has the engine answer a form that a client sends to the token endpoint of the first issuer.
    pub(crate) async fn issue(&self, form: &[(&str, &str)]) -> Result<TokenResponse, OAuthError> {
        let (provider, endpoints) = (&self.provider, self.endpoints());
        let form = encoded(form);
        let client_request = self.authenticated(&form, endpoints.paths.token).await?;
        let request = TokenRequest { provider, endpoints, client_request: &client_request, now: self.clock.now() };
        grants::issue(&request).await
    }

    /// The request of a client that sends this form to a path of the first issuer.
    pub(crate) async fn authenticated<'a>(&self, form: &'a Form, path: &str) -> Result<ClientRequest<'a>, OAuthError> {
        ClientRequest::authenticate(&self.provider, self.endpoints(), (form, NO_PROOFS), path).await
    }

    /// The user as the directory has the account.
    pub(crate) fn user(&self) -> User {
        self.directory.0.lock().expect("not poisoned").clone().expect("a user")
    }

    /// Enrols a second factor of the user. Returns its secret and the recovery codes. The code that confirms it is used up.
    pub(crate) async fn enrol(&self) -> (String, Vec<String>) {
        let user = self.user();
        let enrolment = enrolment::begin(&self.provider, &user).expect("begins");
        let code = totp_code(&enrolment.secret, self.clock.now());
        let codes = enrolment::confirm(
            &self.provider,
            (&user, Proof::RecentSignIn),
            &enrolment.handle,
            &code,
            &Caller::default(),
        )
        .await
        .expect("is enrolled");
        (enrolment.secret, codes)
    }

    pub(crate) async fn is_signed_in(&self, session: Uuid) -> bool {
        self.provider.store.session(session).await.expect("asks").is_some()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) async fn get(&self, browser: &mut Browser, path: &str, query: &[(&str, &str)]) -> Reply {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let request = Request::get(format!("{path}?{query}"));
        self.send(browser, request, Body::empty()).await
    }

    pub(crate) async fn post(&self, browser: &mut Browser, path: &str, form: &[(&str, &str)]) -> Reply {
        self.post_with(browser, path, form, &[("origin", SITE), ("sec-fetch-site", "same-origin")]).await
    }

    pub(crate) async fn post_with(
        &self,
        browser: &mut Browser,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(browser, request, Body::from(body)).await
    }

    async fn send(&self, browser: &mut Browser, request: axum::http::request::Builder, body: Body) -> Reply {
        let request = request.header(COOKIE, browser.line()).body(body).expect("a request");
        let reply = self.raw(request).await;
        let cookies = reply.headers.get_all(SET_COOKIE);
        cookies.iter().for_each(|line| browser.keep(line.to_str().expect("text")));
        reply
    }

    /// The response to a request as it is.
    pub(crate) async fn raw(&self, mut request: Request<Body>) -> Reply {
        let source = Some("192.0.2.1".parse().expect("an address"));
        request.extensions_mut().insert(Peer { source, ..Peer::default() });
        let response = self.router.clone().oneshot(request).await.expect("answers");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(body).expect("text") }
    }

    /// The response to JSON that the bearer of a token sends.
    pub(crate) async fn send_json(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.raw(request.body(Body::from(body)).expect("a request")).await
    }

    /// The response to a client that registers itself with this metadata.
    pub(crate) async fn register(&self, token: Option<&str>, metadata: &Value) -> Reply {
        self.send_json("POST", REGISTER, token, Some(metadata)).await
    }

    /// An internal token of a user with these roles.
    pub(crate) fn internal_token(&self, name: &str, roles: &[&str]) -> String {
        let id = UserId { opaque_id: format!("id-of-{name}"), kind: UserType::Primary, ..UserId::default() };
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let user = User { id, username: name.to_owned(), roles, ..User::default() };
        self.minted(&Authenticated::full(Arc::new(user), "pwd"))
    }

    /// An internal token for this answer of an authenticator.
    pub(crate) fn minted(&self, answer: &Authenticated) -> String {
        let minter = Minter::new(Arc::clone(&self.ring), Duration::from_hours(1), false);
        minter.mint(self.clock.now(), answer).expect("is minted")
    }

    /// An internal token of an administrator.
    pub(crate) fn admin(&self) -> String {
        self.internal_token("admin", &[role::ADMIN])
    }
}

/// A form as the engine gets it.
pub(crate) fn encoded(pairs: &[(&str, &str)]) -> Form {
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Form::parse(text.as_bytes()).expect("a form")
}

/// A user who has given the password and does not want to stay signed in.
pub(crate) const fn with_password(user: &str) -> SignedInUser<'_> {
    SignedInUser { user, amr: sessions::PASSWORD, remember: false }
}

/// The code that an authenticator app with this secret shows at a time.
pub(crate) fn totp_code(secret: &str, at: SystemTime) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("a secret");
    let totp = totp_rs::Builder::new().with_secret(secret).build().expect("a factor");
    totp.generate(seconds(at)).to_string()
}

/// The text of a member.
pub(crate) fn text(body: &Value, member: &str) -> String {
    body[member].as_str().unwrap_or_else(|| panic!("no {member} in {body}")).to_owned()
}

impl Browser {
    fn line(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, line: &str) {
        let (pair, rest) = line.split_once(';').expect("attributes");
        let (name, value) = pair.split_once('=').expect("a value");
        self.0.retain(|(kept, _)| kept != name);
        if !rest.contains("Max-Age=0") {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// Its JSON, if the status is this one; null if it has none.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION).map(|value| value.to_str().expect("text"))
    }

    /// The value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\" value=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }

    #[track_caller]
    pub(crate) fn csrf(&self) -> String {
        self.field("csrf").unwrap_or_else(|| panic!("no form: {} {}", self.status, self.text)).to_owned()
    }
}
