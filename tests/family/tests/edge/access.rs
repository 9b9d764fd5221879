//! Who may do what.

use doorward::ServiceId;
use reqwest::{Method, StatusCode};

use crate::edge::backend::header;
use crate::edge::raw;
use crate::edge::world::{NODE, OTHER, World, basic, client};

#[tokio::test(flavor = "multi_thread")]
async fn valid_credentials_pass_and_invalid_ones_are_refused_alike() {
    let world = World::start("edge-credentials").await;
    let ours = world.token.clone();
    let cases = [
        (world.password(), 200),
        (basic("einstein", &ours), 200),
        (format!("Bearer {ours}"), 200),
        (format!("bearer   {ours}"), 200),
        (basic("marie", &ours), 401),
        (basic("einstein", "wrong"), 401),
        (basic("unknown", "wrong"), 401),
        (basic("", &ours), 401),
        (format!("Bearer {ours}x"), 401),
        ("Bearer eyJhbGciOiJub25lIn0.e30.".to_owned(), 401),
        ("Negotiate x".to_owned(), 401),
        ("Basic".to_owned(), 401),
    ];
    for (authorization, status) in cases {
        let line = format!("Authorization: {authorization}");
        let reply = raw::request(world.edge, "GET /a", &[&line]).await;
        assert_eq!(reply.status(), status, "{}", authorization.split(' ').next().unwrap_or_default());
        assert_eq!(world.backend.take().len(), usize::from(status == 200));
    }
    let missing = raw::request(world.edge, "GET /a", &[]).await;
    let [bearer, password] =
        ["Bearer", "Basic"].map(|scheme| format!("{scheme} realm=\"cloud.example\", charset=\"UTF-8\""));
    let metadata = "http://cloud.example/.well-known/oauth-protected-resource";
    let challenges = [format!("{bearer}, resource_metadata=\"{metadata}\""), password];
    assert_eq!(missing.header("www-authenticate"), challenges);
    let dav = raw::request(world.edge, "PROPFIND /a", &[]).await;
    assert!(dav.text.contains("<s:message>Authentication error</s:message>"), "{dav:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_followed() {
    let world = World::start("edge-rules").await;
    let einstein = format!("Authorization: {}", world.password());
    let admin = format!("Authorization: {}", basic("admin", &world.family.layout.password));
    for (line, credential, status) in [
        ("GET /pub", "X-A: 1", 200),
        ("GET /public", "X-A: 1", 401),
        ("GET /internal", &*einstein, 403),
        ("GET /open", "X-A: 1", 200),
        ("GET /open/closed", "X-A: 1", 403),
        ("GET /admin", "X-A: 1", 401),
        ("GET /admin", &einstein, 403),
        ("GET /admin/x", &admin, 200),
        ("OPTIONS /a", "X-A: 1", 401),
    ] {
        let reply = raw::request(world.edge, line, &[credential]).await;
        assert_eq!(reply.status(), status, "{line}");
        assert_eq!(world.backend.take().len(), usize::from(status == 200), "{line}");
    }
    let preflight = ["Origin: https://a.example", "Access-Control-Request-Method: PUT"];
    assert_eq!(raw::request(world.edge, "OPTIONS /a", &preflight).await.status(), 200, "the backend answers these");
    assert!(header(&world.backend.take()[0], "x-access-token").is_empty());
}

/// Row E5.
#[tokio::test(flavor = "multi_thread")]
async fn paths_with_two_readings_are_refused_on_every_route() {
    let world = World::start("edge-paths").await;
    let authorization = format!("Authorization: {}", world.password());
    for path in [
        "/pub/..%2fadmin",
        "/pub/..%2fadmin//x/../y",
        "/pub/../admin",
        "/pub/%2e%2e/admin",
        "//pub",
        "/pub//a",
        "/pub/..;/admin",
        "/pub;x/../admin",
        "/pub/%00",
        "/pub%5c..%5cadmin",
        "/pub/%252e%252e/admin",
        "/pub/..\\admin",
        "/open/../admin",
    ] {
        for credential in ["X-A: 1", &authorization] {
            let reply = raw::request(world.edge, &format!("GET {path}"), &[credential]).await;
            assert_eq!(reply.status(), 400, "{path}: {reply:?}");
        }
    }
    assert!(world.backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_a_node_reaches_that_node_by_its_methods() {
    let world = World::start("edge-node").await;
    let token = world.token_for(&format!("node:{NODE}:r")).await;
    let http = client();
    let status = async |method: &str, path: &str, destination: Option<String>| {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = http.request(method, world.url(path)).basic_auth("einstein", Some(&token));
        if let Some(destination) = destination {
            request = request.header("destination", destination);
        }
        request.send().await.expect("answers").status()
    };
    let file = format!("/dav/spaces/{NODE}/a.txt");
    assert_eq!(status("PROPFIND", &format!("/dav/spaces/{NODE}/"), None).await, StatusCode::OK);
    assert_eq!(status("GET", &file, None).await, StatusCode::OK);
    assert_eq!(world.backend.take().len(), 2);
    for (method, path) in [
        ("PUT", &*file),
        ("DELETE", &file),
        ("PROPFIND", &format!("/dav/spaces/{OTHER}")),
        ("GET", "/auth-app/tokens"),
        ("POST", "/auth-app/tokens?expiry=1h"),
        ("GET", "/graph/v1.0/me"),
    ] {
        assert_eq!(status(method, path, None).await, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert!(world.backend.take().is_empty());

    let writes = world.token_for(&format!("node:{NODE}:rw")).await;
    for (destination, expected) in [
        (format!("/dav/spaces/{NODE}/b.txt"), StatusCode::OK),
        (format!("/dav/spaces/{OTHER}/b.txt"), StatusCode::FORBIDDEN),
        (format!("http://evil.example/dav/spaces/{NODE}/b.txt"), StatusCode::FORBIDDEN),
    ] {
        let request = http.request(Method::from_bytes(b"COPY").expect("a method"), world.url(&file));
        let request = request.basic_auth("einstein", Some(&writes)).header("destination", &destination);
        assert_eq!(request.send().await.expect("answers").status(), expected, "{destination}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_familys_own_pages_are_reached() {
    let world = World::start("edge-family").await;
    let http = client();
    let discovery = http.get(world.url("/.well-known/openid-configuration")).send().await.expect("answers");
    assert_eq!(discovery.status(), StatusCode::OK);
    let preflight = [
        "Origin: https://app.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type,mcp-protocol-version",
    ];
    for path in ["/.well-known/oauth-authorization-server", "/konnect/v1/token"] {
        let reply = raw::request(world.edge, &format!("OPTIONS {path}"), &preflight).await;
        assert_eq!(
            (reply.status(), reply.header("access-control-allow-origin")),
            (200, vec!["*"]),
            "{path}: {reply:?}"
        );
        let allowed = reply.header("access-control-allow-headers").concat();
        assert!(allowed.contains("content-type") && allowed.contains("mcp-protocol-version"), "{path}: {allowed}");
    }
    let tokens = http.get(world.url("/auth-app/tokens")).basic_auth("einstein", Some(&world.family.layout.password));
    let tokens: serde_json::Value = tokens.send().await.expect("answers").json().await.expect("JSON");
    assert!(tokens.as_array().is_some_and(|tokens| tokens.len() == 1), "{tokens}");
    assert_eq!(
        http.get(world.url("/auth-app/tokens")).send().await.expect("answers").status(),
        StatusCode::UNAUTHORIZED
    );
    assert!(world.backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused_at_its_next_request() {
    let world = World::start("edge-revoked").await;
    let http = client();
    let opens = async || {
        http.get(world.url("/a")).basic_auth("einstein", Some(&world.token)).send().await.expect("answers").status()
    };
    assert_eq!((opens().await, opens().await), (StatusCode::OK, StatusCode::OK));
    let seen = world.backend.take();
    assert_eq!(header(&seen[0], "x-access-token"), header(&seen[1], "x-access-token"), "one token serves both");
    let revoked = http.delete(world.url(&format!("/auth-app/tokens?token={}", world.token)));
    let revoked = revoked.basic_auth("einstein", Some(&world.family.layout.password)).send().await.expect("answers");
    assert_eq!(revoked.status(), StatusCode::OK);
    assert_eq!(opens().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_of_processes_fails_closed_without_its_gateway() {
    let backend = crate::edge::backend::Backend::start().await;
    let mut layout = testkit::Layout::new("edge-processes", false);
    let file = layout.folder().join("routes.yaml");
    let routes = format!(
        "routes: [{{ path: /, backend: 'http://{}' }}]\naccess: [{{ path: /pub, action: allow }}]",
        backend.address
    );
    std::fs::write(&file, routes).expect("writes");
    layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
    layout.set("PROXY_TLS", "false");
    let edge = layout.variables()["PROXY_HTTP_ADDR"].parse().expect("an address");
    let mut family = testkit::TestFamily::start_with(layout, testkit::Mode::Processes, |context| context).await;
    let token = family.app_token("einstein").await;
    let line = format!("Authorization: {}", basic("einstein", &token));
    assert_eq!(raw::request(edge, "GET /a", &[&line]).await.status(), 200);
    assert_eq!(backend.take().len(), 1);
    family.kill(ServiceId::Gateway);
    let url = format!("http://{edge}/a");
    let answer = client().get(url).basic_auth("einstein", Some(&token)).send().await.expect("the edge answers");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(backend.take().is_empty());
    assert_eq!(raw::request(edge, "GET /pub", &[]).await.status(), 200, "a public path is served without the gateway");
}
