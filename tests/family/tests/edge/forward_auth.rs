//! The endpoints for other proxies, with requests as those proxies send them. Another test runs the proxies themselves.

use std::collections::BTreeMap;

use doorward::ServiceId;
use proto::envoy::config::core::v3::{Address, SocketAddress, address};
use proto::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use proto::envoy::service::auth::v3::check_response::HttpResponse;
use proto::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::note_secret;
use tonic::Code;
use tonic::metadata::MetadataValue;

use crate::edge::backend::Backend;
use crate::edge::raw::{self, Reply};
use crate::edge::world::{World, basic, client};

async fn behind(name: &str, proxy: &str) -> World {
    World::start_with(name, |layout| {
        layout.set("PROXY_VERIFY_PROXY", proxy);
        layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
        layout.set("PROXY_VERIFY_HEADERS", "X-Access-Token,Remote-User,X-Auth-Request-Email");
    })
    .await
}

/// What nginx would send for a request, as its configuration says.
async fn nginx(world: &World, target: &str, more: &[&str]) -> Reply {
    let uri = format!("X-Original-URI: {target}");
    let forwarded = [&*uri, "X-Original-Method: GET", "X-Original-Host: cloud.example", "X-Original-Proto: https"];
    let headers: Vec<&str> = forwarded.into_iter().chain(more.iter().copied()).collect();
    raw::request(world.edge, "GET /verify?user=admin&rd=//evil", &headers).await
}

/// Rows E6 and E7.
#[tokio::test(flavor = "multi_thread")]
async fn original_request_is_read_from_one_header_set() {
    let world = behind("edge-nginx", "nginx").await;
    let line = format!("Authorization: {}", basic("einstein", &world.token));
    let good = nginx(&world, "/a?b=c", &[&line]).await;
    assert_eq!(good.status(), 200, "{good:?}");
    assert_eq!(good.header("remote-user"), ["einstein"]);
    assert_eq!(good.header("x-auth-request-email"), ["einstein@example.org"]);
    let token = good.header("x-access-token")[0].to_owned();
    assert_eq!(world.family.who_am_i(&token).await.expect("good").username, "einstein");

    let public = nginx(&world, "/pub/a", &[]).await;
    assert_eq!(
        (public.status(), public.header("x-access-token").len(), public.header("remote-user").len()),
        (200, 0, 0)
    );
    let elsewhere =
        ["X-Forwarded-Uri: /pub", "X-Forwarded-Method: GET", "X-Access-Token: forged", "Remote-User: admin"];
    assert_eq!(nginx(&world, "/a", &elsewhere).await.status(), 401);
    assert_eq!(nginx(&world, "/admin", &[&line]).await.status(), 403);
    for odd in ["/pub/..%2fadmin", "//pub", "/pub/..;/admin", "", "http://a/pub"] {
        assert_eq!(nginx(&world, odd, &[&line]).await.status(), 403, "{odd}: nginx knows no 400");
    }
    assert_eq!(nginx(&world, "/a", &["X-Original-URI: /pub"]).await.status(), 403, "twice is not at all");
    assert_eq!(raw::request(world.edge, "GET /verify", &["X-Forwarded-Uri: /pub"]).await.status(), 403);
    assert!(world.backend.take().is_empty());
}

/// Row E7.
#[tokio::test(flavor = "multi_thread")]
async fn caddy_and_traefik_use_forwarded_headers() {
    let world = behind("edge-caddy", "caddy").await;
    let forwarded = ["X-Forwarded-Method: GET", "X-Forwarded-Host: cloud.example", "X-Forwarded-Proto: https"];
    for (uri, more, status) in [
        ("X-Forwarded-Uri: /pub/a", "X-A: 1", 200),
        ("X-Forwarded-Uri: /a", "X-Original-URI: /pub", 401),
        ("X-Forwarded-Uri: /pub/%2e%2e/a", "X-A: 1", 400),
        ("X-Original-URI: /pub", "X-Original-Method: GET", 403),
    ] {
        let headers: Vec<&str> = forwarded.into_iter().chain([uri, more]).collect();
        assert_eq!(raw::request(world.edge, "GET /verify", &headers).await.status(), status, "{uri} {more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_http_check_uses_the_request_itself() {
    let world = behind("edge-envoy-http", "envoy").await;
    let line = format!("Authorization: {}", basic("einstein", &world.token));
    for (request, status) in [
        ("POST /verify/pub/a", 200),
        ("GET /verify/a?q=1", 200),
        ("GET /verify/admin", 403),
        ("GET /verify", 400),
        ("GET /verify/pub/..%2fadmin", 400),
        ("GET /verify/", 200),
        ("GET /verify//pub", 400),
    ] {
        assert_eq!(raw::request(world.edge, request, &[&line]).await.status(), status, "{request}");
    }
}

fn check(method: &str, path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let headers: BTreeMap<String, String> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let http = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        host: "cloud.example".to_owned(),
        scheme: "https".to_owned(),
        headers,
        ..HttpRequest::default()
    };
    let socket = SocketAddress { address: "192.0.2.7".to_owned(), port_specifier: None };
    let source =
        Peer { address: Some(Address { address: Some(address::Address::SocketAddress(socket)) }), ..Peer::default() };
    let attributes =
        AttributeContext { source: Some(source), destination: None, request: Some(Request { http: Some(http) }) };
    CheckRequest { attributes: Some(attributes) }
}

/// The gRPC code, the HTTP status of a refusal, and the rest.
fn outcome(answer: CheckResponse) -> (i32, Option<i32>, CheckResponse) {
    let code = answer.status.clone().expect("an answer without a status would let pass").code;
    let status = match &answer.http_response {
        Some(HttpResponse::DeniedResponse(denied)) => denied.status.map(|status| status.code),
        _ => None,
    };
    (code, status, answer)
}

async fn behind_envoy(name: &str, address: &str) -> World {
    World::start_with(name, |layout| layout.set("PROXY_TRUSTED_PROXIES", address)).await
}

/// Row E15.
#[tokio::test(flavor = "multi_thread")]
async fn check_refuses_addresses_outside_trusted_proxies() {
    let world = behind_envoy("edge-envoy-strangers", "192.0.2.7").await;
    let mut client = AuthorizationClient::new(world.family.channel(ServiceId::Proxy));
    let authorization = basic("einstein", &world.token);
    for path in ["/a", "/pub/a"] {
        let mut request = tonic::Request::new(check("GET", path, &[("authorization", &*authorization)]));
        for name in ["x-forwarded-for", "x-doorward-source"] {
            request.metadata_mut().insert(name, MetadataValue::from_static("192.0.2.7"));
        }
        let refused = client.check(request).await.expect_err("an address that is not named");
        assert_eq!(refused.code(), Code::PermissionDenied, "{path}");
        assert!(refused.message().contains("PROXY_TRUSTED_PROXIES"), "{refused}");
    }
    assert!(world.backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_grpc_check_is_answered() {
    let world = behind_envoy("edge-envoy-grpc", "127.0.0.1").await;
    let mut client = AuthorizationClient::new(world.family.channel(ServiceId::Proxy));
    let authorization = basic("einstein", &world.token);
    let mut ask = async |request: CheckRequest| outcome(client.check(request).await.expect("answers").into_inner());
    for (method, path, headers, code, status) in [
        ("GET", "/pub/a", vec![], 0, None),
        ("GET", "/a", vec![], 16, Some(401)),
        ("GET", "/a", vec![("authorization", "Basic eDp5")], 16, Some(401)),
        ("GET", "/admin", vec![("authorization", &*authorization)], 7, Some(403)),
        ("GET", "/internal", vec![], 0, None),
        ("GET", "", vec![("authorization", &*authorization)], 3, Some(400)),
        ("GET", "/pub/..%2fadmin", vec![], 3, Some(400)),
        ("", "/pub", vec![], 3, Some(400)),
        ("G T", "/pub", vec![], 3, Some(400)),
    ] {
        let (found, refused, answer) = ask(check(method, path, &headers)).await;
        assert_eq!((found, refused), (code, status), "{method} {path}: {answer:?}");
    }
    assert_eq!(outcome(ask(CheckRequest::default()).await.2).0, 3, "nothing at all is refused");

    let long = "x".repeat(64 * 1024);
    let forged = [(":path", "/pub"), ("x-access-token", "forged"), ("remote_user", "admin"), ("x-long", &*long)];
    let headers: Vec<_> = forged.into_iter().chain([("authorization", &*authorization)]).collect();
    let (code, _, answer) = ask(check("GET", "/a?q=1", &headers)).await;
    assert_eq!(code, 0);
    let Some(HttpResponse::OkResponse(ok)) = answer.http_response else { panic!("it passes") };
    assert_eq!(ok.headers_to_remove, ["remote_user"]);
    let [set] = &ok.headers[..] else { panic!("one header is set") };
    let header = set.header.as_ref().expect("a header");
    assert_eq!((header.key.as_str(), set.append_action), ("x-access-token", 2), "it overwrites");
    assert_eq!(world.family.who_am_i(&header.value).await.expect("good").username, "einstein");
}

const SECRET: &str = "an-api-server-proves-itself-with-this";

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_token_review_is_answered() {
    note_secret(SECRET);
    let world = World::start_with("edge-kubernetes", |layout| {
        layout.set("PROXY_TOKEN_REVIEW_SECRET", SECRET);
        layout.set("PROXY_TOKEN_REVIEW_AUDIENCES", "https://kubernetes.default.svc,doorward");
    })
    .await;
    let partial = world.token_for("profile").await;
    let ask = async |version: &str, token: &str, audiences: Value| {
        let spec = json!({ "token": token, "audiences": audiences });
        let question =
            json!({ "apiVersion": format!("authentication.k8s.io/{version}"), "kind": "TokenReview", "spec": spec });
        let request = client().post(world.url("/tokenreview")).bearer_auth(SECRET).json(&question);
        request.send().await.expect("answers")
    };
    for version in ["v1", "v1beta1"] {
        let answer: Value = ask(version, &world.token, json!(["doorward", "other"])).await.json().await.expect("JSON");
        assert_eq!(answer["apiVersion"], format!("authentication.k8s.io/{version}"));
        assert_eq!(answer["kind"], "TokenReview");
        assert_eq!(answer["status"]["authenticated"], true, "{answer}");
        assert_eq!(answer["status"]["user"]["username"], "einstein");
        assert!(answer["status"]["user"]["uid"].as_str().is_some_and(|uid| !uid.is_empty()));
        assert_eq!(answer["status"]["audiences"], json!(["doorward"]), "those in common");
    }
    for (token, audiences) in [
        ("wrong", json!(["doorward"])),
        ("", json!(["doorward"])),
        (&*world.token, json!(["other"])),
        (&*partial, json!(["doorward"])),
    ] {
        let answer: Value = ask("v1", token, audiences).await.json().await.expect("JSON");
        assert_eq!(answer["status"]["authenticated"], false, "{answer}");
        assert!(answer["status"]["user"].is_null() && answer["status"]["error"].is_string(), "{answer}");
    }
    assert_eq!(ask("v2", &world.token, json!([])).await.status(), StatusCode::BAD_REQUEST);
    let stranger = client().post(world.url("/tokenreview")).bearer_auth("guessed").body("{}").send().await;
    assert_eq!(stranger.expect("answers").status(), StatusCode::UNAUTHORIZED);
    let odd = client().post(world.url("/tokenreview")).bearer_auth(SECRET).body("{").send().await;
    assert_eq!(odd.expect("answers").status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_endpoints_that_are_off_answer_404_and_reach_no_backend() {
    let backend = Backend::start().await;
    let routes = format!("routes: [{{ path: /, backend: 'http://{}', unprotected: true }}]", backend.address);
    let world = World::start_with("edge-no-doors", |layout| {
        let file = layout.folder().join("catch-all.yaml");
        std::fs::write(&file, routes).expect("the folder can be written to");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
        layout.set("PROXY_ENABLE_PRESIGNEDURLS", "false");
    })
    .await;
    let line = format!("Authorization: {}", basic("einstein", &world.token));
    for path in [
        "/verify",
        "/verify/",
        "/verify/pub/a",
        "/verify?a=b",
        "/%76erify",
        "/tokenreview",
        "/tokenreview/a",
        "/_doorward",
        "/_doorward/login",
        "/_doorward/callback?code=a&state=b",
        "/_doorward/logout",
        "/_doorward/backchannel_logout",
        "/_doorward/anything",
        "/ocs/v1.php/cloud/user/signing-key",
        "/ocs/v2.php/cloud/user/signing-key?format=json",
        "/ocs/v1.php/cloud/user/signing%2Dkey",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let reply = raw::request(world.edge, &format!("{method} {path}"), &[&line]).await;
            assert_eq!((reply.status(), backend.take().len()), (404, 0), "{method} {path}");
        }
    }
    for path in ["/verify-mail", "/tokenreviews", "/_doorwards", "/ocs/v1.php/cloud/user"] {
        let reply = raw::request(world.edge, &format!("GET {path}"), &[]).await;
        assert_eq!((reply.status(), backend.take().len()), (200, 1), "{path} is the application's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_answers_404_to_addresses_outside_trusted_proxies() {
    let world = World::start_with("edge-verify-strangers", |layout| {
        layout.set("PROXY_VERIFY_PROXY", "nginx");
        layout.set("PROXY_TRUSTED_PROXIES", "192.0.2.7");
    })
    .await;
    let line = format!("Authorization: {}", basic("einstein", &world.token));
    for more in [&[&*line][..], &[&line, "X-Forwarded-For: 192.0.2.7"], &[]] {
        let reply = nginx(&world, "/a", more).await;
        assert_eq!(reply.status(), 404, "{reply:?}");
        assert!(reply.header("x-access-token").is_empty() && reply.header("www-authenticate").is_empty());
    }
    assert!(world.backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_and_check_compare_hosts_without_trailing_dot() {
    let backend = Backend::start().await;
    let access = "access: [{ host: admin.example, action: deny }, { host: open.example, action: allow }]";
    let world = World::start_with("edge-verify-hosts", |layout| {
        let file = layout.folder().join("hosts.yaml");
        let routes = format!("routes: [{{ path: /, backend: 'http://{}' }}]\n{access}", backend.address);
        std::fs::write(&file, routes).expect("the folder can be written to");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
        layout.set("PROXY_VERIFY_PROXY", "caddy");
        layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
    })
    .await;
    let mut envoy = AuthorizationClient::new(world.family.channel(ServiceId::Proxy));
    let line = format!("Authorization: {}", basic("einstein", &world.token));
    for (host, status) in [
        ("admin.example.", 403),
        ("Admin.Example.:80", 403),
        ("open.example.", 200),
        ("admin.example..", 400),
        ("a b", 400),
        ("", 400),
    ] {
        let host_line = format!("X-Forwarded-Host: {host}");
        let headers = ["X-Forwarded-Uri: /a", "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", &host_line, &line];
        assert_eq!(raw::request(world.edge, "GET /verify", &headers).await.status(), status, "{host}");
        let mut request = check("GET", "/a", &[]);
        let http = request.attributes.as_mut().and_then(|attributes| attributes.request.as_mut()?.http.as_mut());
        host.clone_into(&mut http.expect("a request").host);
        let (code, refused, _) = outcome(envoy.check(request).await.expect("answers").into_inner());
        let expected = if status == 200 { (0, None) } else { (if status == 400 { 3 } else { 7 }, Some(status.into())) };
        assert_eq!((code, refused), expected, "{host}");
    }
}

/// Row E49.
#[tokio::test(flavor = "multi_thread")]
async fn check_removes_unverified_credentials_and_own_cookies() {
    let world = World::start_with("edge-envoy-credentials", |layout| {
        layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
        layout.set("PROXY_GUEST_LINKS_ENABLED", "true");
    })
    .await;
    let mut client = AuthorizationClient::new(world.family.channel(ServiceId::Proxy));
    let authorization = basic("einstein", &world.token);
    for (path, cookies, removed, set) in [
        ("/pub/a", "a=1; __Host-doorward=x", &["authorization"][..], Some("a=1")),
        ("/pub/a", "doorward=x", &["authorization", "cookie"], None),
        ("/kept/pub", "a=1", &[], None),
        ("/open/pub", "a=1", &[], None),
        ("/a", "a=1; doorward-login-x=y", &[], Some("a=1")),
        ("/a", "a=1", &[], None),
        ("/a", "a=1; __Host-oc_guest_session=x", &[], Some("a=1")),
        ("/b", "__Host-oc_guest_session=x", &["cookie"], None),
        ("/magic_guest_link_auth/a", "a=1; __Host-oc_guest_session=x", &[], None),
    ] {
        let request = check("GET", path, &[("authorization", &*authorization), ("cookie", cookies), ("x-a", "1")]);
        let (_, _, answer) = outcome(client.check(request).await.expect("answers").into_inner());
        let Some(HttpResponse::OkResponse(ok)) = answer.http_response else { panic!("it passes: {path}") };
        assert_eq!(ok.headers_to_remove, removed, "{path} {cookies}");
        let found = ok.headers.iter().filter_map(|option| option.header.as_ref()).find(|header| header.key == "cookie");
        assert_eq!(found.map(|header| header.value.as_str()), set, "{path} {cookies}");
    }
}
