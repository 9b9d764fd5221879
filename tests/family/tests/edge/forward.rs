//! What reaches a backend, and what comes back.

use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::edge::backend::header;
use crate::edge::raw;
use crate::edge::world::{World, basic, client};

const FORGED: [&str; 14] = [
    "X-Access-Token: forged",
    "x_access_token: forged",
    "X.Access.Token: forged",
    "X-Access-Token: forged again",
    "Remote-User: admin",
    "Remote_User: admin",
    "X-Remote-User: admin",
    "X-Forwarded-User: admin",
    "X-Forwarded-Groups: admins",
    "X-Auth-Request-Email: admin@example.org",
    "X-WebAuth-User: admin",
    "X-Machine-Auth-Api-Key: forged",
    "X-Original-URI: /pub",
    "X-HTTP-Method-Override: DELETE",
];

fn forged(seen: &Value) -> Vec<String> {
    let headers =
        seen["headers"].as_array().expect("headers").iter().chain(seen["trailers"].as_array().expect("trailers"));
    let is_forged = |value: &str| value.starts_with("forged") || value.contains("admin") || value == "DELETE";
    headers.filter(|pair| pair[1].as_str().is_some_and(is_forged)).map(Value::to_string).collect()
}

/// Rows E1 and E2.
#[tokio::test(flavor = "multi_thread")]
async fn identity_headers_of_clients_are_removed_on_every_route() {
    let world = World::start("edge-headers").await;
    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    for (target, has_token) in [("/a", true), ("/pub/a", false), ("/open/a", false)] {
        for line in [&*authorization, "X-Nothing: 1"] {
            let connection = ["Connection: x-access-token, close", line];
            let headers: Vec<&str> = FORGED.iter().copied().chain(connection).collect();
            let reply = raw::request(world.edge, &format!("GET {target}"), &headers).await;
            let seen = world.backend.take();
            if has_token && line != authorization {
                assert_eq!((reply.status(), seen.len()), (401, 0), "{target}");
                continue;
            }
            assert_eq!((reply.status(), seen.len()), (200, 1), "{target}: {reply:?}");
            assert!(forged(&seen[0]).is_empty(), "{target}: {:?}", forged(&seen[0]));
            let tokens = header(&seen[0], "x-access-token");
            assert_eq!(tokens.len(), usize::from(has_token), "{target}: {seen:?}");
            if let [token] = &tokens[..] {
                assert_eq!(world.family.who_am_i(token).await.expect("the token is good").username, "einstein");
            }
        }
    }
}

/// Row E1.
#[tokio::test(flavor = "multi_thread")]
async fn identity_headers_in_trailers_are_removed() {
    let world = World::start("edge-trailers").await;
    let request = "POST /pub/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-access-token, x-sum\r\n\
                   Connection: close\r\n\r\n3\r\nabc\r\n0\r\nX-Access-Token: forged\r\nX-Sum: 1\r\n\r\n";
    assert_eq!(raw::send(world.edge, request.as_bytes()).await.status(), 200);
    let seen = world.backend.take();
    assert_eq!(seen[0]["length"], 3);
    assert!(forged(&seen[0]).is_empty(), "{seen:?}");
}

/// Row E3.
#[tokio::test(flavor = "multi_thread")]
async fn forwarded_headers_of_untrusted_clients_are_ignored() {
    let world = World::start("edge-forwarded").await;
    let forwarded =
        ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7", "X-Real-IP: 192.0.2.7", "X-Forwarded-Proto: https"];
    let reply = raw::request(world.edge, "GET /internal", &forwarded).await;
    assert_eq!(reply.status(), 403, "the rule is for 192.0.2.0/24");
    assert_eq!(raw::request(world.edge, "GET /pub", &forwarded).await.status(), 200);
    let seen = world.backend.take();
    assert_eq!(header(&seen[0], "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(header(&seen[0], "x-forwarded-proto"), ["http"]);
    assert_eq!(header(&seen[0], "x-forwarded-host"), ["cloud.example"]);
    assert!(header(&seen[0], "forwarded").is_empty() && header(&seen[0], "x-real-ip").is_empty());
}

/// Row E3.
#[tokio::test(flavor = "multi_thread")]
async fn forwarded_headers_of_a_trusted_proxy_are_used() {
    let world = World::start_with("edge-trusted", |layout| layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1")).await;
    let forwarded = ["X-Forwarded-For: 1.2.3.4, 192.0.2.7"];
    assert_eq!(raw::request(world.edge, "GET /internal", &forwarded).await.status(), 200);
    assert_eq!(header(&world.backend.take()[0], "x-forwarded-for"), ["192.0.2.7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_rewrite_paths_and_hop_by_hop_headers_are_removed() {
    let world = World::start("edge-routes").await;
    let line = format!("Authorization: {}", basic("einstein", &world.token));
    let headers = [
        &*line,
        "X-Old: 1",
        "X-Hop: 1",
        "Connection: x-hop",
        "TE: trailers",
        "Cookie: a=1; __Host-doorward-session=x; doorward-session=y",
    ];
    let reply = raw::request(world.edge, "PROPFIND /moved/a%20b?q=%2f", &headers).await;
    assert_eq!(reply.status(), 200, "{reply:?}");
    let seen = world.backend.take();
    assert_eq!(
        (seen[0]["method"].as_str(), seen[0]["target"].as_str()),
        (Some("PROPFIND"), Some("/base/x/a%20b?q=%2f"))
    );
    assert_eq!(header(&seen[0], "x-tenant"), ["a"]);
    assert_eq!(header(&seen[0], "cookie"), ["a=1"]);
    for gone in ["x-old", "x-hop", "te"] {
        assert!(header(&seen[0], gone).is_empty(), "{gone}");
    }
    assert_eq!((reply.header("x-frame-options"), reply.header("x-kept")), (vec!["DENY"], vec!["1"]));
    assert!(reply.header("x-hop").is_empty(), "{reply:?}");
}

/// Row E9.
#[tokio::test(flavor = "multi_thread")]
async fn requests_over_a_limit_are_refused() {
    let world = World::start("edge-limits").await;
    let status = async |line: String, headers: Vec<String>| {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        raw::request(world.edge, &line, &headers).await.status()
    };
    assert_eq!(status(format!("GET /pub/{}", "a".repeat(9000)), vec![]).await, 414);
    assert_eq!(status(format!("GET /pub?{}", "a".repeat(9000)), vec![]).await, 414);
    assert_eq!(status("GET /pub".into(), vec![format!("X-Long: {}", "a".repeat(33 * 1024))]).await, 431);
    assert_eq!(status("GET /pub".into(), (0..120).map(|at| format!("X-{at}: 1")).collect()).await, 431);
    assert!(world.backend.take().is_empty());

    let authorization = basic("einstein", &world.token);
    let post = async |body: reqwest::Body| {
        let request = client().post(world.url("/short")).header("authorization", &authorization).body(body);
        request.send().await.expect("the edge answers").status()
    };
    assert_eq!(post("0123456789".into()).await, StatusCode::OK);
    assert_eq!(post("0123456789a".into()).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.backend.take().len(), 1);
    let chunked = format!(
        "POST /short HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\nTransfer-Encoding: chunked\r\n\r\n\
         6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n"
    );
    assert_eq!(raw::send(world.edge, chunked.as_bytes()).await.status(), 413, "nor in parts");
}

/// Row E9.
#[tokio::test(flavor = "multi_thread")]
async fn endless_request_head_is_closed() {
    let world = World::start("edge-slow").await;
    let begin = std::time::Instant::now();
    let mut stream = tokio::net::TcpStream::connect(world.edge).await.expect("connects");
    stream.write_all(b"GET /pub HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.expect("writes");
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
    assert!(read.is_ok(), "it is closed after {:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_not_there_is_said_to_be_so() {
    let world = World::start("edge-gone").await;
    let line = format!("Authorization: {}", basic("einstein", &world.token));
    assert_eq!(raw::request(world.edge, "GET /gone", &[&line]).await.status(), 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_over_tls_with_a_certificate_that_is_made() {
    let world = World::start_with("edge-tls", |layout| layout.set("PROXY_TLS", "true")).await;
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().expect("a client");
    let url = world.url("/a").replace("http://", "https://");
    let answer = client.get(&url).basic_auth("einstein", Some(&world.token)).send().await.expect("answers");
    assert_eq!((answer.version(), answer.status()), (reqwest::Version::HTTP_2, StatusCode::OK));
    let seen = world.backend.take();
    assert_eq!((header(&seen[0], "x-forwarded-proto"), header(&seen[0], "host").len()), (vec!["https".to_owned()], 1));
    // refused bodies are read, so that the connection lasts
    for _ in 0..200 {
        let refused = client.post(&url).body("x".repeat(1000)).send().await.expect("the connection lasts");
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
}
