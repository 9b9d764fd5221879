//! Headers that are not the client's to send.

use std::net::SocketAddr;

use axum::Router;
use http::StatusCode;
use proxy::headers::LISTED;
use serde_json::Value;
use testkit::Layout;
use tokio::net::TcpListener;

use crate::edge::backend::header;
use crate::edge::raw;
use crate::edge::world::{World, basic};

const FORGED: &str = "forged-by-the-client";
/// As many headers as a request may have in addition to its own.
const AT_ONCE: usize = 60;

/// Every listed name, and two members of every family, in the spellings that servers take for the same.
fn forged() -> Vec<String> {
    let members = |name: &str| match name.strip_suffix('*') {
        Some(family) => vec![format!("{family}User"), format!("{family}Some-Thing")],
        None => vec![name.to_owned()],
    };
    let spelled =
        |name: String| [name.to_lowercase(), name.replace('-', "_"), name.replace('-', "."), name.replace('-', "~")];
    let names = LISTED.iter().flat_map(|name| members(name)).flat_map(spelled);
    names.map(|name| format!("{name}: {FORGED}")).collect()
}

/// What of a request that reached the backend is forged.
fn found(seen: &Value) -> Vec<&Value> {
    let pairs = ["headers", "trailers"].into_iter().flat_map(|part| seen[part].as_array().expect("a list"));
    pairs.filter(|pair| pair[1].as_str().is_some_and(|value| value.contains(FORGED))).collect()
}

/// Rows E1, E2.
#[tokio::test(flavor = "multi_thread")]
async fn listed_headers_of_clients_reach_no_backend() {
    let world = World::start("edge-listed-headers").await;
    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    let forged = forged();
    assert!(forged.len() > 4 * LISTED.len(), "families have two members");
    for target in ["/a", "/pub/a", "/open/a", "/kept/a"] {
        for names in forged.chunks(AT_ONCE) {
            let headers: Vec<&str> = names.iter().map(String::as_str).chain([&*authorization]).collect();
            let reply = raw::request(world.edge, &format!("GET {target}"), &headers).await;
            let seen = world.backend.take();
            assert_eq!((reply.status(), seen.len()), (200, 1), "{target}: {reply:?}");
            assert_eq!(found(&seen[0]), Vec::<&Value>::new(), "{target}");
        }
    }
    for names in forged.chunks(AT_ONCE) {
        let head = "POST /pub/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n";
        let request = format!("{head}{}\r\n\r\n", names.join("\r\n"));
        assert_eq!(raw::send(world.edge, request.as_bytes()).await.status(), 200);
        assert_eq!(found(&world.backend.take()[0]), Vec::<&Value>::new(), "behind the body");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_applications_need_reach_the_backend() {
    let world = World::start("edge-needed-headers").await;
    let names = [
        "content-range",
        "grpc-timeout",
        "requesttoken",
        "upload-checksum",
        "upload-concat",
        "upload-defer-length",
        "x-author",
        "x-csrf-token",
        "x-grpc-web",
        "x-user-agent",
    ];
    let headers = names.map(|name| format!("{name}: needed"));
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    assert_eq!(raw::request(world.edge, "GET /pub/a", &headers).await.status(), 200);
    let seen = world.backend.take();
    for name in names {
        assert_eq!(header(&seen[0], name), ["needed"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_added_to_the_list_and_excepted_from_it() {
    let world = World::start_with("edge-configured-headers", |layout| {
        layout.set("PROXY_IDENTITY_HEADERS", "X-Tenant-*");
        layout.set("PROXY_IDENTITY_HEADERS_EXCEPT", "X-Hasura-Role");
    })
    .await;
    let headers = ["X_Tenant_User: 1", "X-Hasura-Role: 1", "X-Hasura-User-Id: 1", "X-Tenants: 1"];
    assert_eq!(raw::request(world.edge, "GET /pub/a", &headers).await.status(), 200);
    let seen = world.backend.take();
    let passed =
        ["x_tenant_user", "x-hasura-role", "x-hasura-user-id", "x-tenants"].map(|name| header(&seen[0], name).len());
    assert_eq!(passed, [0, 1, 0, 1], "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_sets_the_host_and_acts_on_every_spelling() {
    let world = World::start("edge-route-headers").await;
    let headers = ["X_Tenant: forged", "X~Tenant: forged", "X_Old_Name: 1", "X-Old-Name: 1"];
    let line = format!("Authorization: {}", basic("einstein", &world.token));
    let headers: Vec<&str> = headers.into_iter().chain([&*line]).collect();
    assert_eq!(raw::request(world.edge, "GET /hosted/a", &headers).await.status(), 200);
    let seen = world.backend.take();
    assert_eq!(header(&seen[0], "host"), ["inner.example:81"]);
    assert_eq!(header(&seen[0], "x-forwarded-host"), ["cloud.example"]);
    assert_eq!(header(&seen[0], "x-tenant"), ["a"]);
    for gone in ["x_tenant", "x~tenant", "x_old_name", "x-old-name"] {
        assert!(header(&seen[0], gone).is_empty(), "{gone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_rule_removes_authorization_and_session_cookie() {
    let world = World::start("edge-allowed-credentials").await;
    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    let cookie = "Cookie: a=1; doorward=secret; __Host-doorward=secret; __Secure-doorward=secret";
    for (target, passed) in [
        ("/pub/a", false),
        ("/open/pub", true),
        ("/kept/pub", true),
        ("/a", false),
        ("/kept/a", true),
        ("/open/a", true),
    ] {
        assert_eq!(raw::request(world.edge, &format!("GET {target}"), &[&authorization, cookie]).await.status(), 200);
        let seen = world.backend.take();
        assert_eq!(!header(&seen[0], "authorization").is_empty(), passed, "{target}");
        assert_eq!(header(&seen[0], "cookie"), ["a=1"], "{target}");
    }
}

/// A service of an oCIS that demands several factors, and one that sends headers for browsers itself.
async fn service() -> SocketAddr {
    let demands = (StatusCode::FORBIDDEN, [("x-ocis-mfa-required", "true")], "several factors are required");
    let own = [("content-security-policy", "sandbox"), ("x-frame-options", "DENY")];
    let router = Router::new()
        .route("/vault", axum::routing::get(move || async move { demands }))
        .route("/own", axum::routing::get(move || async move { (own, "a page with a policy") }))
        .fallback(|| async { "a page" });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn route_all(layout: &mut Layout, service: SocketAddr) {
    let file = layout.folder().join("service.yaml");
    std::fs::write(&file, format!("routes: [{{ path: /, backend: 'http://{service}', unprotected: true }}]\n"))
        .expect("the folder can be written to");
    layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
}

/// Row F12: the web client asks the user for a further factor when it sees this.
#[tokio::test(flavor = "multi_thread")]
async fn refusal_for_want_of_factors_reaches_the_client() {
    let service = service().await;
    let world = World::start_with("edge-mfa-required", |layout| {
        layout.set("OCIS_MFA_ENABLED", "true");
        route_all(layout, service);
    })
    .await;
    let reply = raw::request(world.edge, "GET /vault", &[]).await;
    assert_eq!((reply.status(), reply.header("x-ocis-mfa-required")), (403, vec!["true"]), "{reply:?}");
    assert!(reply.text.ends_with("several factors are required"), "{reply:?}");
    assert!(reply.header("content-security-policy").is_empty(), "nothing is added where nothing is configured");
}

/// Row E48.
#[tokio::test(flavor = "multi_thread")]
async fn headers_for_browsers_are_set_where_the_backend_sets_none() {
    let service = service().await;
    let world = World::start_with("edge-csp", |layout| {
        let file = layout.folder().join("csp.yaml");
        let directives = "directives: { frame-src: ['https://${COLLABORA_DOMAIN|office.example}/'] }\n";
        std::fs::write(&file, directives).expect("the folder can be written to");
        layout.set("PROXY_CSP_CONFIG_FILE_LOCATION", &file.display().to_string());
        route_all(layout, service);
    })
    .await;
    let page = raw::request(world.edge, "GET /a", &[]).await;
    let policies = page.header("content-security-policy");
    assert!(policies.len() == 1 && policies[0].contains("https://office.example/;"), "{page:?}");
    assert_eq!(
        (page.header("x-frame-options"), page.header("x-content-type-options")),
        (vec!["SAMEORIGIN"], vec!["nosniff"])
    );
    let own = raw::request(world.edge, "GET /own", &[]).await;
    assert_eq!((own.header("content-security-policy"), own.header("x-frame-options")), (vec!["sandbox"], vec!["DENY"]));
    let discovery = raw::request(world.edge, "GET /.well-known/openid-configuration", &[]).await;
    assert_eq!(
        (discovery.status(), discovery.header("x-robots-tag").len()),
        (200, 0),
        "services of Doorward set their own"
    );
}

/// Row E1: what services of an oCIS tell each other about a request, in the spellings that servers take for the same.
#[tokio::test(flavor = "multi_thread")]
async fn propagated_metadata_of_clients_reaches_no_backend() {
    let world = World::start("edge-autoprop").await;
    let headers = [
        "X-Ocis-Autoprop-Mfa-Authenticated: forged-by-the-client",
        "x_ocis_autoprop_mfa_authenticated: forged-by-the-client",
        "X.Ocis.Autoprop.Mfa-Authenticated: forged-by-the-client",
        "M-Ocis-Autoprop-Mfa-Authenticated: forged-by-the-client",
        "m~ocis~autoprop~mfa~authenticated: forged-by-the-client",
        "Autoprop-Mfa-Authenticated: forged-by-the-client",
        "autoprop_mfa_authenticated: forged-by-the-client",
        "X-Multi-Factor-Authentication: forged-by-the-client",
    ];
    for target in ["/pub/a", "/open/a"] {
        assert_eq!(raw::request(world.edge, &format!("GET {target}"), &headers).await.status(), 200, "{target}");
        let seen = world.backend.take();
        assert_eq!(found(&seen[0]), Vec::<&Value>::new(), "{target}");
    }
}
