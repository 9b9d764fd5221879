//! Answers that come while a client is still sending.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{World, basic};

const ATTEMPTS: usize = 20;
const LENGTH: usize = 1024 * 1024;

/// The status that a client gets which sends everything before it reads; 0 if the connection breaks.
async fn status(address: SocketAddr, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("the edge listens");
    if stream.write_all(request).await.is_err() {
        return 0;
    }
    let mut answer = [0; 12];
    match stream.read_exact(&mut answer).await {
        Ok(_) => String::from_utf8_lossy(&answer[9..]).parse().unwrap_or_default(),
        Err(_) => 0,
    }
}

async fn statuses(address: SocketAddr, request: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..ATTEMPTS {
        statuses.push(status(address, request).await);
    }
    statuses
}

fn upload(path: &str, authorization: Option<&str>, length: usize) -> Vec<u8> {
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: a\r\n{authorization}Content-Length: {length}\r\n\r\n");
    let mut request = head.into_bytes();
    request.resize(request.len() + length, b'x');
    request
}

fn chunked(path: &str, authorization: &str, length: usize) -> Vec<u8> {
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let mut request = head.into_bytes();
    for _ in 0..length / 0x1000 {
        request.extend_from_slice(chunk.as_bytes());
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_uploads_receive_their_answer() {
    let world = World::start("edge-refused-uploads").await;
    let authorization = basic("einstein", &world.token);
    for length in [64 * 1024, LENGTH] {
        assert_eq!(statuses(world.edge, &upload("/a", None, length)).await, [401; ATTEMPTS], "{length} bytes");
    }
    let too_long = upload("/short", Some(&authorization), LENGTH);
    assert_eq!(statuses(world.edge, &too_long).await, [413; ATTEMPTS], "the stated length is beyond the route's");
    let too_long = chunked("/short", &authorization, LENGTH);
    assert_eq!(statuses(world.edge, &too_long).await, [413; ATTEMPTS], "the length is found while it is sent");
}

/// A backend that answers before it has read the body, and reads the rest after that.
async fn early() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            tokio::spawn(async move {
                let mut head = [0; 16];
                let _ = stream.read_exact(&mut head).await;
                let answer = b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn early_answers_of_backends_reach_the_client() {
    let backend = early().await;
    let world = World::start_with("edge-early-answers", |layout| {
        let routes = format!("routes:\n  - {{ path: /, backend: 'http://{backend}' }}\n");
        std::fs::write(layout.folder().join("routes.yaml"), routes).expect("the file can be written");
    })
    .await;
    let request = upload("/a", Some(&basic("einstein", &world.token)), 4 * LENGTH);
    assert_eq!(statuses(world.edge, &request).await, [507; ATTEMPTS]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_upload_is_answered_with_408() {
    let world = World::start("edge-stalled").await;
    let authorization = basic("einstein", &world.token);
    let request = upload("/impatient", Some(&authorization), LENGTH);
    assert_eq!(status(world.edge, &request[..LENGTH / 2]).await, 408);
}
