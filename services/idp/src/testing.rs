//! The harness of the tests: a provider with a database of its own, one user, a clock that does not advance, and requests of
//! browsers, of clients and of administrators.

pub(crate) mod authenticator;
mod directory;
mod fapi_client;
mod listener;
mod mail_box;
mod passwords;
mod requests;
mod service_accounts;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::token::transaction::TransactionKeys;
use ::token::{KeyRing, Minter, Verifier};
use authn::{Authenticated, Authenticator, Caller, Directory, Profile, User, UserId, UserType, role};
use axum::Router;
use config::{Environment, Transactions as TransactionSettings};
use mail::Mailer;
use oidc::jose::Algorithm;
use outbound::{Fetcher, Policy};
use runtime::{Clock, Context, Random};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::testing::TestDatabase;
use uuid::Uuid;

pub(crate) use fapi_client::{FapiClient, dpop_proof};
pub(crate) use listener::Listener;
pub(crate) use mail_box::{ADDRESS, MailBox};
pub(crate) use requests::{Browser, Reply};
pub(crate) use service_accounts::{ACCOUNT, ACCOUNT_SECRET};

use directory::{MailChanges, TestDirectory};
use passwords::FakePasswords;
use service_accounts::FakeServiceAccounts;

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
use crate::engine::transactions::Transactions;
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
/// The trust domain of transaction tokens.
pub(crate) const TRUST_DOMAIN: &str = "cloud.example";
/// The password of the user `einstein`.
pub(crate) const PASSWORD: &str = "relativity";
/// A request that proves nothing by headers or connection.
pub(crate) const NO_PROOFS: Proofs<'static> = Proofs {
    authorization: Header::Missing,
    dpop: Header::Missing,
    method: "POST",
    certificate: None,
    is_by_mtls: false,
    caller: None,
};

/// A provider, and what is around it.
pub(crate) struct Bench {
    pub(crate) provider: Provider,
    pub(crate) clock: Clock,
    directory: Arc<TestDirectory>,
    /// The passwords that were set by links.
    pub(crate) set_passwords: FakePasswords,
    /// The service accounts that are clients.
    pub(crate) service_accounts: Arc<FakeServiceAccounts>,
    /// The keys of internal tokens.
    ring: Arc<KeyRing>,
    router: Router,
    database: TestDatabase,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// With these settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::at(time_of(1_800_000_000), change).await
    }

    /// The same at this time: JWT-SVIDs are held against the time of the system too.
    pub(crate) async fn at(time: SystemTime, change: impl FnOnce(&mut Config)) -> Self {
        let transactions = TransactionSettings {
            secret: SECRET.into(),
            trust_domain: TRUST_DOMAIN.to_owned(),
            ..TransactionSettings::default()
        };
        let url = SITE.to_owned();
        let mut config = Config { url, allow_private_addresses: true, transactions, ..Config::default() };
        change(&mut config);
        // boxed: what all parts need while they open is large, and is part of each test
        Box::pin(Self::open(config, time)).await
    }

    async fn open(config: Config, time: SystemTime) -> Self {
        let (clock, random) = (Clock::manual(time), Random::system());
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
        let transactions = config.transactions.is_enabled();
        let transactions =
            transactions.then(|| Transactions::new(transaction_keys(), TRUST_DOMAIN, random.clone(), &context.metrics));
        let service_accounts = Arc::<FakeServiceAccounts>::default();
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
            workloads: crate::workloads(&config, &context).expect("a policy"),
            service_accounts: Some(Arc::clone(&service_accounts) as Arc<dyn Authenticator>),
            mail,
            verifier: Verifier::new(Arc::clone(&ring)),
            config,
            deliveries: Arc::default(),
            audit_events,
            transactions,
        });
        let router = crate::http::all(&provider, "idp");
        Self { provider, clock, directory, set_passwords, service_accounts, ring, router, database: file }
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

/// The keys of transaction tokens, as each process with the secret derives them.
pub(crate) fn transaction_keys() -> Arc<TransactionKeys> {
    Arc::new(TransactionKeys::new(&SECRET.into(), None, Algorithm::Es256).expect("a secret"))
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
