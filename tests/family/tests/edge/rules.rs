//! Access rules that clients try to get around.

use reqwest::Method;

use crate::edge::backend::Backend;
use crate::edge::raw;
use crate::edge::world::{World, basic, client};

/// The edge before one backend on an unprotected route, with these access rules.
async fn unprotected(name: &str, access: &str) -> (World, Backend) {
    let backend = Backend::start().await;
    let routes = format!(
        "routes:\n  - {{ path: /, backend: 'http://{}', unprotected: true }}\naccess:\n{access}",
        backend.address
    );
    let world = World::start_with(name, |layout| {
        let file = layout.folder().join("rules.yaml");
        std::fs::write(&file, routes).expect("the folder can be written to");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
    })
    .await;
    (world, backend)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_rule_holds_with_a_trailing_dot_and_in_any_case() {
    let access = "  - { host: admin.example, action: deny }\n  - { host: open.example., path: /a, action: allow }\n";
    let (world, backend) = unprotected("edge-trailing-dot", access).await;
    for (host, status) in [
        ("admin.example", 403),
        ("admin.example.", 403),
        ("ADMIN.Example.:9200", 403),
        ("admin.example..", 400),
        ("open.example.", 200),
        ("other.example.", 200),
    ] {
        let request = format!("GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let reply = raw::send(world.edge, request.as_bytes()).await;
        assert_eq!((reply.status(), backend.take().len()), (status, usize::from(status == 200)), "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_parameter_does_not_evade_a_deny_rule() {
    let (world, backend) =
        unprotected("edge-repeated-parameter", "  - { query: { debug: '1' }, action: deny }\n").await;
    for (query, status) in
        [("debug=1", 403), ("debug=1&debug=0", 403), ("debug=0&%64ebug=1", 403), ("debug=0&debug=2", 200)]
    {
        let reply = raw::request(world.edge, &format!("GET /a?{query}"), &[]).await;
        assert_eq!((reply.status(), backend.take().len()), (status, usize::from(status == 200)), "{query}");
    }
}

/// RFC 4918 10.3.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_or_move_is_denied_where_a_rule_denies_its_destination() {
    let world = World::start("edge-destination").await;
    let http = client();
    let edge = world.edge.to_string();
    for (path, destination, status) in [
        ("/a", format!("http://{edge}/b"), 200),
        ("/a", format!("http://{edge}/internal/b"), 403),
        ("/a", "/internal/b".to_owned(), 403),
        ("/a", "http://elsewhere.example/internal/b".to_owned(), 403),
        ("/a", format!("http://{edge}/admin/b"), 403),
        ("/pub/a", format!("http://{edge}/b"), 401),
        ("/pub/a", format!("http://{edge}/pub/b"), 200),
        ("/open/a", format!("http://{edge}/open/closed"), 403),
        ("/a", format!("http://{edge}/pub/../internal"), 403),
    ] {
        for method in ["COPY", "MOVE"] {
            let method: Method = method.parse().expect("a method");
            let request = http.request(method.clone(), world.url(path)).header("destination", &destination);
            let credential = (!path.starts_with("/pub")).then(|| basic("einstein", &world.token));
            let request = match &credential {
                Some(credential) => request.header("authorization", credential),
                None => request,
            };
            let answer = request.send().await.expect("the edge answers").status().as_u16();
            let passed = world.backend.take().len();
            assert_eq!((answer, passed), (status, usize::from(status == 200)), "{method} {path} to {destination}");
        }
    }
}
