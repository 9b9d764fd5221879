use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use authn::gateway::{Identified, IssuedTransaction, TransactionKeySet};
use authn::{Authenticated, Credentials, Grants, Reason, User, UserId};
use runtime::CapturedLog;
use token::transaction::{
    Authority, KeySource, Minted, Subject, TransactionKeys, TransactionMinter, TransactionRequest, TransactionVerifier,
    WorkloadPolicy,
};
use token::{KeyRing, Minter, Verifier};
use tokio::sync::RwLock;
use tokio::time::timeout;
use tracing::Instrument;
use tracing::field::Empty;

use super::*;
use crate::identity::Link;
use crate::path::{Leniency, Path};

const DOMAIN: &str = "cloud.example.org";

/// A gateway that issues what is requested, or answers as the test says.
struct Answers {
    keys: Arc<TransactionKeys>,
    clock: Clock,
    failure: Mutex<Option<fn() -> AuthError>>,
    /// What was requested.
    wanted: Mutex<Vec<TransactionWanted>>,
    /// How often the keys were fetched.
    fetches: Mutex<u32>,
    /// While it is locked for writing, the gateway does not answer with keys.
    silence: RwLock<()>,
}

impl Answers {
    fn fail(&self, failure: Option<fn() -> AuthError>) {
        *self.failure.lock().expect("no panic") = failure;
    }

    fn check(&self) -> Result<(), AuthError> {
        let failure = *self.failure.lock().expect("no panic");
        failure.map_or(Ok(()), |failure| Err(failure()))
    }

    /// A token of this user.
    fn token_of(&self, user: &str, scope: &str) -> HeaderValue {
        self.token_as(SubjectType::User, user, scope)
    }

    /// A token of this subject.
    fn token_as(&self, kind: SubjectType, user: &str, scope: &str) -> HeaderValue {
        HeaderValue::from_str(&self.issue(kind, user, scope).token).expect("a header")
    }

    fn issue(&self, kind: SubjectType, user: &str, scope: &str) -> Minted {
        let policy =
            WorkloadPolicy { scopes: scope.split(' ').map(str::to_owned).collect(), ..WorkloadPolicy::default() };
        let (now, authority) = (self.clock.now(), Authority::WholeUser);
        let subject = Subject { id: user, kind, actor: None, authority, not_after: now + Duration::from_mins(5) };
        let request = TransactionRequest::new(scope, "", "").expect("a request");
        let minter = TransactionMinter::new(Arc::clone(&self.keys), DOMAIN);
        minter.mint(now, &subject, &request, "files", &policy).expect("is issued")
    }
}

#[async_trait]
impl Gateway for Answers {
    async fn token(&self, _: &str, _: &Credentials) -> Result<Identified, AuthError> {
        unreachable!("the user is authenticated already")
    }

    async fn transaction(
        &self,
        _: &str,
        wanted: &TransactionWanted,
        _: &Caller,
    ) -> Result<IssuedTransaction, AuthError> {
        self.check()?;
        self.wanted.lock().expect("no panic").push(wanted.clone());
        let Minted { token, claims } = self.issue(SubjectType::User, "id-of-einstein", &wanted.scope);
        Ok(IssuedTransaction { token: token.into(), transaction: claims.transaction })
    }

    async fn transaction_keys(&self) -> Result<TransactionKeySet, AuthError> {
        *self.fetches.lock().expect("no panic") += 1;
        drop(self.silence.read().await);
        self.check()?;
        Ok(TransactionKeySet { jwks: self.keys.published(self.clock.now()).to_vec(), trust_domain: DOMAIN.to_owned() })
    }
}

struct World {
    gateway: Arc<Answers>,
    transactions: Transactions,
    clock: Clock,
}

impl World {
    fn start() -> Self {
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let secret = "a secret for transaction tokens, 32 bytes or more".into();
        let keys = TransactionKeys::new(&secret, None, oidc::jose::Algorithm::EdDsa).expect("a secret");
        let gateway = Arc::new(Answers {
            keys: Arc::new(keys),
            clock: clock.clone(),
            failure: Mutex::default(),
            wanted: Mutex::default(),
            fetches: Mutex::default(),
            silence: RwLock::default(),
        });
        let transactions = Transactions::new(Arc::clone(&gateway) as Arc<dyn Gateway>, clock.clone());
        Self { gateway, transactions, clock }
    }

    fn identity(&self, name: &str, kind: UserType) -> Identity {
        self.limited_identity(name, kind, None)
    }

    /// The same by a credential with this grant only.
    fn limited_identity(&self, name: &str, kind: UserType, grant: Option<&str>) -> Identity {
        let ring = Arc::new(KeyRing::new(&"i".repeat(32).into(), None).expect("a secret"));
        let id = UserId { opaque_id: format!("id-of-{name}"), kind, ..UserId::default() };
        let user = Arc::new(User { id, username: name.to_owned(), ..User::default() });
        let token = Minter::new(Arc::clone(&ring), Duration::from_mins(5), true);
        let whole = Authenticated::full(user, "pwd");
        let answer = match grant {
            Some(grant) => {
                Authenticated { scopes: Arc::new(Grants::parse([grant]).expect("a grant").to_cs3()), ..whole }
            }
            None => whole,
        };
        let token = token.mint(self.clock.now(), &answer).expect("is minted");
        let claims = Verifier::new(ring).verify(self.clock.now(), &token).expect("is valid");
        Identity::new(HeaderValue::from_str(&token).expect("a header"), claims)
    }

    /// The token that the backend gets, or the status of the refusal.
    async fn header(
        &self,
        route: &TransactionRoute,
        tokens: &[HeaderValue],
        identity: Option<&Identity>,
    ) -> Result<Option<HeaderValue>, u16> {
        let mut headers = HeaderMap::new();
        for token in tokens {
            headers.append(TRANSACTION_TOKEN, token.clone());
        }
        let source = Some([192, 0, 2, 7].into());
        let request = Circumstances { method: "PUT", host: "cloud.example.org", headers: &headers, source };
        let outcome = self.transactions.header(route, request, identity).await;
        outcome.map_err(|refusal| refusal.status.as_u16())
    }
}

fn route(text: &str) -> Result<TransactionRoute, String> {
    let entry: TransactionEntry = serde_yaml_ng::from_str(text).map_err(|problem| problem.to_string())?;
    entry.read(false)
}

fn unreachable_gateway() -> AuthError {
    AuthError::Unavailable { service: "gateway", source: "it is away".into() }
}

/// `docs/security-requirements.md#x8`
#[tokio::test]
async fn backend_gets_the_token_that_its_route_names_or_no_request() {
    let world = World::start();
    let einstein = world.identity("einstein", UserType::Primary);
    let minting = route("mint: { scope: files.read, details: { service: webdav }, context: [req_ip, method] }");
    let minting = minting.expect("is valid");
    // what the client brings is not looked at
    let forged = [HeaderValue::from_static("forged")];
    let token = world.header(&minting, &forged, Some(&einstein)).await.expect("passes").expect("a token");
    let verifier = TransactionVerifier::new(DOMAIN, KeySource::Derived(Arc::clone(&world.gateway.keys)));
    let claims = verifier.verify(world.clock.now(), token.to_str().expect("text")).expect("is valid");
    assert_eq!(claims.subject, "id-of-einstein");
    assert!(token.is_sensitive());
    let wanted = world.gateway.wanted.lock().expect("no panic").pop().expect("a request");
    assert_eq!((wanted.scope.as_str(), wanted.details.as_str()), ("files.read", r#"{"service":"webdav"}"#));
    assert_eq!(wanted.context, r#"{"method":"PUT","req_ip":"192.0.2.7"}"#);

    assert_eq!(world.header(&minting, &forged, None).await, Ok(None), "a request without a user");
    world.gateway.fail(Some(|| AuthError::NotPermitted(Reason::Policy)));
    assert_eq!(world.header(&minting, &[], Some(&einstein)).await, Err(403));
    world.gateway.fail(Some(unreachable_gateway));
    assert_eq!(world.header(&minting, &[], Some(&einstein)).await, Err(503));
}

/// `docs/security-requirements.md#x8`
#[tokio::test]
async fn other_proxies_get_a_token_of_the_configured_scope() {
    let world = World::start();
    let transactions = Arc::new(world.transactions);
    let ring = Arc::new(KeyRing::new(&"i".repeat(32).into(), None).expect("a secret"));
    let internal = Minter::new(Arc::clone(&ring), Duration::from_mins(5), true);
    let user = Arc::new(User { id: UserId { opaque_id: "7".to_owned(), ..UserId::default() }, ..User::default() });
    let internal = internal.mint(world.clock.now(), &Authenticated::full(user, "pwd")).expect("is minted");
    let claims = Verifier::new(ring).verify(world.clock.now(), &internal).expect("is valid");
    let identity = Identity::new(HeaderValue::from_str(&internal).expect("a header"), claims);
    let path = Path::parse("/a", Leniency::default()).expect("a path");
    let (method, headers) = (http::Method::GET, HeaderMap::new());
    let (query, source) = (Some("key=s3cr3t"), None);
    let info =
        RequestInfo { method: &method, is_https: true, host: "a", path: &path, query, headers: &headers, source };

    let off = TransactionHeader::new(&transactions, "").expect("is off");
    assert_eq!(off.of(&info, &identity).await.expect("passes"), None);
    let on = TransactionHeader::new(&transactions, "files.read").expect("a scope");
    let (name, _) = on.of(&info, &identity).await.expect("passes").expect("a token");
    assert_eq!(name, "txn-token");
    let expected = TransactionWanted { scope: "files.read".to_owned(), ..TransactionWanted::default() };
    assert_eq!(*world.gateway.wanted.lock().expect("no panic"), [expected]);
    world.gateway.fail(Some(unreachable_gateway));
    assert_eq!(on.of(&info, &identity).await.expect_err("does not pass").status, 503);
    assert!(TransactionHeader::check("").is_ok() && TransactionHeader::check("a\\b").is_err());
}

/// `docs/security-requirements.md#x2`, `#x12`
#[tokio::test]
async fn token_of_a_caller_is_passed_on_if_it_is_valid_and_of_the_user() {
    let world = World::start();
    let einstein = world.identity("einstein", UserType::Primary);
    let service = world.identity("backup", UserType::Service);
    let verifying = route("verify: { scope: files.read }").expect("is valid");
    let good = world.gateway.token_of("id-of-einstein", "files.read files.write");
    let of_other = world.gateway.token_of("id-of-marie", "files.read");
    let narrow = world.gateway.token_of("id-of-einstein", "search");
    let pass =
        async |tokens: &[HeaderValue], identity: Option<&Identity>| world.header(&verifying, tokens, identity).await;

    assert_eq!(pass(std::slice::from_ref(&good), Some(&einstein)).await, Ok(Some(good.clone())));
    assert_eq!(pass(std::slice::from_ref(&of_other), Some(&service)).await, Ok(Some(of_other.clone())));
    assert_eq!(pass(&[of_other], Some(&einstein)).await, Err(403));
    assert_eq!(pass(&[narrow], Some(&einstein)).await, Err(403));
    let guest = world.identity("einstein", UserType::Guest);
    assert_eq!(pass(std::slice::from_ref(&good), Some(&guest)).await, Err(403), "a guest with the same identifier");
    let of_guest = world.gateway.token_as(SubjectType::Guest, "id-of-einstein", "files.read");
    assert_eq!(pass(std::slice::from_ref(&of_guest), Some(&einstein)).await, Err(403));
    assert_eq!(pass(std::slice::from_ref(&of_guest), Some(&guest)).await, Ok(Some(of_guest.clone())));
    assert_eq!(pass(&[], Some(&einstein)).await, Err(401));
    assert_eq!(pass(&[good.clone(), good.clone()], Some(&einstein)).await, Err(401));
    assert_eq!(pass(std::slice::from_ref(&einstein.token), Some(&einstein)).await, Err(401), "an internal token");
    assert_eq!(pass(std::slice::from_ref(&good), None).await, Err(401), "it authenticates no caller");
    assert_eq!(*world.gateway.fetches.lock().expect("no panic"), 1, "the keys are fetched once");
    world.clock.advance(Duration::from_mins(2));
    assert_eq!(pass(&[good], Some(&einstein)).await, Err(401), "it has expired");
}

/// `docs/security-requirements.md#x11`
#[tokio::test]
async fn span_names_the_transaction_of_the_token_that_the_backend_gets() {
    let world = World::start();
    let brought = [world.gateway.token_of("id-of-einstein", "files.read")];
    let verifier = TransactionVerifier::new(DOMAIN, KeySource::Derived(Arc::clone(&world.gateway.keys)));
    let transaction = |token: &HeaderValue| {
        let claims = verifier.verify(world.clock.now(), token.to_str().expect("text"));
        claims.expect("is valid").transaction
    };
    for (text, is_brought) in [("mint: { scope: files.read }", false), ("verify: { scope: files.read }", true)] {
        let route = route(text).expect("is valid");
        let log = CapturedLog::start(tracing::Level::INFO);
        let span = tracing::info_span!("request", user.id = Empty, doorward.act = Empty, doorward.txn = Empty);
        let passed = async {
            let einstein = world.identity("einstein", UserType::Primary);
            let passed = world.header(&route, &brought, Some(&einstein)).await;
            tracing::info!("passed");
            passed
        };
        let token = passed.instrument(span).await.expect("passes").expect("a token");
        assert!(log.text().contains(&transaction(&token)), "{text}: {}", log.text());
        assert_eq!(log.text().contains(&transaction(&brought[0])), is_brought, "{text}: {}", log.text());
    }
}

/// `docs/security-requirements.md#x13`
#[tokio::test]
async fn link_or_limited_credential_passes_on_no_token() {
    let world = World::start();
    let verifying = route("verify: { scope: files.read }").expect("is valid");
    let token = world.gateway.token_of("id-of-einstein", "files.read");
    let pass = async |identity: &Identity| {
        let passed = world.header(&verifying, std::slice::from_ref(&token), Some(identity)).await;
        passed.map(|token| token.is_some())
    };
    assert_eq!(pass(&world.identity("einstein", UserType::Primary)).await, Ok(true));
    for link in [Link::Public, Link::Guest] {
        let opened = Identity { link: Some(link), ..world.identity("einstein", UserType::Primary) };
        assert_eq!(pass(&opened).await, Err(403), "{link:?}");
    }
    for kind in [UserType::Primary, UserType::Service] {
        let limited = world.limited_identity("einstein", kind, Some("path:/photos:r"));
        assert_eq!(pass(&limited).await, Err(403), "{kind:?}");
    }
}

#[tokio::test]
async fn keys_are_used_while_the_gateway_is_away_for_a_day() {
    let world = World::start();
    let einstein = world.identity("einstein", UserType::Primary);
    let verifying = route("verify: { scope: files.read }").expect("is valid");
    let pass = async || {
        let token = world.gateway.token_of("id-of-einstein", "files.read");
        world.header(&verifying, &[token], Some(&einstein)).await.map(|token| token.is_some())
    };
    world.gateway.fail(Some(unreachable_gateway));
    assert_eq!(pass().await, Err(503), "no keys were fetched yet");
    world.gateway.fail(None);
    assert_eq!(pass().await, Err(503), "they are not fetched again at once");
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(pass().await, Ok(true));
    world.gateway.fail(Some(unreachable_gateway));
    world.clock.advance(Duration::from_hours(23));
    assert_eq!(pass().await, Ok(true), "the key of the next day was published");
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(pass().await, Err(503));
}

/// `docs/security-requirements.md#x9`
#[tokio::test]
async fn token_of_a_new_key_is_accepted_at_once() {
    let world = World::start();
    let einstein = world.identity("einstein", UserType::Primary);
    let verifying = route("verify: { scope: files.read }").expect("is valid");
    let pass = async || {
        let token = world.gateway.token_of("id-of-einstein", "files.read");
        world.header(&verifying, &[token], Some(&einstein)).await.map(|token| token.is_some())
    };
    let fetches = || *world.gateway.fetches.lock().expect("no panic");
    let change = |letter: &str| world.gateway.keys.replace(&letter.repeat(32).into(), None).expect("a secret");
    assert_eq!(pass().await, Ok(true));
    world.clock.advance(Duration::from_secs(10));
    change("n");
    assert_eq!((pass().await, fetches()), (Ok(true), 2));
    // another one a moment later could be any client's invention
    change("o");
    assert_eq!((pass().await, fetches()), (Err(401), 2));
    world.clock.advance(Duration::from_secs(10));
    assert_eq!((pass().await, fetches()), (Ok(true), 3));
}

#[tokio::test]
async fn silent_gateway_and_cancelled_requests_do_not_stop_others() {
    let world = World::start();
    let einstein = world.identity("einstein", UserType::Primary);
    let verifying = route("verify: { scope: files.read }").expect("is valid");
    let pass = async || {
        let token = world.gateway.token_of("id-of-einstein", "files.read");
        world.header(&verifying, &[token], Some(&einstein)).await.map(|token| token.is_some())
    };
    let silent = world.gateway.silence.write().await;
    assert!(timeout(Duration::from_millis(1), pass()).await.is_err(), "the client hangs up before the keys are there");
    drop(silent);
    assert_eq!(pass().await, Ok(true));
    assert_eq!(*world.gateway.fetches.lock().expect("no panic"), 1, "the answer for the first request is used");

    world.clock.advance(Duration::from_mins(10));
    let silent = world.gateway.silence.write().await;
    for _ in 0..3 {
        let passed = timeout(Duration::from_secs(30), pass()).await;
        assert_eq!(passed.expect("does not wait for other keys"), Ok(true));
    }
    tokio::task::yield_now().await;
    assert_eq!(*world.gateway.fetches.lock().expect("no panic"), 2, "they are fetched meanwhile, once");
    drop(silent);
}

#[test]
fn key_of_a_route_has_mint_or_verify() {
    for (text, expected) in [
        ("{}", "either mint or verify"),
        ("{ mint: { scope: a }, verify: { scope: a } }", "either mint or verify"),
        ("mint: { scope: '' }", "scope"),
        ("verify: { scope: '' }", "scope"),
        ("mint: { scope: a, details: { token: eyJhbGciOiJub25lIn0.e30. } }", "without tokens"),
        ("mint: { scope: a, context: [path] }", "path"),
        ("mint: { scope: a, other: b }", "other"),
        ("sign: { scope: a }", "sign"),
    ] {
        let problem = route(text).expect_err(text);
        assert!(problem.contains(expected), "{text}: {problem}");
    }
    let entry: TransactionEntry = serde_yaml_ng::from_str("verify: { scope: a }").expect("an entry");
    assert!(entry.read(true).is_err_and(|problem| problem.contains("unprotected")));
}
