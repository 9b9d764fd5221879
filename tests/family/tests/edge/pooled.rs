//! Backends that close a connection of the edge's pool at the moment in which the edge uses it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::edge::raw;
use crate::edge::world::{World, client};

/// How often a test tries to find a connection in the pool: one may be on its way back there.
const TRIES: usize = 50;

/// A backend that answers one request on each connection, and closes the connection when it has read the head of the next one.
#[derive(Clone, Default)]
struct Forgetful(Arc<Seen>);

#[derive(Default)]
struct Seen {
    /// Requests that were read and not answered.
    dropped: AtomicUsize,
    /// The heads of all requests.
    heads: Mutex<Vec<String>>,
}

impl Forgetful {
    async fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let backend = Self::default();
        let serving = backend.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        (backend, address)
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some(head) = self.head(&mut stream).await else { return };
        if !head.contains("/never") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.expect("the body comes");
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("the edge reads");
            let Some(head) = self.head(&mut stream).await else { return };
            if head.contains("/whole") {
                stream.read_u8().await.expect("the body begins");
            }
        }
        self.0.dropped.fetch_add(1, Ordering::AcqRel);
    }

    async fn head(&self, stream: &mut TcpStream) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
        self.0.heads.lock().expect("no test panics with it").push(head.clone());
        Some(head)
    }

    fn dropped(&self) -> usize {
        self.0.dropped.load(Ordering::Acquire)
    }

    fn seen(&self, line: &str) -> usize {
        let heads = self.0.heads.lock().expect("no test panics with it");
        heads.iter().filter(|head| head.starts_with(&line.to_ascii_lowercase())).count()
    }
}

async fn start(name: &str) -> (World, Forgetful) {
    let (backend, address) = Forgetful::start().await;
    let world = World::start_with(name, |layout| {
        let file = layout.folder().join("forgetful.yaml");
        let text = format!("routes: [{{ path: /, backend: 'http://{address}', unprotected: true }}]\n");
        std::fs::write(&file, text).expect("the file can be written");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
    })
    .await;
    (world, backend)
}

/// Asks until a request was dropped; the statuses of all answers.
async fn until_dropped(world: &World, backend: &Forgetful, method: &str, path: &str) -> Vec<StatusCode> {
    let (before, client, method) = (backend.dropped(), client(), method.parse::<Method>().expect("a method"));
    let mut statuses = Vec::new();
    while backend.dropped() == before && statuses.len() < TRIES {
        let answer = client.request(method.clone(), world.url(path)).send().await.expect("the edge answers");
        statuses.push(answer.status());
    }
    assert!(backend.dropped() > before, "{method}: no pooled connection was used");
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotent_request_is_sent_again_when_a_pooled_connection_was_closed() {
    let (world, backend) = start("edge-pooled").await;
    for method in ["GET", "HEAD", "OPTIONS", "PROPFIND", "PUT"] {
        let statuses = until_dropped(&world, &backend, method, &format!("/{method}")).await;
        assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{method}: {statuses:?}");
        assert_eq!(backend.seen(&format!("{method} /{method} ")), statuses.len() + 1, "{method} was sent once more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_may_not_be_repeated_is_sent_once() {
    let (world, backend) = start("edge-pooled-once").await;
    for method in ["POST", "DELETE", "PATCH", "MOVE", "MKCOL"] {
        let statuses = until_dropped(&world, &backend, method, &format!("/{method}")).await;
        assert_eq!(statuses.last(), Some(&StatusCode::BAD_GATEWAY), "{method}: {statuses:?}");
        assert_eq!(backend.seen(&format!("{method} /{method} ")), statuses.len(), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_is_sent_again_once_and_never_after_a_fresh_connection() {
    let (world, backend) = start("edge-pooled-twice").await;
    let status = client().get(world.url("/never")).send().await.expect("the edge answers").status();
    assert_eq!((status, backend.seen("get /never ")), (StatusCode::BAD_GATEWAY, 1), "its connection was fresh");
    for _ in 0..TRIES {
        client().get(world.url("/first")).send().await.expect("the edge answers");
        let before = backend.seen("get /never ");
        let status = client().get(world.url("/never")).send().await.expect("the edge answers").status();
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        match backend.seen("get /never ") - before {
            1 => {}
            sent => return assert_eq!(sent, 2, "a request is repeated once"),
        }
    }
    panic!("no pooled connection was used");
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_is_retried_only_before_its_body_is_read() {
    let (world, backend) = start("edge-pooled-upload").await;
    let head = "PUT /late HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
    let mut is_dropped = false;
    for _ in 0..TRIES {
        let (before, sent) = (backend.dropped(), backend.seen("put /late "));
        client().get(world.url("/first")).send().await.expect("the edge answers");
        let mut stream = TcpStream::connect(world.edge).await.expect("the edge listens");
        stream.write_all(head.as_bytes()).await.expect("is read");
        tokio::time::sleep(Duration::from_millis(200)).await;
        stream.write_all(b"abc").await.expect("is read");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("text");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        if backend.dropped() > before {
            assert_eq!(backend.seen("put /late "), sent + 2);
            is_dropped = true;
            break;
        }
    }
    assert!(is_dropped, "no pooled connection was used");
    let whole = format!("{}abc", head.replace("/late", "/whole"));
    for _ in 0..TRIES {
        client().get(world.url("/first")).send().await.expect("the edge answers");
        let before = backend.dropped();
        let status = raw::send(world.edge, whole.as_bytes()).await.status();
        if backend.dropped() > before {
            assert_eq!(status, 502, "what was read cannot be sent again");
            return;
        }
    }
    panic!("no pooled connection was used");
}
