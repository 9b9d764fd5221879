//! How much a listener takes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::Listener;
use crate::App;
use crate::testing::{Sections, anywhere, ask, context, echoing};

/// How many connections wait in the test, at most.
const WAITING: usize = 512;

/// As many connections wait to be accepted as the system allows; the standard library's own limit is 128.
#[tokio::test]
async fn connections_wait_up_to_the_systems_limit() {
    let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("Linux tells its limit");
    let limit: usize = limit.trim().parse().expect("a number");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("socket");
    let tcp = Listener::bind(&anywhere(), None).await.expect("binds").expect("listens");
    let _unix = Listener::bind(&config::ListenAddr::Unix(path.clone()), None).await.expect("binds").expect("listens");
    let addr = tcp.addr().expect("TCP");
    let mut waiting = Vec::new();
    for number in 0..limit.min(WAITING) {
        let connected = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(addr)).await;
        waiting.push(connected.unwrap_or_else(|_| panic!("connection {number} hangs")).expect("connects"));
    }
    let mut waiting = Vec::new();
    for number in 0..limit.min(WAITING) {
        let connected = tokio::net::UnixStream::connect(&path).await;
        waiting.push(connected.unwrap_or_else(|problem| panic!("connection {number}: {problem}")));
    }
}

#[tokio::test]
async fn headers_up_to_the_configured_size_are_accepted() {
    let router = || axum::Router::new().route("/", axum::routing::get(async || "read"));
    let status = async |sections: &Sections, size: usize| {
        let app = App { http: Some(router().into()), ..App::default() };
        let running = sections.serve(app, &context()).await.expect("starts");
        let addr = running.http.expect("serves HTTP");
        let answer = ask(addr, "GET", "/", &format!("Authorization: Bearer {}\r\n", "a".repeat(size))).await;
        running.stop().await;
        answer.split(' ').nth(1).map(ToOwned::to_owned).expect("a status")
    };
    let mut sections = Sections::default();
    assert_eq!(status(&sections, 17 * 1024).await, "200");
    assert_eq!(status(&sections, 31 * 1024).await, "200");
    assert_eq!(status(&sections, 40 * 1024).await, "431");
    sections.http.max_header_size = 64 * 1024;
    assert_eq!(status(&sections, 60 * 1024).await, "200");
    sections.http.max_header_size = 8 * 1024;
    assert_eq!(status(&sections, 12 * 1024).await, "431");
}

/// The values of the server's first SETTINGS frame (RFC 9113 6.5).
async fn settings(addr: std::net::SocketAddr) -> Vec<(u16, u32)> {
    let mut stream = TcpStream::connect(addr).await.expect("connects");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("greets");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4, "SETTINGS");
    let mut values = vec![0; usize::from(head[1]) * 256 + usize::from(head[2])];
    stream.read_exact(&mut values).await.expect("its values");
    let value = |pair: &[u8]| {
        let (name, value) = (u16::from_be_bytes([pair[0], pair[1]]), [pair[2], pair[3], pair[4], pair[5]]);
        (name, u32::from_be_bytes(value))
    };
    values.chunks(6).map(value).collect()
}

#[tokio::test]
async fn http2_settings_grant_a_mebibyte_a_stream_and_the_configured_headers() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    const MAX_HEADER_LIST_SIZE: u16 = 6;
    let mut sections = Sections::default();
    sections.grpc.max_header_size = 48 * 1024;
    let app = App { http: Some(axum::Router::new().into()), ..echoing() };
    let running = sections.serve(app, &context()).await.expect("starts");
    let (http, grpc) = (running.http.expect("serves HTTP"), running.grpc.expect("serves gRPC"));
    for (addr, headers) in [(http, 32 * 1024), (grpc, 48 * 1024)] {
        let settings = settings(addr).await;
        let of = |name| settings.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        assert!(of(INITIAL_WINDOW_SIZE) >= Some(1024 * 1024), "{settings:?}");
        assert_eq!(of(MAX_HEADER_LIST_SIZE), Some(headers), "{settings:?}");
    }
    running.stop().await;
}
