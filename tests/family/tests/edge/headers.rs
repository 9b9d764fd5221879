//! Headers that are not the client's to send.

use proxy::headers::LISTED;
use serde_json::Value;

use crate::backend::header;
use crate::raw;
use crate::world::{World, basic};

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
