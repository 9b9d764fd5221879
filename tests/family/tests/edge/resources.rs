//! Clients find out by themselves of which issuer the access tokens of a resource are (RFC 9728).

use doorward::ServiceId;
use proto::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use proto::envoy::service::auth::v3::check_response::HttpResponse;
use proto::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use serde_json::{Value, json};
use testkit::{Layout, note_secret};

use crate::edge::backend::Backend;
use crate::edge::issuer::{AUDIENCE, Issuer};
use crate::edge::raw::{self, Reply};
use crate::edge::world::{World, basic, client};

const PATH: &str = "/.well-known/oauth-protected-resource";
/// The resource of a route.
const NOTES: &str = "http://cloud.example/notes";
/// How an API server proves itself at `/tokenreview`.
const REVIEWER: &str = "an-api-server-proves-itself-with-these-bytes";

/// The edge before a backend with a resource of its own at `/notes`. On `own.example` the backend publishes metadata itself; on
/// `open.example` it authenticates the clients of all but one path.
async fn start(name: &str, more: impl FnOnce(&mut Layout)) -> (World, Backend) {
    let backend = Backend::start().await;
    let address = backend.address;
    let routes = format!(
        r"
routes:
  - {{ path: /notes, backend: 'http://{address}', protected_resource: {{ name: Notes }} }}
  - {{ host: own.example, path: {PATH}, backend: 'http://{address}', unprotected: true }}
  - {{ host: own.example, backend: 'http://{address}' }}
  - {{ host: wiki.example, backend: 'http://{address}' }}
  - {{ host: mcp.example, methods: [GET, POST], backend: 'http://{address}', protected_resource: {{}} }}
  - {{ host: open.example, path: /api, backend: 'http://{address}' }}
  - {{ host: open.example, backend: 'http://{address}', unprotected: true }}
  - {{ path: /, backend: 'http://{address}' }}
access:
  - {{ path: /several, multi_factor: true, action: authenticate }}
  - {{ path: /scoped, scopes: ['path:/scoped:rw', user], action: authenticate }}
  - {{ path: /notes/scoped, scopes: ['path:/notes/scoped:rw', user], action: authenticate }}
  - {{ path: /staff, roles: [admin], scopes: ['path:/staff:rw'], action: authenticate }}
"
    );
    let world = World::start_with(name, |layout| {
        let file = layout.folder().join("resources.yaml");
        std::fs::write(&file, routes).expect("the folder can be written to");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
        more(layout);
    })
    .await;
    (world, backend)
}

/// A request for a path of this host.
async fn get(world: &World, method: &str, host: &str, path: &str, more: &str) -> Reply {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
    raw::send(world.edge, request.as_bytes()).await
}

fn body(reply: &Reply) -> Value {
    let (_, body) = reply.text.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

/// The parameter of the challenge for bearer tokens.
fn referred(challenges: &[&str]) -> Option<String> {
    let bearer = challenges.iter().find(|challenge| challenge.starts_with("Bearer ")).expect("a challenge");
    let (_, rest) = bearer.split_once("resource_metadata=\"")?;
    Some(rest.strip_suffix('"').expect("the last parameter").to_owned())
}

/// Rows [E60](../../../../docs/security-requirements.md#e60) and [E62](../../../../docs/security-requirements.md#e62).
#[tokio::test(flavor = "multi_thread")]
async fn challenge_refers_to_the_metadata_and_a_forged_host_changes_nothing() {
    let (world, backend) = start("edge-resources", |_| ()).await;
    for (host, path, metadata) in [
        ("cloud.example", "/a", Some("http://cloud.example/.well-known/oauth-protected-resource")),
        ("cloud.example:9200", "/notes/a", Some("http://cloud.example/.well-known/oauth-protected-resource/notes")),
        ("wiki.example", "/a", Some("http://wiki.example/.well-known/oauth-protected-resource")),
        ("evil.example", "/a", None),
        ("evil.example", "/notes", None),
    ] {
        let forged = "X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n";
        let reply = get(&world, "GET", host, path, forged).await;
        assert_eq!(reply.status(), 401, "{host}{path}: {reply:?}");
        assert_eq!(referred(&reply.header("www-authenticate")).as_deref(), metadata, "{host}{path}");
        let readable: &[&str] = if path.starts_with("/notes") { &["*"] } else { &[] };
        assert_eq!(reply.header("access-control-allow-origin"), readable, "{host}{path}");
        assert!(reply.header("access-control-allow-credentials").is_empty(), "{host}{path}");
    }
    let script = get(&world, "GET", "cloud.example", "/a", "X-Requested-With: XMLHttpRequest\r\n").await;
    assert_eq!((script.status(), script.header("www-authenticate").len()), (401, 0));
    assert!(backend.take().is_empty());
}

/// RFC 9470 3.
#[tokio::test(flavor = "multi_thread")]
async fn access_token_of_too_low_a_level_is_challenged_and_one_of_the_named_level_passes() {
    let issuer = Issuer::start().await;
    let (world, backend) = start("edge-resource-level", |layout| issuer.settle(layout)).await;
    let several = async |claims: Value| {
        let line = format!("Authorization: Bearer {}\r\n", issuer.token(&claims));
        get(&world, "GET", "cloud.example", "/several", &line).await
    };
    for claims in [json!({}), json!({ "acr": "1", "amr": ["pwd"] })] {
        let factors = several(claims).await;
        let [challenge] = factors.header("www-authenticate")[..] else { panic!("one challenge: {factors:?}") };
        assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
        assert!(referred(&[challenge]).is_some_and(|url| url.ends_with(PATH)), "{challenge}");
        assert!(backend.take().is_empty());
        let (_, rest) = challenge.split_once("acr_values=\"").expect("levels");
        let (level, _) = rest.split_once('"').expect("a quoted string");
        let reply = several(json!({ "acr": level })).await;
        assert_eq!((reply.status(), backend.take().len()), (200, 1), "{level}");
    }
}

/// RFC 6750 3. A client that knows the URL of a resource alone asks for these, and needs no second sign-in for those of the access rule.
#[tokio::test(flavor = "multi_thread")]
async fn challenge_of_a_resource_that_a_route_names_has_the_scopes_that_a_token_needs() {
    let (world, backend) = start("edge-resource-scopes", |_| ()).await;
    for (path, scopes) in [
        ("/notes/scoped", Some("openid profile path:/notes/scoped:rw")),
        ("/notes/a", Some("openid profile")),
        ("/scoped/a", None),
    ] {
        for credential in ["", "Authorization: Bearer made-up\r\n"] {
            let refused = get(&world, "GET", "cloud.example", path, credential).await;
            let challenges = refused.header("www-authenticate");
            let told = challenges.iter().find(|challenge| challenge.starts_with("Bearer ")).expect("a challenge");
            let named = told.split_once(", scope=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(text, _)| text);
            assert_eq!((refused.status(), named), (401, scopes), "{path}: {told}");
        }
    }
    assert!(backend.take().is_empty());
}

/// RFC 6750 3.1.
#[tokio::test(flavor = "multi_thread")]
async fn challenge_names_the_scope_that_a_token_lacks() {
    let (world, backend) = start("edge-resource-scope", |_| ()).await;
    let narrow = world.token_for("path:/scoped:r").await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let refused = get(&world, "GET", "cloud.example", "/scoped/a", &bearer(&narrow)).await;
    let [challenge] = refused.header("www-authenticate")[..] else { panic!("one challenge: {refused:?}") };
    assert_eq!(refused.status(), 403);
    // a client may ask the issuer for these alone, whose tokens name no user without the second
    assert!(
        challenge.contains(", error=\"insufficient_scope\", scope=\"openid profile path:/scoped:rw\", "),
        "{challenge}"
    );
    assert!(referred(&[challenge]).is_some_and(|url| url.ends_with(PATH)), "{challenge}");
    // no other token helps a user without the role, and no token a client with an app token as password
    let password = format!("Authorization: {}\r\n", basic("einstein", &narrow));
    for (path, line) in [("/staff/a", bearer(&narrow)), ("/staff/a", bearer(&world.token)), ("/scoped/a", password)] {
        let refused = get(&world, "GET", "cloud.example", path, &line).await;
        assert_eq!((refused.status(), refused.header("www-authenticate").len()), (403, 0), "{path}: {refused:?}");
    }
    assert!(backend.take().is_empty());
    let token = world.token_for("path:/scoped:rw").await;
    let reply = get(&world, "GET", "cloud.example", "/scoped/a", &bearer(&token)).await;
    assert_eq!((reply.status(), backend.take().len()), (200, 1), "{reply:?}");
}

/// Rows [E60](../../../../docs/security-requirements.md#e60) and [E62](../../../../docs/security-requirements.md#e62).
#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_answered_where_a_resource_is_and_other_paths_are_forwarded() {
    let (world, backend) = start("edge-resource-metadata", |_| ()).await;
    for (host, path, resource) in [
        ("cloud.example", "", "http://cloud.example"),
        ("cloud.example", "/notes", "http://cloud.example/notes"),
        ("wiki.example", "", "http://wiki.example"),
        ("open.example", "", "http://open.example"),
    ] {
        let reply = get(&world, "GET", host, &format!("{PATH}{path}"), "Origin: https://app.example\r\n").await;
        assert_eq!(reply.status(), 200, "{host}{path}: {reply:?}");
        assert_eq!(reply.header("content-type"), ["application/json"]);
        assert_eq!(reply.header("access-control-allow-origin"), ["*"]);
        let document = body(&reply);
        assert_eq!(document["resource"], resource);
        let issuer = document["authorization_servers"][0].as_str().expect("an issuer");
        assert!(issuer.starts_with("http"), "{issuer}");
    }
    let head = get(&world, "HEAD", "cloud.example", PATH, "").await;
    assert!(head.status() == 200 && head.text.ends_with("\r\n\r\n"), "{head:?}");
    let posted = get(&world, "POST", "cloud.example", PATH, "Content-Length: 0\r\n").await;
    assert_eq!((posted.status(), posted.header("allow")), (405, vec!["GET, HEAD"]));
    let preflight = "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n\
                     Access-Control-Request-Headers: mcp-protocol-version\r\n";
    for path in [PATH.to_owned(), format!("{PATH}/notes")] {
        let reply = get(&world, "OPTIONS", "cloud.example", &path, preflight).await;
        assert_eq!((reply.status(), reply.header("access-control-allow-origin")), (204, vec!["*"]), "{reply:?}");
        assert_eq!(reply.header("access-control-allow-headers"), ["*, Authorization"]);
    }
    assert!(backend.take().is_empty(), "the edge has answered all of them");

    let own = get(&world, "GET", "own.example", PATH, "").await;
    assert_eq!((own.status(), backend.take().len()), (200, 1), "its route is for this path, and unprotected");
    for (host, path, status) in [
        ("evil.example", PATH.to_owned(), 401),
        ("cloud.example", format!("{PATH}/other"), 401),
        ("cloud.example", format!("{PATH}/notes/..%2f..%2foauth-protected-resource"), 400),
        ("cloud.example", format!("{PATH}/notes/../notes"), 400),
    ] {
        let reply = get(&world, "GET", host, &path, "").await;
        assert_eq!((reply.status(), backend.take().len()), (status, 0), "{host}{path}: {reply:?}");
    }
}

/// Row [E61](../../../../docs/security-requirements.md#e61).
#[tokio::test(flavor = "multi_thread")]
async fn app_tokens_pass_at_a_named_resource() {
    let (world, backend) = start("edge-resource-app-token", |_| ()).await;
    let token = format!("Authorization: Bearer {}\r\n", world.token);
    let reply = get(&world, "GET", "cloud.example", "/notes/a", &token).await;
    assert_eq!((reply.status(), backend.take().len()), (200, 1), "{reply:?}");
}

/// Row [E61](../../../../docs/security-requirements.md#e61).
#[tokio::test(flavor = "multi_thread")]
async fn access_token_counts_at_its_resource_alone_at_every_entrypoint() {
    note_secret(REVIEWER);
    let issuer = Issuer::start().await;
    let (world, backend) = start("edge-resource-audience", |layout| {
        issuer.settle(layout);
        let_nginx_ask(layout);
        layout.set("PROXY_TOKEN_REVIEW_SECRET", REVIEWER);
    })
    .await;
    for (resources, at_notes, elsewhere, in_the_cluster) in [
        (vec![], false, true, true),
        (vec![NOTES], true, false, false),
        (vec![NOTES, "http://cloud.example/"], true, true, false),
        (vec!["http://cloud.example/other"], false, true, true),
    ] {
        let audience = [vec![AUDIENCE], resources.clone()].concat();
        let token = issuer.token(&json!({ "aud": audience }));
        let authorization = format!("Bearer {token}");
        for (path, passes) in [("/notes/a", at_notes), ("/a", elsewhere)] {
            let status = if passes { 200 } else { 401 };
            let line = format!("Authorization: {authorization}\r\n");
            let forwarded = get(&world, "GET", "cloud.example", path, &line).await;
            assert_eq!(
                (forwarded.status(), backend.take().len()),
                (status, usize::from(passes)),
                "{resources:?} {path}"
            );
            let is_invalid = |value: &&str| value.contains("error=\"invalid_token\"");
            let challenges = forwarded.header("www-authenticate");
            assert_eq!(challenges.iter().any(is_invalid), !passes, "{resources:?} {path}: {challenges:?}");
            assert_eq!(verify(&world, path, Some(&authorization)).await.status(), status, "{resources:?} {path}");
            let checked = check(&world, path, Some(&authorization)).await;
            assert_eq!(matches!(checked, HttpResponse::OkResponse(_)), passes, "{resources:?} {path}");
        }
        let question =
            json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": token } });
        let review = client().post(world.url("/tokenreview")).bearer_auth(REVIEWER).json(&question).send().await;
        let review: Value = review.expect("answers").json().await.expect("JSON");
        assert_eq!(review["status"]["authenticated"], in_the_cluster, "{resources:?}: {review}");
    }
    let token = issuer.token(&json!({ "aud": [AUDIENCE, "http://mcp.example"] }));
    let line = format!("Authorization: Bearer {token}\r\n");
    for (method, path, status, forwarded) in
        [("GET", "/a", 200, 1), ("PUT", "/a", 401, 0), ("GET", "/auth-app/tokens", 401, 0)]
    {
        let reply = get(&world, method, "mcp.example", path, &line).await;
        assert_eq!((reply.status(), backend.take().len()), (status, forwarded), "{method} {path}: {reply:?}");
    }
}

/// The web client of an OpenCloud has a route for everything that needs no credential.
#[tokio::test(flavor = "multi_thread")]
async fn challenge_refers_to_published_metadata_behind_the_routes_of_a_proxy_yaml() {
    let backend = Backend::start().await;
    let address = backend.address;
    let world = World::start_with("edge-resource-policies", |layout| {
        let routes = format!("routes: [{{ path: /notes, backend: 'http://{address}', protected_resource: {{}} }}]\n");
        for (name, setting, text) in [
            ("notes.yaml", "PROXY_ROUTES_FILE", routes.as_str()),
            ("proxy.yaml", "PROXY_POLICIES_FILE", "additional_policies: []\n"),
        ] {
            let file = layout.folder().join(name);
            std::fs::write(&file, text).expect("the folder can be written to");
            layout.set(setting, &file.display().to_string());
        }
        layout.set("PROXY_SERVICE_BACKENDS", &format!("web=http://{address}"));
    })
    .await;
    let page = get(&world, "GET", "cloud.example", "/files/spaces", "").await;
    assert_eq!((page.status(), backend.take().len()), (200, 1), "{page:?}");
    for (path, resource) in [("/notes/a", NOTES), ("/graph/v1.0/me", "http://cloud.example")] {
        let refused = get(&world, "GET", "cloud.example", path, "").await;
        let url = referred(&refused.header("www-authenticate")).expect("a reference");
        let target = url.strip_prefix("http://cloud.example").expect("a URL of the edge");
        let metadata = get(&world, "GET", "cloud.example", target, "").await;
        assert_eq!((metadata.status(), backend.take().len()), (200, 0), "{metadata:?}");
        assert_eq!(body(&metadata)["resource"], resource);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_proxies_get_the_challenge_too() {
    let (world, _) = start("edge-resource-verify", let_nginx_ask).await;
    let expected = format!("http://cloud.example{PATH}/notes");
    let reply = verify(&world, "/notes/a", None).await;
    assert_eq!(reply.status(), 401, "{reply:?}");
    assert_eq!(referred(&reply.header("www-authenticate")).as_ref(), Some(&expected));

    let answer = check(&world, "/notes/a", None).await;
    let HttpResponse::DeniedResponse(denied) = answer else { panic!("it is denied") };
    let headers = denied.headers.iter().filter_map(|option| option.header.as_ref());
    let challenges: Vec<_> =
        headers.filter(|header| header.key == "www-authenticate").map(|header| &*header.value).collect();
    assert_eq!(referred(&challenges), Some(expected));
}

fn let_nginx_ask(layout: &mut Layout) {
    layout.set("PROXY_VERIFY_PROXY", "nginx");
    layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
}

/// What nginx is answered about a request with this `Authorization`.
async fn verify(world: &World, path: &str, authorization: Option<&str>) -> Reply {
    let target = format!("X-Original-URI: {path}");
    let authorization = authorization.map(|value| format!("Authorization: {value}"));
    let original = [&*target, "X-Original-Method: GET", "X-Original-Host: cloud.example", "X-Original-Proto: http"];
    let lines: Vec<&str> = original.into_iter().chain(authorization.as_deref()).collect();
    raw::request(world.edge, "GET /verify", &lines).await
}

/// What Envoy is answered about the same.
async fn check(world: &World, path: &str, authorization: Option<&str>) -> HttpResponse {
    let (method, path, host) = ("GET".to_owned(), path.to_owned(), "cloud.example".to_owned());
    let headers = authorization.into_iter().map(|value| ("authorization".to_owned(), value.to_owned())).collect();
    let http = HttpRequest { method, path, host, headers, scheme: "http".to_owned(), ..HttpRequest::default() };
    let attributes = AttributeContext { request: Some(Request { http: Some(http) }), ..AttributeContext::default() };
    let mut envoy = AuthorizationClient::new(world.family.channel(ServiceId::Proxy));
    let answer = envoy.check(CheckRequest { attributes: Some(attributes) }).await.expect("answers").into_inner();
    answer.http_response.expect("an answer")
}
