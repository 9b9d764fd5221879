//! Answers that come while a client is still sending.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::edge::world::{World, basic};

const ATTEMPTS: usize = 20;
const LENGTH: usize = 1024 * 1024;
/// The length of the body of a backend's answer, in bytes.
const BODY: usize = 2000;

/// The status that a client gets which sends everything before it reads; 0 if the connection breaks, or the answer is not whole.
async fn status(address: SocketAddr, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("the edge listens");
    if stream.write_all(request).await.is_err() {
        return 0;
    }
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return 0,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
        }
        if let Some(status) = status_of(&String::from_utf8_lossy(&answer)) {
            return status;
        }
    }
}

/// The status of an answer, if it is whole.
fn status_of(answer: &str) -> Option<u16> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok();
    let is_whole = head.lines().find_map(length) == Some(body.len());
    is_whole.then(|| head.get(9..12)?.parse().ok())?
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

/// What a backend does with an upload whose head it has read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It answers, and reads the rest.
    Drains,
    /// It answers, and closes the connection, which resets it.
    Resets,
    /// It closes the connection without an answer.
    Dies,
}

/// A backend that answers with the status that the request's path names, without reading the body before.
#[derive(Clone)]
struct Early {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Early {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let early = Self { address: listener.local_addr().expect("an address"), requests: Arc::default() };
        let requests = Arc::clone(&early.requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                tokio::spawn(answer(stream, manner, Arc::clone(&requests)));
            }
        });
        early
    }

    /// The edge before it.
    async fn behind_edge(&self, name: &str) -> World {
        let backend = self.address;
        World::start_with(name, |layout| {
            let routes = format!("routes:\n  - {{ path: /, backend: 'http://{backend}' }}\n");
            std::fs::write(layout.folder().join("routes.yaml"), routes).expect("the file can be written");
        })
        .await
    }
}

async fn answer(mut stream: TcpStream, manner: Manner, requests: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    requests.fetch_add(1, Ordering::AcqRel);
    if manner == Manner::Dies {
        return;
    }
    let status = String::from_utf8_lossy(&head).split(['/', ' ']).nth(2).expect("a path").to_owned();
    let body = "x".repeat(BODY);
    let answer = format!("HTTP/1.1 {status} Early\r\nContent-Length: {BODY}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.expect("the answer fits into the socket");
    if manner == Manner::Drains {
        let _ = stream.shutdown().await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn early_answers_of_backends_reach_the_client() {
    for (name, manner) in [("edge-early-drains", Manner::Drains), ("edge-early-resets", Manner::Resets)] {
        let world = Early::start(manner).await.behind_edge(name).await;
        let authorization = basic("einstein", &world.token);
        for status in [401, 413, 507] {
            let path = format!("/{status}");
            let request = upload(&path, Some(&authorization), LENGTH);
            assert_eq!(statuses(world.edge, &request).await, [status; ATTEMPTS], "{name}: a stated length");
            let request = chunked(&path, &authorization, LENGTH);
            assert_eq!(statuses(world.edge, &request).await, [status; ATTEMPTS], "{name}: chunked");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_to_a_backend_that_crashes_is_answered_with_502_and_sent_once() {
    let early = Early::start(Manner::Dies).await;
    let world = early.behind_edge("edge-dying-backend").await;
    let authorization = basic("einstein", &world.token);
    let put = upload("/a", Some(&authorization), LENGTH);
    let post = [&b"POST"[..], &put[3..]].concat();
    for request in [put, post, chunked("/a", &authorization, LENGTH)] {
        let before = early.requests.load(Ordering::Acquire);
        assert_eq!(statuses(world.edge, &request).await, [502; ATTEMPTS]);
        assert_eq!(early.requests.load(Ordering::Acquire) - before, ATTEMPTS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_upload_is_answered_with_408() {
    let world = World::start("edge-stalled").await;
    let authorization = basic("einstein", &world.token);
    let request = upload("/impatient", Some(&authorization), LENGTH);
    assert_eq!(status(world.edge, &request[..LENGTH / 2]).await, 408);
}
