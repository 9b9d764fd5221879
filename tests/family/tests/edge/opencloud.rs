//! A backend that behaves as OpenCloud's services do: what sends and fetches files calls the data gateway through the edge, with the
//! internal token of the user for whom it acts.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use http::{HeaderMap, StatusCode};
use runtime::Clock;
use testkit::Layout;
use token::{KeyRing, Minter};
use tokio::net::TcpListener;

use crate::edge::backend::{Backend, header};
use crate::edge::raw;
use crate::edge::world::{World, basic, client};

/// Where the services find the edge.
type Edge = Arc<OnceLock<SocketAddr>>;

/// ocdav and the data gateway of the frontend.
async fn services(edge: Edge) -> SocketAddr {
    let router = Router::new()
        .route("/dav/{*file}", put(upload).get(download))
        .route("/data/{*transfer}", put(store).get(fetch))
        .route("/data", get(fetch))
        .with_state(edge);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A call of a service to the data gateway, by the address that clients have too.
async fn call(edge: &Edge, method: reqwest::Method, headers: &HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    let Some(token) = headers.get("x-access-token") else { return (StatusCode::UNAUTHORIZED, Bytes::new()) };
    let url = format!("http://{}/data/upload", edge.get().expect("the edge is there"));
    let request = client().request(method, url).header("x-access-token", token).header("x-reva-transfer", "signed");
    let answer = request.body(body).send().await.expect("the edge answers");
    (answer.status(), answer.bytes().await.expect("a body"))
}

async fn upload(State(edge): State<Edge>, headers: HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    call(&edge, reqwest::Method::PUT, &headers, body).await
}

async fn download(State(edge): State<Edge>, headers: HeaderMap) -> (StatusCode, Bytes) {
    call(&edge, reqwest::Method::GET, &headers, Bytes::new()).await
}

/// The storage behind the data gateway asks who it is, and for the transfer.
fn is_permitted(headers: &HeaderMap) -> bool {
    headers.contains_key("x-access-token") && headers.get("x-reva-transfer").is_some_and(|value| value == "signed")
}

async fn store(_: Path<String>, headers: HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    if is_permitted(&headers) { (StatusCode::CREATED, body) } else { (StatusCode::UNAUTHORIZED, Bytes::new()) }
}

async fn fetch(headers: HeaderMap) -> (StatusCode, &'static str) {
    if is_permitted(&headers) { (StatusCode::OK, "the file") } else { (StatusCode::UNAUTHORIZED, "") }
}

fn routes(layout: &mut Layout, text: &str) {
    let file = layout.folder().join("opencloud.yaml");
    std::fs::write(&file, text).expect("the file can be written");
    layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_sent_and_fetched_through_the_edge() {
    let edge = Edge::default();
    let services = services(Arc::clone(&edge)).await;
    let text = format!(
        "routes:\n  - {{ path: /data, backend: 'http://{services}', unprotected: true, internal_token: verify }}\n  - {{ path: /dav, backend: 'http://{services}' }}\n"
    );
    let world = World::start_with("edge-opencloud", |layout| routes(layout, &text)).await;
    edge.set(world.edge).expect("it is set once");
    let url = world.url("/dav/files/einstein/a.txt");
    let sent = client().put(&url).basic_auth("einstein", Some(&world.token)).body("bytes").send().await;
    let sent = sent.expect("the edge answers");
    assert_eq!((sent.status(), sent.text().await.expect("a body").as_str()), (StatusCode::CREATED, "bytes"));
    let fetched = client().get(&url).basic_auth("einstein", Some(&world.token)).send().await.expect("answers");
    assert_eq!((fetched.status(), fetched.text().await.expect("a body").as_str()), (StatusCode::OK, "the file"));
    let bare = client().put(world.url("/data/upload")).header("x-reva-transfer", "signed").send().await;
    assert_eq!(bare.expect("answers").status(), StatusCode::UNAUTHORIZED, "the edge adds no token of its own there");
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_token_is_passed_on_only_if_valid_and_configured_for_the_route() {
    let backend = Backend::start().await;
    let address = backend.address;
    let text = format!(
        "routes:\n  - {{ path: /data, backend: 'http://{address}', unprotected: true, internal_token: verify }}\n  - {{ path: /open, backend: 'http://{address}', unprotected: true }}\n  - {{ path: /removed, backend: 'http://{address}', unprotected: true, internal_token: remove }}\n  - {{ path: /, backend: 'http://{address}' }}\n"
    );
    let clock = Clock::manual(Clock::system().now());
    let moved = clock.clone();
    let change = |context: runtime::Context| runtime::Context { clock: moved, ..context };
    let world = World::start_in("edge-internal-token", |layout| routes(layout, &text), change).await;
    let token = world.family.token_of("einstein").await;
    let kept = async |target: &str, lines: &[&str]| {
        assert_eq!(raw::request(world.edge, &format!("GET {target}"), lines).await.status(), 200, "{target}");
        let seen = backend.take();
        let names = seen[0]["headers"].as_array().expect("headers").iter().filter_map(|pair| pair[0].as_str());
        let spelled = names.filter(|name| name.replace(['_', '.'], "-") == "x-access-token").count();
        let values = header(&seen[0], "x-access-token");
        assert_eq!(values.len(), spelled, "{target}: {seen:?}");
        values
    };
    let line = format!("X-Access-Token: {token}");
    assert_eq!(kept("/data/a", &[&line]).await, [token.as_str()]);
    assert_eq!(kept("/data/a", &["Connection: x-access-token", &line]).await, [token.as_str()]);
    for target in ["/open/a", "/removed/a"] {
        assert!(kept(target, &[&line]).await.is_empty(), "{target}");
    }

    let foreign = foreign_token(&world, &clock).await;
    let (signed, signature) = token.rsplit_once('.').expect("a JWT");
    let (changed, none) = (format!("{signed}A.{signature}"), format!("{signed}."));
    for forged in ["forged", "", &foreign, &changed, &none, &world.token] {
        assert!(kept("/data/a", &[&format!("X-Access-Token: {forged}")]).await.is_empty(), "{forged}");
    }
    let spelled = [format!("X_Access_Token: {token}"), format!("X.Access.Token: {token}")];
    assert!(kept("/data/a", &[&spelled[0], &spelled[1]]).await.is_empty());
    assert!(kept("/data/a", &[&line, &line]).await.is_empty(), "two are none");
    assert!(kept("/data/a", &[&line, "X-Access-Token: forged"]).await.is_empty());

    // a token does not let pass where the edge asks who it is
    assert_eq!(raw::request(world.edge, "GET /a", &[&line]).await.status(), 401);
    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    let own = kept("/a", &[&line, &authorization]).await;
    assert!(own.len() == 1 && own[0] != token, "it is the edge's own");

    clock.advance(Duration::from_hours(25));
    assert!(kept("/data/a", &[&line]).await.is_empty(), "it has ended");
}

/// A token for the same user by another secret.
async fn foreign_token(world: &World, clock: &Clock) -> String {
    let user = world.family.who_am_i(&world.family.token_of("einstein").await).await.expect("the token is good");
    let keys = Arc::new(KeyRing::new(&"another-secret-of-32-characters---".into(), None).expect("a secret"));
    let answer = authn::Authenticated::full(Arc::new(authn::User::from(user)), "pwd");
    Minter::new(keys, Duration::from_mins(5), false).mint(clock.now(), &answer).expect("a token")
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_factor_header_is_the_edges_and_true_where_multi_factor_authentication_is_off() {
    for (enabled, expected) in [("false", &["true"][..]), ("true", &[])] {
        let world = World::start_with(&format!("edge-mfa-{enabled}"), |layout| {
            layout.set("OCIS_MFA_ENABLED", enabled);
        })
        .await;
        let authorization = format!("Authorization: {}", basic("einstein", &world.token));
        for target in ["/a", "/pub/a", "/open/a"] {
            let lines = [&*authorization, "X-Multi-Factor-Authentication: true"];
            assert_eq!(raw::request(world.edge, &format!("GET {target}"), &lines).await.status(), 200, "{target}");
            let seen = world.backend.take();
            assert_eq!(header(&seen[0], "x-multi-factor-authentication"), expected, "{target}, {enabled}");
        }
    }
}
