//! A user's first visit: the home behind an upstream gateway, and the role in the settings service. Both are Go services that
//! answer as oCIS's and OpenCloud's do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Credentials, Gateway, Grants, Reason, Revalidate, Scopes, User,
    UserId, UserType, kind, role,
};
use axum::{Router, body::Body, extract::Request, response::Response};
use bounded_cache::HeapSize;
use bytes::Bytes;
use config::Environment;
use gateway::{Config, InProcessGateway, Peers, peers::Provider};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use prost::Message;
use proto::cs3::rpc::v1beta1::Status;
use proto::cs3::storage::provider::v1beta1::{CreateHomeRequest, CreateHomeResponse};
use proto::ocis::services::settings::v0::{
    AssignRoleToUserRequest, AssignRoleToUserResponse, ListRoleAssignmentsRequest, ListRoleAssignmentsResponse,
    UserRoleAssignment,
};
use runtime::Context;
use token::{Claims, KeyRing, Verifier};
use tokio::net::TcpListener;

const SECRET: &str = "a-secret-of-at-least-32-characters";
const CREATE_HOME: &str = "/cs3.gateway.v1beta1.GatewayAPI/CreateHome";

/// The Go services behind the gateway.
#[derive(Clone)]
struct Backend(Arc<State>);

struct State {
    /// The code with which homes are created.
    code: AtomicI32,
    /// How long every answer takes, in milliseconds.
    delay: AtomicU64,
    /// The package of the settings service.
    package: &'static str,
    roles: Mutex<BTreeMap<String, String>>,
    /// The path, internal token and account of every call.
    calls: Mutex<Vec<(String, String, String)>>,
    /// The quotas of the requests to create homes, in order.
    quotas: Mutex<Vec<Option<String>>>,
}

impl Backend {
    async fn start(package: &'static str) -> (Self, String) {
        let backend = Self(Arc::new(State {
            code: 1.into(),
            delay: 0.into(),
            package,
            roles: Mutex::default(),
            calls: Mutex::default(),
            quotas: Mutex::default(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("an address").to_string();
        let answering = backend.clone();
        let answer = move |request: Request| answering.clone().answer(request);
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        (backend, address)
    }

    async fn answer(self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let (token, account) = (header(request.headers(), "x-access-token"), header(request.headers(), "account-id"));
        self.0.calls.lock().expect("no test panics with it").push((path.clone(), token, account.clone()));
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        tokio::time::sleep(Duration::from_millis(self.0.delay.load(Ordering::Acquire))).await;
        let message = body.slice(5..);
        let service = format!("/{}.services.settings.v0.RoleService/", self.0.package);
        let reply = if path == CREATE_HOME {
            let opaque = CreateHomeRequest::decode(message).expect("a request").opaque.unwrap_or_default();
            let quota = opaque.map.get("quota").map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
            self.0.quotas.lock().expect("no test panics with it").push(quota);
            let status = Status { code: self.0.code.load(Ordering::Acquire), ..Status::default() };
            Some(CreateHomeResponse { status: Some(status), opaque: None }.encode_to_vec())
        } else {
            path.strip_prefix(&service).and_then(|method| self.settings(method, message, &account))
        };
        grpc(reply)
    }

    fn settings(&self, method: &str, message: Bytes, account: &str) -> Option<Vec<u8>> {
        let mut roles = self.0.roles.lock().expect("no test panics with it");
        match method {
            "ListRoleAssignments" => {
                let account = ListRoleAssignmentsRequest::decode(message).expect("a request").account_uuid;
                let assignments = roles.get(&account).into_iter().map(|role| UserRoleAssignment {
                    id: "assignment".to_owned(),
                    account_uuid: account.clone(),
                    role_id: role.clone(),
                });
                Some(ListRoleAssignmentsResponse { assignments: assignments.collect() }.encode_to_vec())
            }
            "AssignRoleToUser" => {
                let assignment = AssignRoleToUserRequest::decode(message).expect("a request");
                // only the user itself may be assigned a role
                if account != assignment.account_uuid {
                    return None;
                }
                roles.insert(assignment.account_uuid, assignment.role_id);
                Some(AssignRoleToUserResponse::default().encode_to_vec())
            }
            _ => None,
        }
    }

    fn calls(&self, path: &str) -> Vec<(String, String)> {
        let calls = self.0.calls.lock().expect("no test panics with it");
        let same = calls.iter().filter(|(called, ..)| called.ends_with(path));
        same.map(|(_, token, account)| (token.clone(), account.clone())).collect()
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map_or("", |value| value.to_str().expect("text")).to_owned()
}

/// A message, or `UNIMPLEMENTED`.
fn grpc(message: Option<Vec<u8>>) -> Response {
    let code = if message.is_some() { "0" } else { "12" };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    let frame = message.map_or(Vec::new(), |message| {
        let length = u32::try_from(message.len()).expect("it is short");
        [&[0][..], &length.to_be_bytes(), &message].concat()
    });
    let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// An authenticator that accepts every credential for the user with that login.
struct AcceptAll {
    kind: UserType,
    roles: Vec<String>,
    scopes: Arc<Scopes>,
    /// Whether answers can be revalidated, so that the authenticator is not called again.
    is_revalidated: bool,
}

/// An answer that holds.
#[derive(Debug)]
struct Holding;

impl HeapSize for Holding {}

impl Revalidate for Holding {
    fn is_still_valid(&self, _: &Caller) -> bool {
        true
    }
}

impl AcceptAll {
    fn of(kind: UserType, roles: &[&str]) -> Self {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Self { kind, roles, scopes: Arc::new(Scopes::full_user()), is_revalidated: false }
    }
}

#[async_trait]
impl Authenticator for AcceptAll {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let login = credentials.client_id.clone();
        let id = UserId { opaque_id: login.clone(), kind: self.kind, ..UserId::default() };
        let user = User { id, username: login, roles: self.roles.clone(), ..User::default() };
        let revalidate = self.is_revalidated.then(|| Arc::new(Holding) as Arc<dyn Revalidate>);
        let scopes = Arc::clone(&self.scopes);
        Ok(Authenticated { scopes, revalidate, ..Authenticated::full(Arc::new(user), "pwd") })
    }
}

/// A gateway before the upstream, and before the settings service if there is one.
fn gateway(upstream: &str, settings: &str, users: AcceptAll) -> InProcessGateway {
    gateway_with(upstream, settings, users, |_| {})
}

fn gateway_with_quotas(upstream: &str, settings: &str, users: AcceptAll, quotas: &[&str]) -> InProcessGateway {
    let quotas: Vec<_> = quotas.iter().map(|&pair| pair.to_owned()).collect();
    gateway_with(upstream, settings, users, |config| config.role_quotas = quotas)
}

fn gateway_with(
    upstream: &str,
    settings: &str,
    users: AcceptAll,
    change: impl FnOnce(&mut Config),
) -> InProcessGateway {
    let context = Context::new(Environment::default());
    let mut config = Config::default();
    config.token_manager.jwt_secret = SECRET.into();
    change(&mut config);
    let endpoints = &mut config.endpoints;
    for endpoint in [
        &mut endpoints.auth_app,
        &mut endpoints.auth_basic,
        &mut endpoints.auth_bearer,
        &mut endpoints.auth_machine,
        &mut endpoints.auth_service,
        &mut endpoints.users,
    ] {
        endpoint.clear();
    }
    (endpoints.upstream, endpoints.settings) = (upstream.to_owned(), settings.to_owned());
    let mut peers = Peers::remote(&config, &context).expect("the endpoints are good");
    let users: Arc<dyn Authenticator> = Arc::new(users);
    for kind in [kind::BASIC, kind::BEARER, kind::MACHINE, kind::SERVICE] {
        peers.providers.insert(kind, Provider { authenticator: Arc::clone(&users), address: String::new() });
    }
    gateway::open(&config, peers, &context).expect("the secret is good")
}

async fn sign_in(gateway: &InProcessGateway, login: &str) -> Claims {
    let token = gateway.token("basic", &Credentials::new(login, "secret")).await.expect("it signs in").token;
    let keys = Arc::new(KeyRing::new(&SECRET.into(), None).expect("a secret"));
    Verifier::new(keys).verify(runtime::Clock::system().now(), &token).expect("the token is good")
}

/// The roles in the token of a user, once there are some: on a busy machine a sign-in may not have waited long enough.
async fn roles(gateway: &InProcessGateway, login: &str) -> Vec<String> {
    for _ in 0..100 {
        let roles = sign_in(gateway, login).await.user.roles;
        if !roles.is_empty() {
            return roles;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Vec::new()
}

/// Waits until something that goes on behind a sign-in has come to its end.
async fn until(mut is_done: impl FnMut() -> bool) {
    for _ in 0..200 {
        if is_done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it has not come to its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn home_is_created_once_for_each_user() {
    let (backend, address) = Backend::start("ocis").await;
    let gateway = gateway(&address, "", AcceptAll::of(UserType::Primary, &[]));
    for (code, login) in [(1, "einstein"), (7, "marie")] {
        backend.0.code.store(code, Ordering::Release);
        let before = backend.calls(CREATE_HOME).len();
        for _ in 0..3 {
            sign_in(&gateway, login).await;
            until(|| backend.calls(CREATE_HOME).len() > before).await;
        }
        assert_eq!(backend.calls(CREATE_HOME).len(), before + 1, "{login}");
        let (token, _) = backend.calls(CREATE_HOME).pop().expect("a call");
        let keys = Arc::new(KeyRing::new(&SECRET.into(), None).expect("a secret"));
        let claims = Verifier::new(keys).verify(runtime::Clock::system().now(), &token).expect("the user's own token");
        assert_eq!(claims.user.username, login);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_that_fails_or_hangs_does_not_hold_up_a_sign_in() {
    let (backend, address) = Backend::start("ocis").await;
    let gateway = gateway(&address, &address, AcceptAll::of(UserType::Primary, &[]));
    backend.0.code.store(15, Ordering::Release);
    for _ in 0..3 {
        sign_in(&gateway, "einstein").await;
        until(|| !backend.calls(CREATE_HOME).is_empty()).await;
    }
    assert_eq!(backend.calls(CREATE_HOME).len(), 1, "there is no second request at once");

    backend.0.delay.store(3_000, Ordering::Release);
    let begin = Instant::now();
    sign_in(&gateway, "marie").await;
    assert!(begin.elapsed() < Duration::from_millis(2_500), "{:?}", begin.elapsed());

    let gone = self::gateway("127.0.0.1:1", "127.0.0.1:1", AcceptAll::of(UserType::Primary, &[]));
    assert!(sign_in(&gone, "einstein").await.user.roles.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_at_the_same_time_create_one_home() {
    let (backend, address) = Backend::start("ocis").await;
    backend.0.delay.store(100, Ordering::Release);
    let gateway = gateway(&address, "", AcceptAll::of(UserType::Primary, &[]));
    let (one, two, three) =
        tokio::join!(sign_in(&gateway, "einstein"), sign_in(&gateway, "einstein"), sign_in(&gateway, "einstein"));
    assert!([one, two, three].iter().all(|claims| claims.user.username == "einstein"));
    until(|| !backend.calls(CREATE_HOME).is_empty()).await;
    assert_eq!(backend.calls(CREATE_HOME).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_and_restricted_credentials_get_no_home() {
    let (backend, address) = Backend::start("ocis").await;
    for kind in [UserType::Service, UserType::Application, UserType::Federated, UserType::Lightweight] {
        sign_in(&gateway(&address, &address, AcceptAll::of(kind, &[])), "einstein").await;
    }
    let profile = Grants::parse(["profile"]).expect("a scope").to_cs3();
    let narrow = AcceptAll { scopes: Arc::new(profile), ..AcceptAll::of(UserType::Primary, &[]) };
    sign_in(&gateway(&address, "", narrow), "einstein").await;
    assert!(backend.calls("").is_empty(), "{:?}", backend.calls(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn user_without_a_role_is_given_the_ordinary_one() {
    for package in ["ocis", "opencloud"] {
        for (kind, expected) in [(UserType::Primary, role::USER), (UserType::Guest, role::GUEST)] {
            let (backend, address) = Backend::start(package).await;
            let gateway = gateway(&address, &address, AcceptAll::of(kind, &[]));
            for _ in 0..2 {
                assert_eq!(roles(&gateway, "einstein").await, [expected], "{package} {kind:?}");
            }
            let service = format!("/{package}.services.settings.v0.RoleService/AssignRoleToUser");
            let assigned = backend.calls(&service);
            assert_eq!(assigned, [(String::new(), "einstein".to_owned())], "{package} {kind:?}");
            until(|| backend.calls(CREATE_HOME).len() == 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn role_of_a_user_is_neither_replaced_nor_looked_up() {
    let (backend, address) = Backend::start("opencloud").await;
    backend.0.roles.lock().expect("no test panics with it").insert("admin".to_owned(), role::ADMIN.to_owned());
    let theirs = gateway(&address, &address, AcceptAll::of(UserType::Primary, &[]));
    assert_eq!(roles(&theirs, "admin").await, [role::ADMIN]);
    assert!(backend.calls("AssignRoleToUser").is_empty());

    let ours = gateway(&address, &address, AcceptAll::of(UserType::Primary, &[role::SPACE_ADMIN]));
    let before = backend.calls("ListRoleAssignments").len();
    assert_eq!(sign_in(&ours, "marie").await.user.roles, [role::SPACE_ADMIN]);
    assert_eq!(backend.calls("ListRoleAssignments").len(), before, "the directory has said it");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_service_that_answers_late_gives_the_role_at_a_later_sign_in() {
    let (backend, address) = Backend::start("ocis").await;
    backend.0.delay.store(800, Ordering::Release);
    let gateway = gateway("", &address, AcceptAll::of(UserType::Primary, &[]));
    assert!(sign_in(&gateway, "einstein").await.user.roles.is_empty(), "it is not waited for");
    until(|| !backend.0.roles.lock().expect("no test panics with it").is_empty()).await;
    backend.0.delay.store(0, Ordering::Release);
    assert_eq!(roles(&gateway, "einstein").await, [role::USER]);
}

/// A token without the role must not be the one that serves the credential from then on.
#[tokio::test(flavor = "multi_thread")]
async fn token_without_the_role_is_not_used_again() {
    let (backend, address) = Backend::start("ocis").await;
    backend.0.delay.store(800, Ordering::Release);
    let authenticator = AcceptAll { is_revalidated: true, ..AcceptAll::of(UserType::Primary, &[]) };
    let gateway = gateway("", &address, authenticator);
    assert!(sign_in(&gateway, "einstein").await.user.roles.is_empty(), "it is not waited for");
    until(|| !backend.0.roles.lock().expect("no test panics with it").is_empty()).await;
    backend.0.delay.store(0, Ordering::Release);
    assert_eq!(roles(&gateway, "einstein").await, [role::USER]);
    let lookups = backend.calls("ListRoleAssignments").len();
    assert_eq!(sign_in(&gateway, "einstein").await.user.roles, [role::USER], "the token with the role is used again");
    assert_eq!(backend.calls("ListRoleAssignments").len(), lookups);
}

#[tokio::test(flavor = "multi_thread")]
async fn home_is_created_with_the_quota_of_the_role() {
    let (backend, address) = Backend::start("ocis").await;
    backend.0.delay.store(800, Ordering::Release);
    let quotas = ["admin=1", "user=5000000000"];
    let users = AcceptAll::of(UserType::Primary, &[]);
    let slow = gateway_with_quotas(&address, &address, users, &quotas);
    sign_in(&slow, "einstein").await;
    assert!(backend.calls(CREATE_HOME).is_empty(), "the role is not known yet");
    until(|| !backend.0.roles.lock().expect("no test panics with it").is_empty()).await;
    backend.0.delay.store(0, Ordering::Release);
    assert_eq!(roles(&slow, "einstein").await, [role::USER]);
    until(|| !backend.calls(CREATE_HOME).is_empty()).await;

    let guests = AcceptAll::of(UserType::Primary, &[role::GUEST]);
    sign_in(&gateway_with_quotas(&address, "", guests, &quotas), "marie").await;
    until(|| backend.0.quotas.lock().expect("no test panics with it").len() == 2).await;
    let quotas = backend.0.quotas.lock().expect("no test panics with it").clone();
    assert_eq!(quotas, [Some("5000000000".to_owned()), None]);
}

/// `docs/security-requirements.md#m11`
#[tokio::test]
async fn service_account_is_for_the_listed_callers_whatever_proves_it() {
    let listed = |config: &mut Config| config.service_callers = vec!["spiffe://example.org/backup".to_owned()];
    let credentials = |kind: &str, name: &str| {
        let caller = Caller { names: [name.to_owned()].into(), ..Caller::default() };
        Credentials { caller, ..Credentials::new(kind, "secret") }
    };
    for is_revalidated in [false, true] {
        let accounts = AcceptAll { is_revalidated, ..AcceptAll::of(UserType::Service, &[]) };
        let gateway = gateway_with("", "", accounts, listed);
        for kind in [kind::BEARER, kind::SERVICE] {
            for (name, may) in
                [("spiffe://example.org/backup", true), ("spiffe://example.org/other", false), ("", false)]
            {
                match gateway.token(kind, &credentials(kind, name)).await {
                    Ok(_) => assert!(may, "{kind} {name}"),
                    Err(AuthError::NotPermitted(Reason::Caller)) => assert!(!may, "{kind} {name}"),
                    Err(error) => panic!("{kind} {name}: {error}"),
                }
            }
        }
        let users = gateway_with("", "", AcceptAll::of(UserType::Primary, &[]), listed);
        let user = users.token(kind::BEARER, &Credentials::new("einstein", "secret")).await;
        assert!(user.is_ok(), "a user has no such list: {:?}", user.err());
    }
}

/// `docs/security-requirements.md#m18`: the certificate of a connection to the edge proves nothing to services.
#[tokio::test]
async fn empty_secret_through_the_edge_is_refused() {
    let gateway = gateway("", "", AcceptAll::of(UserType::Primary, &[]));
    let identity = Some("spiffe://example.org/indexer".to_owned());
    let caller = Caller { identity, ..Caller::default() };
    for kind in [kind::MACHINE, kind::SERVICE] {
        let credentials = Credentials { caller: caller.clone(), ..Credentials::new("einstein", "") };
        let refused = gateway.token(kind, &credentials).await.err();
        assert!(matches!(refused, Some(AuthError::Refused(Reason::EmptySecret))), "{kind}: {refused:?}");
    }
}

#[test]
fn config_check_reads_the_trust_bundles_that_clients_are_verified_by() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle.json");
    std::fs::write(&bundle, "{").expect("writes");
    let mut config = Config::default();
    config.spiffe.trust_domains = vec![format!("example.org={}", bundle.display())];
    let check = <gateway::Gateway as runtime::Service>::check_files;
    assert!(check(&config).is_ok(), "nothing uses them");
    config.grpc.tls.client_spiffe = true;
    assert!(check(&config).is_err());
}
