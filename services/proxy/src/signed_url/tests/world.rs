//! Users whose gateway answers as a test says, and who fetch keys and sign URLs with them.

use std::collections::HashMap;
use std::sync::Mutex;

use ::config::Secret;
use ::store::Database;
use async_trait::async_trait;
use authn::gateway::{Identified, IssuedTransaction, TransactionKeySet, TransactionWanted};
use authn::{AuthError, Authenticated, Gateway, Reason, User, UserType, kind};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use runtime::Random;
use token::{KeyRing, Minter, Verifier};

use super::url::sign;
use crate::authentication::CredentialTypes;
use crate::path::{Leniency, Path};
use crate::session::{Migrator, testing};
use crate::signed_url::*;

const HOST: &str = "cloud.example";
const MACHINE_KEY: &str = "the-machine-key-of-these-tests-0123";
pub(super) const ISSUER: &str = "https://idp.example";

/// What the gateway knows.
#[derive(Default)]
struct Known {
    /// By identifier.
    users: HashMap<String, User>,
    /// Whose an access token is, and how its user was authenticated.
    tokens: HashMap<String, (String, &'static str)>,
}

struct Answers {
    known: Mutex<Known>,
    minter: Minter,
    clock: runtime::Clock,
}

impl Answers {
    fn identified(&self, user: &User, amr: &'static str) -> Identified {
        let user = Arc::new(user.clone());
        let answer = Authenticated::full(Arc::clone(&user), amr);
        Identified { token: self.minter.mint(self.clock.now(), &answer).expect("is minted").into(), user }
    }
}

#[async_trait]
impl Gateway for Answers {
    async fn token(&self, kind: &str, credentials: &Credentials) -> Result<Identified, AuthError> {
        let known = self.known.lock().expect("no panic");
        let secret = credentials.secret.expose_secret();
        if kind == kind::MACHINE {
            assert_eq!(secret, MACHINE_KEY);
            let id = credentials.client_id.strip_prefix("userid:").expect("it is asked by identifier");
            return Ok(self.identified(known.users.get(id).ok_or(AuthError::UnknownUser)?, "machine"));
        }
        let refused = || AuthError::Refused(Reason::WrongSecret);
        let (id, amr) = known.tokens.get(secret).cloned().ok_or_else(refused)?;
        if kind != kind::BEARER && !matches!(amr, "app" | "pwd") {
            return Err(refused());
        }
        Ok(self.identified(known.users.get(&id).ok_or_else(refused)?, amr))
    }

    async fn transaction(&self, _: &str, _: &TransactionWanted, _: &Caller) -> Result<IssuedTransaction, AuthError> {
        unreachable!("no route of this test wants a transaction token")
    }

    async fn transaction_keys(&self) -> Result<TransactionKeySet, AuthError> {
        unreachable!("no route of this test verifies transaction tokens")
    }
}

pub(super) struct World {
    pub(super) clock: runtime::Clock,
    pub(super) signed_urls: SignedUrls,
    pub(super) sessions: Arc<Sessions>,
    authentication: Authentication,
    gateway: Arc<Answers>,
}

impl World {
    /// `einstein` is the only user.
    pub(super) async fn start(database: Database) -> Self {
        database.migrate::<Migrator>().await.expect("migrates");
        let clock = runtime::Clock::manual(runtime::Clock::system().now());
        let ring =
            Arc::new(KeyRing::new(&"a secret of the tests, at least 32 bytes long".into(), None).expect("a secret"));
        let minter = Minter::new(Arc::clone(&ring), Duration::from_mins(5), false);
        let gateway = Arc::new(Answers { known: Mutex::default(), minter, clock: clock.clone() });
        let verifier = Verifier::new(ring);
        let kinds = CredentialTypes { basic: true, app: true };
        let authentication =
            Authentication::new(Arc::clone(&gateway) as Arc<dyn Gateway>, verifier, clock.clone(), kinds);
        let machine_key = MachineKey::new(&MACHINE_KEY.into(), &Secret::default(), Random::seeded(7));
        let signed_urls = SignedUrls::new(database.clone(), machine_key, Random::seeded(7));
        let world =
            Self { sessions: testing::sessions(&database, &clock), clock, signed_urls, authentication, gateway };
        world.user("id-1", "einstein");
        world
    }

    /// Adds a user, or replaces the one with this identifier.
    pub(super) fn user(&self, id: &str, login: &str) {
        let id = UserId { opaque_id: id.to_owned(), kind: UserType::Primary, ..UserId::default() };
        let user = User { username: login.to_owned(), id: id.clone(), ..User::default() };
        self.gateway.known.lock().expect("no panic").users.insert(id.opaque_id, user);
    }

    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut User)) {
        change(self.gateway.known.lock().expect("no panic").users.get_mut(id).expect("there is one"));
    }

    pub(super) fn remove(&self, id: &str) {
        self.gateway.known.lock().expect("no panic").users.remove(id);
    }

    /// A credential of the first user, whom it authenticates by this method.
    pub(super) fn accept(&self, token: &str, amr: &'static str) {
        self.gateway.known.lock().expect("no panic").tokens.insert(token.to_owned(), ("id-1".to_owned(), amr));
    }

    pub(super) fn revoke(&self, token: &str) {
        self.gateway.known.lock().expect("no panic").tokens.remove(token);
    }

    /// An access token with these claims, which is accepted.
    pub(super) fn access_token(&self, claims: &serde_json::Value) -> String {
        let token = oidc::jose::hs256_jwt(b"whatever", "at+jwt", claims);
        self.accept(&token, "oidc");
        token
    }

    /// A browser session of the first user: what the browser sends.
    pub(super) async fn browser(&self, token: &str) -> HeaderMap {
        self.accept(token, "oidc");
        let cookie = self.sessions.begin_for_test(token).await;
        HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(cookie).expect("a header"))])
    }

    /// The key that whoever sends these headers is given.
    pub(super) async fn fetch(&self, headers: &HeaderMap) -> Option<String> {
        self.fetch_at("/ocs/v1.php/cloud/user/signing-key", None, headers).await
    }

    pub(super) async fn fetch_at(&self, path: &str, query: Option<&str>, headers: &HeaderMap) -> Option<String> {
        let path = Path::parse(path, Leniency::default()).expect("a path");
        let (method, host) = (&Method::GET, HOST);
        let info = RequestInfo { method, is_https: true, host, path: &path, query, headers, source: None };
        let credential = crate::credential::Credential::of(&info).expect("a credential or none");
        let identity = match credential {
            Some(credential) => self.authentication.identify(&info, credential).await,
            None if SignedUrls::is_one(&info) => {
                self.signed_urls.identify(&info, &self.authentication, Some(&self.sessions)).await
            }
            None => self.sessions.identify(&self.authentication, &info).await,
        };
        let identity = identity.expect("is authenticated");
        let key = self.signed_urls.key_for(&identity, &info, &self.authentication, Some(&self.sessions)).await;
        key.expect("there is a verdict").map(|key| key.secret.expose_secret().to_owned())
    }

    /// Who a link of einstein's opens as, which is signed now, with this key, for ten minutes.
    pub(super) async fn opens(&self, key: &str) -> Option<String> {
        self.opens_link(&self.link(key, "/dav/a.txt")).await
    }

    /// The query of such a link.
    pub(super) fn link(&self, key: &str, path: &str) -> (String, String) {
        let date = OffsetDateTime::from(self.clock.now()).format(&Rfc3339).expect("a date");
        let pairs = [("OC-Credential", "einstein"), ("OC-Date", &date), ("OC-Expires", "600"), ("OC-Verb", "GET")];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let signature = sign(key.as_bytes(), &format!("https://{HOST}{path}?{query}"));
        (path.to_owned(), format!("{query}&OC-Signature={signature}"))
    }

    pub(super) async fn opens_link(&self, (path, query): &(String, String)) -> Option<String> {
        let path = Path::parse(path, Leniency::default()).expect("a path");
        let (method, host, headers) = (&Method::GET, HOST, &HeaderMap::new());
        let info = RequestInfo { method, is_https: true, host, path: &path, query: Some(query), headers, source: None };
        match self.signed_urls.identify(&info, &self.authentication, Some(&self.sessions)).await {
            Ok(identity) => Some(identity.claims.user.id.opaque_id.clone()),
            Err(Verdict::Unauthenticated(CredentialError::Invalid)) => None,
            Err(verdict) => panic!("{verdict:?}"),
        }
    }
}

pub(super) fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).expect("a header"))])
}
