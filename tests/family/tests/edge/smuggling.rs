//! Row E4: requests that two servers could divide differently. Each is refused and the connection closed, or reaches the backend as
//! one request that means what the edge has decided on.

use std::fmt::Write as _;

use serde_json::Value;

use crate::edge::raw;
use crate::edge::world::World;

const HEAD: &str = "POST /pub/one HTTP/1.1\r\nHost: cloud.example\r\n";
const HIDDEN: &str = "GET /admin/hidden HTTP/1.1\r\nHost: cloud.example\r\n\r\n";

/// What each is called, what follows the request line and host, and how many bytes of body the backend may see if it passes.
fn cases() -> Vec<(&'static str, String)> {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let framed = |headers: &str, body: &str| format!("{HEAD}{headers}\r\n{body}");
    let length = HIDDEN.len();
    vec![
        ("CL.TE", framed(&format!("Content-Length: {}\r\n{chunked}", length + 5), &format!("0\r\n\r\n{HIDDEN}"))),
        ("TE.CL", framed(&format!("{chunked}Content-Length: 4\r\n"), &format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n"))),
        (
            "TE of an unknown kind",
            framed(&format!("Transfer-Encoding: xchunked\r\nContent-Length: {length}\r\n"), HIDDEN),
        ),
        ("TE identity", framed(&format!("Transfer-Encoding: identity\r\nContent-Length: {length}\r\n"), HIDDEN)),
        ("TE chunked, identity", framed("Transfer-Encoding: chunked, identity\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        (
            "TE chunked twice in a line",
            framed("Transfer-Encoding: chunked, chunked\r\n", &format!("0\r\n\r\n{HIDDEN}")),
        ),
        ("TE in quotes", framed("Transfer-Encoding: \"chunked\"\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        ("TE with a space before the colon", framed("Transfer-Encoding : chunked\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        ("TE folded", framed("Transfer-Encoding:\r\n chunked\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        ("TE with a vertical tab", framed("Transfer-Encoding: \u{b}chunked\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        ("TE and another TE", framed(&format!("{chunked}Transfer-Encoding: x\r\n"), &format!("0\r\n\r\n{HIDDEN}"))),
        (
            "TE with a lower and an upper case twin",
            framed("transfer-encoding: x\r\nTRANSFER-ENCODING: chunked\r\n", &format!("0\r\n\r\n{HIDDEN}")),
        ),
        ("CL twice, different", framed(&format!("Content-Length: 0\r\nContent-Length: {length}\r\n"), HIDDEN)),
        ("CL a list", framed(&format!("Content-Length: 0, {length}\r\n"), HIDDEN)),
        ("CL with a sign", framed(&format!("Content-Length: +{length}\r\n"), HIDDEN)),
        ("CL negative", framed("Content-Length: -1\r\n", HIDDEN)),
        ("CL hexadecimal", framed("Content-Length: 0x10\r\n", HIDDEN)),
        ("CL too large for any number", framed("Content-Length: 99999999999999999999\r\n", HIDDEN)),
        ("CL with a space in it", framed("Content-Length: 1 0\r\n", HIDDEN)),
        ("CL empty", framed("Content-Length: \r\n", HIDDEN)),
        ("CL with a space before the colon", framed(&format!("Content-Length : {length}\r\n"), HIDDEN)),
        ("a folded header", framed(&format!("X-A: b\r\n\tc\r\nContent-Length: {length}\r\n"), HIDDEN)),
        ("a line without a colon", framed(&format!("X-A\r\nContent-Length: {length}\r\n"), HIDDEN)),
        ("a name with a space", framed(&format!("X A: b\r\nContent-Length: {length}\r\n"), HIDDEN)),
        ("a name that is empty", framed(&format!(": b\r\nContent-Length: {length}\r\n"), HIDDEN)),
        ("a value with NUL", framed(&format!("X-A: b\0\r\nContent-Length: {length}\r\n"), HIDDEN)),
        ("a value with a bare CR", framed(&format!("X-A: b\rContent-Length: {length}\r\n"), HIDDEN)),
        ("bare LF between headers", framed(&format!("X-A: b\nContent-Length: {length}\n"), HIDDEN)),
        ("a chunk's length with a sign", framed(chunked, &format!("+0\r\n\r\n{HIDDEN}"))),
        ("a chunk's length with 0x", framed(chunked, &format!("0x0\r\n\r\n{HIDDEN}"))),
        ("a chunk's length too large for any number", framed(chunked, &format!("ffffffffffffffffff\r\n\r\n{HIDDEN}"))),
        ("a chunk without its end", framed(chunked, &format!("1\r\nab0\r\n\r\n{HIDDEN}"))),
        ("a chunk's extension with a line break", framed(chunked, &format!("0;a\nb\r\n\r\n{HIDDEN}"))),
        (
            "trailers that frame",
            framed(chunked, "0\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nHost: evil.example\r\n\r\n"),
        ),
        ("TE in HTTP/1.0", format!("POST /pub/one HTTP/1.0\r\nHost: cloud.example\r\n{chunked}\r\n0\r\n\r\n{HIDDEN}")),
        ("a request line of HTTP/0.9", format!("GET /pub/one\r\n{HIDDEN}")),
        ("a version that there is none of", format!("GET /pub/one HTTP/1.9\r\nHost: cloud.example\r\n\r\n{HIDDEN}")),
        ("two hosts", format!("GET /pub/one HTTP/1.1\r\nHost: cloud.example\r\nHost: evil.example\r\n\r\n{HIDDEN}")),
        ("no host", format!("GET /pub/one HTTP/1.1\r\nX-A: b\r\n\r\n{HIDDEN}")),
        (
            "a target that contradicts the host",
            format!("GET http://evil.example/pub/one HTTP/1.1\r\nHost: cloud.example\r\n\r\n{HIDDEN}"),
        ),
        ("a tunnel", format!("CONNECT cloud.example:80 HTTP/1.1\r\nHost: cloud.example:80\r\n\r\n{HIDDEN}")),
        ("a target with a space", format!("GET /pub/one /admin HTTP/1.1\r\nHost: cloud.example\r\n\r\n{HIDDEN}")),
        (
            "white space before the first header",
            format!("GET /pub/one HTTP/1.1\r\n Host: cloud.example\r\n\r\n{HIDDEN}"),
        ),
        (
            "an upgrade to h2c",
            "GET /pub/one HTTP/1.1\r\nHost: cloud.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n".to_owned(),
        ),
    ]
}

/// Row E4.
#[tokio::test(flavor = "multi_thread")]
async fn request_smuggling_is_refused() {
    let world = World::start("edge-smuggling").await;
    let mut table = String::new();
    let cases = cases();
    assert!(cases.len() >= 30, "{}", cases.len());
    for (name, bytes) in cases {
        let reply = raw::send(world.edge, bytes.as_bytes()).await;
        let seen = world.backend.take();
        let targets: Vec<&str> = seen.iter().filter_map(|seen| seen["target"].as_str()).collect();
        let end = if reply.closed { ", closed" } else { "" };
        writeln!(table, "{name}: {:?}{end}, backend {targets:?}", reply.statuses()).expect("text can be written to");
        assert!(targets.iter().all(|target| *target == "/pub/one"), "{name}: {table}");
        assert!(seen.len() <= 1, "{name}: {table}");
        match seen.first() {
            None => {
                assert!(matches!(reply.status(), 400 | 405), "{name}: {reply:?}");
                assert!(reply.closed && reply.statuses().len() == 1, "{name}: refused and not closed: {reply:?}");
            }
            Some(seen) => is_one_request(name, seen),
        }
    }
    eprintln!("{table}");
}

/// Requests that reach the backend are framed in one way and carry no identity.
fn is_one_request(name: &str, seen: &Value) {
    let names: Vec<&str> =
        seen["headers"].as_array().expect("headers").iter().filter_map(|pair| pair[0].as_str()).collect();
    let framings = names.iter().filter(|name| matches!(**name, "content-length" | "transfer-encoding")).count();
    assert!(framings <= 1, "{name}: {names:?}");
    assert_eq!(names.iter().filter(|name| **name == "host").count(), 1, "{name}");
    assert!(
        !names.iter().any(|name| matches!(*name, "upgrade" | "http2-settings" | "x-access-token")),
        "{name}: {names:?}"
    );
}
