//! Names of files that servers read differently, on routes whose paths are opaque.

use testkit::Layout;

use crate::edge::backend::Backend;
use crate::edge::raw;
use crate::edge::world::{NODE, OTHER, World, basic};

/// Every kind of name that two servers could read differently.
const NAMES: [&str; 9] = [
    "./a:b.txt",
    "a;b.txt",
    "a\\b.txt",
    "a%5Cb.txt",
    "group%2Fproject",
    "100%25.txt",
    "a%252Fb.txt",
    "@scope%2fpackage/-/package-1.0.tgz",
    "%3Bx",
];

fn routes(layout: &mut Layout, backend: &Backend) {
    let backend = backend.address;
    let text = format!(
        r"
routes:
  - {{ path: /packages, backend: 'http://{backend}', paths: opaque }}
  - {{ path: /dav/plain, backend: 'http://{backend}', paths: plain }}
  - {{ path: /, backend: 'http://{backend}' }}
access:
  - {{ path: /packages/open, action: allow }}
  - {{ path: /packages/secret, action: deny }}
"
    );
    let file = layout.folder().join("opaque.yaml");
    std::fs::write(&file, text).expect("the file can be written");
    layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
}

async fn start(name: &str) -> (World, Backend) {
    let backend = Backend::start().await;
    let world = World::start_with(name, |layout| routes(layout, &backend)).await;
    (world, backend)
}

async fn status(world: &World, token: &str, method: &str, target: &str) -> u16 {
    let authorization = format!("Authorization: {}", basic("einstein", token));
    raw::request(world.edge, &format!("{method} {target}"), &[&authorization]).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_reaches_an_opaque_route_as_it_was_sent() {
    let (world, backend) = start("edge-opaque").await;
    let folders = ["/dav/files/einstein", "/remote.php/dav/files/einstein", "/webdav", "/packages"];
    for target in folders.iter().flat_map(|folder| NAMES.map(|name| format!("{folder}/{name}"))) {
        assert_eq!(status(&world, &world.token, "PUT", &target).await, 200, "{target}");
        let seen = backend.take();
        assert_eq!(seen[0]["target"], target.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_with_several_readings_is_refused_elsewhere() {
    let (world, backend) = start("edge-opaque-not").await;
    for name in NAMES.iter().filter(|name| !matches!(**name, "100%25.txt" | "%3Bx")) {
        for folder in ["/dav/plain", "/other", "/auth-app", "/device"] {
            let target = format!("{folder}/{name}");
            assert_eq!(status(&world, &world.token, "GET", &target).await, 400, "{target}");
        }
    }
    for target in ["/packages/../other", "/packages/a%2F..%2F..%2Fother", "/packages//a", "/packages/%252e%252e/a"] {
        assert_eq!(status(&world, &world.token, "GET", target).await, 400, "{target}");
    }
    assert!(backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn path_passes_only_if_every_reading_of_it_is_permitted() {
    let (world, backend) = start("edge-opaque-rules").await;
    for target in [
        "/packages%2Fsecret",
        "/packages/./secret",
        "/packages/secret;x",
        "/packages/secret%2Fa",
        "/packages/secret%5Ca",
        "/packages/secret%252Fa",
        "/packages/open%2Fa",
        "/packages/open;a",
        "/packages%2Fopen",
        "/packages%5Ca",
        "/dav%2Ffiles%2Fa",
    ] {
        let status = status(&world, &world.token, "GET", target).await;
        assert!(matches!(status, 400 | 403), "{target}: {status}");
    }
    assert!(backend.take().is_empty());
    assert_eq!(raw::request(world.edge, "GET /packages/open/a%2Fb", &[]).await.status(), 200);
    assert_eq!(raw::request(world.edge, "GET /packages/a%2Fb", &[]).await.status(), 401);

    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    for (to, expected) in [
        ("/dav/files/einstein/b;c.txt", 200),
        ("http://cloud.example/dav/files/einstein/b%2Fc", 200),
        ("/dav/files/einstein/..%2Fc", 403),
        ("/packages/b;c", 403),
        ("/packages%2Fsecret", 403),
    ] {
        let lines = [&*authorization, &format!("Destination: {to}")];
        let moved = raw::request(world.edge, "MOVE /dav/files/einstein/a", &lines).await;
        assert_eq!(moved.status(), expected, "{to}");
    }
}

/// A credential for a part of the tree reaches names of any characters there, and nothing that some server would find elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn narrow_credential_reaches_a_name_only_if_every_reading_is_within_its_scope() {
    let (world, backend) = start("edge-opaque-narrow").await;
    let narrow = world.token_for("path:/docs:rw").await;
    for (name, expected) in [
        ("docs/./a:b.txt", 200),
        ("./docs/a:b.txt", 200),
        ("docs/a;b.txt", 200),
        ("docs/a%2Fb", 200),
        ("docs/a\\b", 200),
        ("docs/a%5Cb", 200),
        ("docs/100%25.txt", 200),
        ("docs/a%252Fb", 200),
        ("docs/a%23b", 200),
        ("docs/a%3Fb", 200),
        ("docs/%3Bx", 200),
        ("docs%2Fa", 403),
        ("docs%252Fa", 403),
        ("docs%5Ca", 403),
        ("docs\\a", 403),
        ("docs;a/b", 403),
        ("docs%3Ba/b", 403),
        ("docs;a", 403),
        ("%64ocs%2Fa", 403),
        ("other/./a", 403),
        ("other%2Fdocs/a", 403),
        ("docs/..;/other", 400),
        ("docs/..%2Fother", 400),
        ("docs/..%5Cother", 400),
        ("docs/%252e%252e/other", 400),
    ] {
        let target = format!("/dav/files/einstein/{name}");
        assert_eq!(status(&world, &narrow, "PUT", &target).await, expected, "{target}");
        let seen = backend.take();
        let sent: Vec<_> = seen.iter().filter_map(|request| request["target"].as_str()).collect();
        assert_eq!(sent, if expected == 200 { vec![target.as_str()] } else { vec![] });
    }
    for target in
        ["/dav/files/marie/docs/a;b", "/dav/files/einstein;x/docs/a", "/dav/files/marie%2F..%2Feinstein/docs/a"]
    {
        let status = status(&world, &narrow, "GET", target).await;
        assert!(matches!(status, 400 | 403), "{target}: {status}");
    }
    let authorization = format!("Authorization: {}", basic("einstein", &narrow));
    for (to, expected) in
        [("docs/b;c", 200), ("docs/b%2Fc", 200), ("other/b;c", 403), ("docs;b/c", 403), ("docs%2Fc", 403)]
    {
        let lines = [&*authorization, &format!("Destination: /dav/files/einstein/{to}")];
        let moved = raw::request(world.edge, "MOVE /dav/files/einstein/docs/a;b", &lines).await;
        assert_eq!(moved.status(), expected, "{to}");
    }
    let node = world.token_for(&format!("node:{NODE}:rw")).await;
    for (name, expected) in [
        (format!("{NODE}/a;b"), 200),
        (format!("{NODE}/a%2Fb"), 200),
        (format!("{NODE};x/a"), 403),
        (format!("{NODE}%2Fa"), 403),
        (format!("{OTHER}%2F{NODE}/a"), 403),
        (format!("{OTHER}/{NODE};a"), 403),
    ] {
        let target = format!("/dav/spaces/{name}");
        assert_eq!(status(&world, &node, "PUT", &target).await, expected, "{target}");
    }
}
