//! Links of an OpenCloud, which its gateway verifies: the edge, our gateway, and a gateway behind it that answers as theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use authn::{Authenticated, OpaqueEntry, Role, Scope, Scopes, User, UserId, UserType};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Full};
use runtime::Clock;
use token::{KeyRing, Minter};
use tokio::net::TcpListener;

use crate::edge::backend::header;
use crate::edge::raw;
use crate::edge::world::{World, basic};

/// The share of an expired session.
const SHARE: &str = "a\"<&>";

/// Policies of users, whose routes are not used here. That of the owner of links is another one than that of the others.
const POLICIES: &str = r"
policy_selector:
  regex:
    default_policy: users
    unauthenticated_policy: users
    selector_cookie_name: selector
    matches_policies: [{ property: username, match: '^guest@', policy: owners }]
policies:
  - { name: users, routes: [{ endpoint: /unused/, backend: 'http://127.0.0.1:1' }] }
  - { name: owners, routes: [{ endpoint: /unused/, backend: 'http://127.0.0.1:1' }] }
";

/// The gateway of an OpenCloud. It answers by the secret of a link, and knows no other method.
#[derive(Clone, Default)]
struct Upstream {
    /// The internal tokens of a guest and of a public link.
    tokens: Arc<Mutex<[String; 2]>>,
}

impl Upstream {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("an address").to_string();
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn tokens(&self) -> [String; 2] {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(State(upstream): State<Upstream>, request: Request) -> Response {
    let is_authentication = request.uri().path() == "/cs3.gateway.v1beta1.GatewayAPI/Authenticate";
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let asked = String::from_utf8_lossy(&body);
    let [guest, public] = upstream.tokens();
    let expired = format!(
        r#"{{"type":"opencloud_guest_link_error","reason":"session_expired","share_id":"{}"}}"#,
        SHARE.replace('"', "\\\"")
    );
    // Status.code = 9 (UNAUTHENTICATED), and InnerError
    let refused = |cause: &[u8]| field(1, &[&[0x08, 9][..], cause].concat());
    match asked.split_once("the-").map(|(_, secret)| secret) {
        Some(secret) if !is_authentication || secret.starts_with("away") => reply("14", None),
        Some(secret) if secret.starts_with("good") && asked.contains("guestlinks") => {
            reply("0", Some(&accepted(&guest)))
        }
        Some(secret) if secret.starts_with("good") && asked.contains("publicshares") => {
            reply("0", Some(&accepted(&public)))
        }
        Some(secret) if secret.starts_with("old") => {
            let cause = [field(1, b"json"), field(2, expired.as_bytes())].concat();
            reply("0", Some(&refused(&field(5, &cause))))
        }
        _ if asked.contains("guestlinks") || asked.contains("publicshares") => reply("0", Some(&refused(&[]))),
        _ => reply("12", None),
    }
}

/// An `AuthenticateResponse` about a guest with this token: status 1 (OK), token, user with an identifier of type 5 (GUEST).
fn accepted(token: &str) -> Vec<u8> {
    let id = [field(2, b"guest@example.org"), vec![0x18, 5]].concat();
    let user = [field(1, &id), field(2, b"guest@example.org")].concat();
    [field(1, &[0x08, 1]), field(3, token.as_bytes()), field(4, &user)].concat()
}

/// A field of a message of protobuf that has a length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let (mut field, mut length) = (vec![number << 3 | 2], bytes.len());
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).expect("seven bits"));
    field.extend_from_slice(bytes);
    field
}

fn reply(status: &'static str, message: Option<&[u8]>) -> Response {
    let framed = message.map(|message| {
        let length = u32::try_from(message.len()).expect("it is short");
        Bytes::from([&[0][..], &length.to_be_bytes(), message].concat())
    });
    let trailers: HeaderMap =
        [(HeaderName::from_static("grpc-status"), HeaderValue::from_static(status))].into_iter().collect();
    let body = Full::new(framed.unwrap_or_default()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A token of the upstream's, by the secret that both have.
fn mint(secret: &str, user_type: UserType, scope: &str) -> String {
    let keys = Arc::new(KeyRing::new(&secret.into(), None).expect("a secret"));
    let id = UserId { opaque_id: "guest@example.org".to_owned(), kind: user_type, ..UserId::default() };
    let user = Arc::new(User { id, username: "guest@example.org".to_owned(), ..User::default() });
    let granted = Scope { resource: OpaqueEntry::json("{}"), role: Role::Owner };
    let scopes = Arc::new(Scopes(BTreeMap::from([(scope.to_owned(), granted)])));
    let answer = Authenticated { scopes, ..Authenticated::full(user, "link") };
    Minter::new(keys, Duration::from_mins(5), false).mint(Clock::system().now(), &answer).expect("a token")
}

async fn start(name: &str) -> (World, Upstream) {
    let upstream = Upstream::default();
    let address = upstream.start().await;
    let world = World::start_with(name, |layout| {
        let policies = layout.folder().join("proxy.yaml");
        std::fs::write(&policies, POLICIES).expect("the folder can be written to");
        layout.set("PROXY_POLICIES_FILE", &policies.display().to_string());
        layout.set("GATEWAY_UPSTREAM_ENDPOINT", &address);
        layout.set("PROXY_GUEST_LINKS_ENABLED", "true");
        layout.set("PROXY_PUBLIC_LINKS_ENABLED", "true");
    })
    .await;
    let secret = &world.family.layout.jwt_secret;
    let tokens = [mint(secret, UserType::Guest, "user"), mint(secret, UserType::Primary, "publicshare:1")];
    *upstream.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    (world, upstream)
}

fn cookie(value: &str) -> String {
    format!("Cookie: a=1; __Host-oc_guest_session={value}")
}

/// Rows E47, E49, E50.
#[tokio::test(flavor = "multi_thread")]
async fn session_of_a_guest_is_verified_by_the_gateway_of_the_opencloud() {
    let (world, upstream) = start("edge-guest-links").await;
    let [guest, _] = upstream.tokens();
    let good = raw::request(world.edge, "GET /dav/spaces/a", &[&cookie("the-good-secret")]).await;
    let seen = world.backend.take();
    assert_eq!((good.status(), seen.len()), (200, 1), "{good:?}");
    assert_eq!(header(&seen[0], "x-access-token"), [guest.as_str()]);
    assert_eq!(header(&seen[0], "cookie"), ["a=1"], "the backend does not see the session");
    assert!(good.header("set-cookie").is_empty(), "a guest has no policy of an account: {good:?}");

    let lines = [&*cookie("the-old-secret"), "Sec-Fetch-Site: same-origin"];
    let dav = raw::request(world.edge, "PROPFIND /dav/spaces/a", &lines).await;
    assert!(dav.status() == 401 && dav.text.contains("<opencloud:share_id>a&quot;&lt;&amp;&gt;</"), "{dav:?}");
    let list = "GET /graph/v1beta1/me/drive/sharedWithMe";
    let graph = raw::request(world.edge, list, &[&cookie("the-old-secret")]).await;
    assert!(graph.text.ends_with(r#"{"error_type":"session_expired","permissionId":"a\"<&>"}"#), "{graph:?}");
    let bad = raw::request(world.edge, list, &[&cookie("the-bad-secret"), "Accept: text/html"]).await;
    for reply in [&dav, &graph, &bad] {
        let deleted = reply.header("set-cookie");
        assert!(deleted.len() == 1 && deleted[0].starts_with("__Host-oc_guest_session=; Path=/; "), "{reply:?}");
        assert_eq!((reply.status(), reply.header("www-authenticate").len()), (401, 0), "{reply:?}");
    }
    let away = raw::request(world.edge, list, &[&cookie("the-away-secret")]).await;
    assert_eq!((away.status(), away.header("set-cookie").len()), (503, 0), "{away:?}");
    let elsewhere = raw::request(world.edge, "GET /graph/v1.0/me", &[&cookie("the-good-secret")]).await;
    assert_eq!((elsewhere.status(), elsewhere.header("set-cookie").len()), (401, 0), "{elsewhere:?}");
    assert!(elsewhere.header("www-authenticate").is_empty(), "a guest is asked for no password: {elsewhere:?}");
    let without = raw::request(world.edge, "GET /graph/v1.0/me", &[&cookie("")]).await;
    assert!(without.status() == 401 && !without.header("www-authenticate").is_empty(), "{without:?}");
    let lines = [&*cookie("the-good-secret"), "Sec-Fetch-Site: cross-site"];
    assert_eq!(raw::request(world.edge, "POST /dav/spaces/a", &lines).await.status(), 403);
    assert_eq!(raw::request(world.edge, "GET /dav/../graph/v1.0/me", &lines).await.status(), 400);
    assert!(world.backend.take().is_empty());

    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    let both = raw::request(world.edge, "GET /dav/spaces/a", &[&authorization, &cookie("the-old-secret")]).await;
    assert_eq!(both.status(), 200, "the account counts: {both:?}");
    assert_eq!(both.header("set-cookie"), ["selector=users; HttpOnly; SameSite=Lax; Path=/"]);
    assert_eq!(header(&world.backend.take()[0], "cookie"), ["a=1"]);
}

/// Rows E47, E51.
#[tokio::test(flavor = "multi_thread")]
async fn public_link_is_a_credential_at_its_paths() {
    let (world, upstream) = start("edge-public-links").await;
    let [_, public] = upstream.tokens();
    let password = format!("Authorization: {}", basic("public", "the-good-secret"));
    for target in ["/archiver?public-token=t", "/app/open?public-token=t", "/app/new?public-token=t"] {
        let reply = raw::request(world.edge, &format!("GET {target}"), &[&password]).await;
        let seen = world.backend.take();
        assert_eq!((reply.status(), seen.len()), (200, 1), "{target}: {reply:?}");
        assert_eq!(header(&seen[0], "x-access-token"), [public.as_str()], "{target}");
        assert!(reply.header("set-cookie").is_empty(), "the visitor learns nothing of the owner: {reply:?}");
    }
    let signed = "GET /archiver?public-token=t&signature=the-good-secret&expiration=2026-12-01";
    assert_eq!(raw::request(world.edge, signed, &[]).await.status(), 200);
    assert_eq!(world.backend.take().len(), 1);
    for (target, line) in [
        ("/app/list?public-token=t", &*password),
        ("/graph/v1.0/me?public-token=t", &password),
        ("/archiver?public-token=t", "X-A: 1"),
        ("/archiver?public-token=t&public-token=u", &password),
        ("/archiver", &password),
    ] {
        assert_eq!(raw::request(world.edge, &format!("GET {target}"), &[line]).await.status(), 401, "{target}");
    }
    assert!(world.backend.take().is_empty());
}
