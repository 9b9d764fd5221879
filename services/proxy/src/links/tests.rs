use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use authn::gateway::{Identified, IssuedTransaction, TransactionKeySet, TransactionWanted};
use authn::{
    AuthError, Authenticated, Caller, Credentials, Explanation, Gateway, OpaqueEntry, Reason, Role, Scope, Scopes,
    User, UserId, UserType, kind,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use runtime::Clock;
use secrecy::ExposeSecret;
use token::{KeyRing, Minter, Verifier};

use super::*;
use crate::authentication::CredentialTypes;
use crate::config::LinkSettings;
use crate::identity::Link;
use crate::path::{Leniency, Path, Paths};
use crate::verdict::GuestRefusal;

/// What a gateway answers.
type Answer = Box<dyn Fn() -> Result<Identified, AuthError> + Send + Sync>;

/// The gateway of an OpenCloud, which records the type, the client and the secret that it was asked about.
struct Upstream {
    answer: Answer,
    asked: Mutex<Vec<[String; 3]>>,
}

#[async_trait]
impl Gateway for Upstream {
    async fn token(&self, kind: &str, credentials: &Credentials) -> Result<Identified, AuthError> {
        let secret = credentials.secret.expose_secret().to_owned();
        self.asked.lock().expect("no panic").push([kind.to_owned(), credentials.client_id.clone(), secret]);
        (self.answer)()
    }

    async fn transaction(&self, _: &str, _: &TransactionWanted, _: &Caller) -> Result<IssuedTransaction, AuthError> {
        unreachable!("no route of this test wants a transaction token")
    }

    async fn transaction_keys(&self) -> Result<TransactionKeySet, AuthError> {
        unreachable!("no route of this test verifies transaction tokens")
    }
}

fn keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(&"a secret of the tests, at least 32 bytes long".into(), None).expect("a secret"))
}

/// The answer about a user of this type, with this scope.
fn user(user_type: UserType, scope: &'static str) -> Answer {
    Box::new(move || {
        let id = UserId { opaque_id: "guest@example.org".to_owned(), kind: user_type, ..UserId::default() };
        let user = Arc::new(User { id, username: "guest@example.org".to_owned(), ..User::default() });
        let granted = Scope { resource: OpaqueEntry::json("{}"), role: Role::Owner };
        let scopes = Arc::new(Scopes(BTreeMap::from([(scope.to_owned(), granted)])));
        let answer = Authenticated { scopes, ..Authenticated::full(Arc::clone(&user), "link") };
        let minter = Minter::new(keys(), Duration::from_mins(5), false);
        let token = minter.mint(Clock::system().now(), &answer).expect("is minted");
        Ok(Identified { token: token.into(), user })
    })
}

fn failure(error: fn() -> AuthError) -> Answer {
    Box::new(move || Err(error()))
}

fn refused() -> AuthError {
    AuthError::Refused(Reason::WrongSecret)
}

fn expired() -> AuthError {
    let value = br#"{"type":"opencloud_guest_link_error","reason":"session_expired","share_id":"a:b:c"}"#.to_vec();
    AuthError::Explained(Box::new(Explanation { decoder: "json".to_owned(), value }))
}

fn unavailable() -> AuthError {
    AuthError::Unavailable { service: "gateway", source: "away".into() }
}

fn unknown_type() -> AuthError {
    AuthError::UnknownType { name: kind::GUEST_LINKS.to_owned(), enabled: String::new() }
}

/// Links that are accepted, with this gateway behind.
struct World {
    links: Links,
    authentication: Authentication,
    upstream: Arc<Upstream>,
}

impl World {
    fn new(answer: Answer) -> Self {
        let links = LinkSettings { guests_enabled: true, public_enabled: Some(true), ..::config::defaults() };
        let config = Config { links, url: "https://cloud.example".to_owned(), ..Config::default() };
        let upstream = Arc::new(Upstream { answer, asked: Mutex::default() });
        let types = CredentialTypes { basic: true, app: true };
        let gateway = Arc::clone(&upstream) as Arc<dyn Gateway>;
        let authentication = Authentication::new(gateway, Verifier::new(keys()), Clock::system(), types);
        Self { links: Links::new(&config), authentication, upstream }
    }

    /// What is decided of a request with these headers.
    async fn decide(
        &self,
        method: &Method,
        target: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Arc<Identity>, Verdict> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let path = Path::parse(path, Leniency::default()).expect("a path");
        let value = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = headers.iter().map(value).collect();
        let (is_https, host, source) = (true, "cloud.example", None);
        let info = RequestInfo { method, is_https, host, path: &path, query, headers: &headers, source };
        self.links.identify(&self.authentication, &info).await
    }

    fn asked(&self) -> Vec<[String; 3]> {
        std::mem::take(&mut *self.upstream.asked.lock().expect("no panic"))
    }
}

const COOKIE: (&str, &str) = ("cookie", "a=1; __Host-oc_guest_session=a.b.c");

/// Row [E49](../../../../docs/security-requirements.md#e49).
#[tokio::test]
async fn cookie_of_a_guest_is_a_credential_at_its_paths_alone() {
    let world = World::new(user(UserType::Guest, "user"));
    for path in [
        "/dav/spaces/a",
        "/remote.php/dav/spaces/a",
        "/webdav",
        "/remote.php/webdav/a",
        "/graph/v1beta1/me/drive/sharedWithMe",
        "/ocs/v2.php/apps/notifications/api/v1/notifications/sse",
    ] {
        let guest = world.decide(&Method::GET, path, &[COOKIE]).await.expect("a guest");
        assert_eq!((guest.link, guest.claims.user.username.as_str()), (Some(Link::Guest), "guest@example.org"));
        let asked = [["guestlinks", "", "a.b.c"].map(str::to_owned)];
        assert_eq!(world.asked(), asked, "{path}: the gateway is asked each time");
    }
    for path in ["/davx", "/graph/v1.0/me", "/graph/v1beta1/me/drive/sharedWithMeX", "/archiver", "/app/open", "/"] {
        let missing = world.decide(&Method::GET, path, &[COOKIE]).await;
        assert!(matches!(missing, Err(Verdict::Unauthenticated(CredentialError::Missing))), "{path}: {missing:?}");
    }
    let missing = world.decide(&Method::GET, "/dav/a", &[("cookie", "a=1; oc_guest_session=a.b.c")]).await;
    assert!(matches!(missing, Err(Verdict::Unauthenticated(CredentialError::Missing))), "{missing:?}");
    assert!(world.asked().is_empty());
}

/// Rows [E49](../../../../docs/security-requirements.md#e49), [E50](../../../../docs/security-requirements.md#e50).
#[tokio::test]
async fn refused_session_ends_the_request_and_an_outage_does_not_end_the_session() {
    for (error, share) in
        [(refused as fn() -> AuthError, None), (expired, Some("a:b:c")), (|| AuthError::UnknownUser, None)]
    {
        let verdict = World::new(failure(error)).decide(&Method::GET, "/dav/a", &[COOKIE]).await.expect_err("refused");
        let Verdict::GuestSession(GuestRefusal { cookie, expired }) = verdict else { panic!("{verdict:?}") };
        assert_eq!((&*cookie, expired.as_deref()), ("__Host-oc_guest_session", share));
    }
    let malformed: fn() -> AuthError = || AuthError::Malformed("no");
    for error in [malformed, unavailable, unknown_type, || AuthError::Internal("no user".into())] {
        let verdict = World::new(failure(error)).decide(&Method::GET, "/dav/a", &[COOKIE]).await;
        assert!(matches!(verdict, Err(Verdict::Unavailable)), "{verdict:?}");
    }
    for user_type in [UserType::Primary, UserType::Invalid] {
        let verdict = World::new(user(user_type, "user")).decide(&Method::GET, "/dav/a", &[COOKIE]).await;
        assert!(matches!(verdict, Err(Verdict::Unavailable)), "no guest: {verdict:?}");
    }
}

/// Rows [E12](../../../../docs/security-requirements.md#e12), [E49](../../../../docs/security-requirements.md#e49).
#[tokio::test]
async fn odd_cookies_and_requests_of_other_sites_are_not_sent_to_the_gateway() {
    let world = World::new(user(UserType::Guest, "user"));
    for cookies in [
        &[("cookie", "__Host-oc_guest_session=a; __Host-oc_guest_session=b")][..],
        &[("cookie", "__Host-oc_guest_session=a"), ("cookie", "__Host-oc_guest_session=a")],
        &[("cookie", "__Host-oc_guest_session=; __Host-oc_guest_session=b")],
    ] {
        let verdict = world.decide(&Method::GET, "/dav/a", cookies).await;
        assert!(matches!(verdict, Err(Verdict::GuestSession(_))), "{cookies:?}: {verdict:?}");
    }
    let empty = world.decide(&Method::GET, "/dav/a", &[("cookie", "__Host-oc_guest_session=")]).await;
    assert!(matches!(empty, Err(Verdict::Unauthenticated(CredentialError::Invalid))), "{empty:?}");
    for (site, method) in [("cross-site", Method::POST), ("same-site", Method::PUT), ("cross-site", Method::DELETE)] {
        let verdict = world.decide(&method, "/dav/a", &[COOKIE, ("sec-fetch-site", site)]).await;
        assert!(matches!(verdict, Err(Verdict::CrossSite)), "{site}: {verdict:?}");
    }
    let without_proof = world.decide(&Method::PUT, "/dav/a", &[COOKIE]).await;
    assert!(matches!(without_proof, Err(Verdict::CrossSite)), "{without_proof:?}");
    assert!(world.asked().is_empty());
    let own = [COOKIE, ("sec-fetch-site", "same-origin")];
    assert!(world.decide(&Method::PUT, "/dav/a", &own).await.is_ok());
}

/// Row [E51](../../../../docs/security-requirements.md#e51).
#[tokio::test]
async fn token_of_a_public_link_is_for_what_the_link_shares() {
    let world = World::new(user(UserType::Primary, "publicshare:1"));
    let target = "/archiver?public-token=t&signature=s&expiration=e";
    let owner = world.decide(&Method::GET, target, &[]).await.expect("a link");
    assert_eq!(owner.link, Some(Link::Public));
    assert_eq!(world.asked(), [["publicshares", "t", "signature|s|e"].map(str::to_owned)]);
    assert!(world.decide(&Method::GET, target, &[]).await.is_ok());
    assert_eq!(world.asked().len(), 1, "the gateway is asked each time");
    for target in ["/archiver", "/app/list?public-token=t", "/graph/v1.0/me?public-token=t", "/?public-token=t"] {
        let missing = world.decide(&Method::GET, target, &[]).await;
        assert!(matches!(missing, Err(Verdict::Unauthenticated(CredentialError::Missing))), "{target}: {missing:?}");
    }
    for scope in ["user", "share:1", "publicshares:1"] {
        let more = World::new(user(UserType::Primary, scope)).decide(&Method::GET, target, &[]).await;
        assert!(matches!(more, Err(Verdict::Unavailable)), "{scope}: {more:?}");
    }
    for error in [refused, unknown_type] {
        let refused = World::new(failure(error)).decide(&Method::GET, target, &[]).await;
        assert!(matches!(refused, Err(Verdict::Unauthenticated(CredentialError::Invalid))), "{refused:?}");
    }
    let away = World::new(failure(unavailable)).decide(&Method::GET, target, &[]).await;
    assert!(matches!(away, Err(Verdict::Unavailable)), "{away:?}");
}

#[test]
fn links_are_off_unless_they_are_configured() {
    let links = Links::new(&Config::default());
    assert!(links.guests.is_none() && !links.accepts_public);
    let proxy_yaml = crate::config::ProxyYaml { file: Some("proxy.yaml".into()), ..::config::defaults() };
    let with_file = Config { proxy_yaml, ..Config::default() };
    assert!(Links::new(&with_file).accepts_public);
    let links = LinkSettings { public_enabled: Some(false), ..::config::defaults() };
    assert!(!Links::new(&Config { links, ..with_file }).accepts_public);
}

/// Row [E49](../../../../docs/security-requirements.md#e49).
#[test]
fn cookie_of_guests_is_hidden_from_all_but_its_service() {
    let world = World::new(failure(refused));
    let hidden = |path: &str| {
        let paths = Paths::parse(path, Leniency::default()).expect("a path");
        world.links.hidden_cookie(paths.readings()).map(str::to_owned)
    };
    for path in ["/", "/dav/a", "/magic_guest_link_authx", "/magic_guest_link_auth;a/b", "/magic_guest_link_auth%2Fa"] {
        assert_eq!(hidden(path).as_deref(), Some("__Host-oc_guest_session"), "{path}");
    }
    for path in ["/magic_guest_link_auth", "/magic_guest_link_auth/renew"] {
        assert_eq!(hidden(path), None, "{path}");
    }
}
