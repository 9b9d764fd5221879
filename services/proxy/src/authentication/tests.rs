use std::sync::Mutex;

use async_trait::async_trait;
use authn::gateway::{IssuedTransaction, TransactionKeySet, TransactionWanted};
use authn::{Authenticated, Reason, User, UserId};
use http::{HeaderMap, Method};
use token::{KeyRing, Minter};

use super::*;
use crate::path::{Leniency, Path};

/// Answers each kind of credential as the test says, and records what it was asked.
struct Answers {
    app: fn() -> AuthError,
    password: Option<Identified>,
    info: Mutex<Vec<String>>,
}

#[async_trait]
impl Gateway for Answers {
    async fn token(&self, kind: &str, _: &Credentials) -> Result<Identified, AuthError> {
        self.info.lock().expect("no panic").push(kind.to_owned());
        match kind {
            kind::APP => Err((self.app)()),
            _ => self.password.clone().ok_or(AuthError::Refused(Reason::WrongSecret)),
        }
    }

    async fn transaction(&self, _: &str, _: &TransactionWanted, _: &Caller) -> Result<IssuedTransaction, AuthError> {
        unreachable!("no route of this test wants a transaction token")
    }

    async fn transaction_keys(&self) -> Result<TransactionKeySet, AuthError> {
        unreachable!("no route of this test verifies transaction tokens")
    }
}

fn busy() -> AuthError {
    AuthError::Busy { retry_after: Duration::from_secs(1) }
}

/// What is decided of this secret by HTTP Basic, and which kinds it was tried as.
async fn identify(app: fn() -> AuthError, is_password: bool, secret: &str) -> (Result<String, Verdict>, Vec<String>) {
    let credential = Credential::Basic { login: "einstein".to_owned(), secret: secret.to_owned().into() };
    identify_as(app, is_password, credential).await
}

async fn identify_as(
    app: fn() -> AuthError,
    is_password: bool,
    credential: Credential,
) -> (Result<String, Verdict>, Vec<String>) {
    let keys = Arc::new(KeyRing::new(&"a secret of the tests, at least 32 bytes long".into(), None).expect("a secret"));
    let clock = Clock::system();
    let id = UserId { opaque_id: "id-of-einstein".to_owned(), ..UserId::default() };
    let user = Arc::new(User { id, username: "einstein".to_owned(), ..User::default() });
    let minter = Minter::new(Arc::clone(&keys), Duration::from_mins(5), false);
    let token = minter.mint(clock.now(), &Authenticated::full(Arc::clone(&user), "pwd")).expect("is minted");
    let password = is_password.then(|| Identified { token: token.into(), user });
    let gateway = Arc::new(Answers { app, password, info: Mutex::default() });
    let authentication =
        Authentication::new(Arc::clone(&gateway) as Arc<dyn Gateway>, Verifier::new(keys), clock, KINDS);
    let decided = present(&authentication, credential).await;
    let info = gateway.info.lock().expect("no panic").clone();
    (decided.map(|identity| identity.claims.user.username.clone()), info)
}

const KINDS: CredentialTypes = CredentialTypes { basic: true, app: true };

async fn present(authentication: &Authentication, credential: Credential) -> Result<Arc<Identity>, Verdict> {
    let path = Path::parse("/", Leniency::default()).expect("a path");
    let (method, host, headers) = (&Method::GET, "a", &HeaderMap::new());
    let info = RequestInfo { method, is_https: true, host, path: &path, query: None, headers, source: None };
    authentication.identify(&info, credential).await
}

/// What is known of a user's groups whose token leaves them out, where the gateway's answer is about this user.
async fn groups_of(answered: &str) -> Result<Vec<String>, Verdict> {
    let keys = Arc::new(KeyRing::new(&"a secret of the tests, at least 32 bytes long".into(), None).expect("a secret"));
    let clock = Clock::system();
    let user = |id: &str| {
        let id = UserId { opaque_id: id.to_owned(), ..UserId::default() };
        Arc::new(User { id, groups: vec!["g".repeat(36); 1000], ..User::default() })
    };
    let minter = Minter::new(Arc::clone(&keys), Duration::from_mins(5), false).with_max_groups_size(1000);
    let token = minter.mint(clock.now(), &Authenticated::full(user("1"), "pwd")).expect("is minted");
    let password = Some(Identified { token: token.into(), user: user(answered) });
    let app = || AuthError::Refused(Reason::WrongSecret);
    let gateway = Arc::new(Answers { app, password, info: Mutex::default() });
    let authentication = Authentication::new(gateway, Verifier::new(keys), clock, KINDS);
    let credential = Credential::Basic { login: "einstein".to_owned(), secret: "a password".to_owned().into() };
    let identity = present(&authentication, credential).await?;
    Ok(identity.claims.user.groups.clone())
}

#[tokio::test]
async fn groups_that_a_token_leaves_out_are_those_of_the_gateways_answer() {
    assert_eq!(groups_of("1").await.expect("is known").len(), 1000);
    let other = groups_of("2").await;
    assert!(matches!(other, Err(Verdict::Unavailable)), "never those of another user, and never none: {other:?}");
}

#[tokio::test]
async fn password_is_tried_while_the_search_for_app_tokens_is_busy() {
    let (decided, info) = identify(busy, true, "a password").await;
    assert_eq!(decided.expect("the password is right"), "einstein");
    assert_eq!(info, [kind::APP, kind::BASIC]);
}

#[tokio::test]
async fn secret_that_is_no_password_is_busy_while_the_search_for_app_tokens_is() {
    let (decided, _) = identify(busy, false, "perhaps an app token").await;
    assert!(matches!(decided, Err(Verdict::Busy { .. })), "{decided:?}");
    let (decided, _) = identify(|| AuthError::Refused(Reason::WrongSecret), false, "neither").await;
    assert!(matches!(decided, Err(Verdict::Unauthenticated(CredentialError::Invalid))), "{decided:?}");
    let (decided, info) = identify(busy, true, "dwa_0123456789").await;
    assert!(matches!(decided, Err(Verdict::Busy { .. })), "{decided:?}");
    assert_eq!(info, [kind::APP], "what has the form of an app token is never tried as a password");
}

/// Row M1: whatever a client presents, the edge asks neither for the machine key nor for a service account.
#[tokio::test]
async fn credential_is_never_tried_as_a_machine_key_or_service_account() {
    let refused = || AuthError::Refused(Reason::WrongSecret);
    let secret = "the-machine-key-of-the-installation";
    for login in ["einstein", "userid:4c51", "username:einstein", "machine", "serviceaccounts"] {
        let credential = Credential::Basic { login: login.to_owned(), secret: secret.to_owned().into() };
        let (decided, info) = identify_as(refused, false, credential).await;
        assert!(matches!(decided, Err(Verdict::Unauthenticated(CredentialError::Invalid))), "{login}: {decided:?}");
        assert_eq!(info, [kind::APP, kind::BASIC], "{login}");
    }
    let (_, info) = identify_as(refused, false, Credential::Bearer(secret.to_owned().into())).await;
    assert_eq!(info, [kind::BEARER]);
}

#[test]
fn one_of_several_instances_accepts_neither_passwords_nor_app_tokens() {
    let types = |multi_instance_enabled| {
        let config =
            Config { enable_basic_auth: true, enable_app_auth: true, multi_instance_enabled, ..Config::default() };
        let CredentialTypes { basic, app } = CredentialTypes::of(&config);
        (basic, app)
    };
    assert_eq!((types(false), types(true)), ((true, true), (false, false)));
}
