//! HTTP/2 backends that do not answer a request of the edge on a connection that is in use.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::edge::world::{World, client};

/// What a client of HTTP/2 sends first (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Types of frames (RFC 9113 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` in the static table of HPACK (RFC 7541 A).
const STATUS_200: [u8; 1] = [0x88];
const REFUSED_STREAM: u32 = 7;
/// How often a test tries to find a connection in the pool.
const TRIES: usize = 50;

/// What the backend does with the second request on a connection, and with the later ones.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Refuses its stream.
    Refuses,
    /// Goes away, and says that the first request was the last which it has processed.
    GoesAway,
    /// Goes away, says that it has processed the request, and closes the connection.
    Processes,
    /// Closes the connection.
    Closes,
    /// Answers before it has read the body, and refuses the rest of it (RFC 9113 8.1).
    AnswersEarly,
}

/// A backend that answers the first request on each connection.
#[derive(Clone)]
struct Backend {
    address: SocketAddr,
    manner: Manner,
    /// Requests that came.
    received: Arc<AtomicUsize>,
    /// Requests that were not answered.
    dropped: Arc<AtomicUsize>,
}

impl Backend {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let backend = Self { address, manner, received: Arc::default(), dropped: Arc::default() };
        let serving = backend.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    // the edge may close the connection at any time
                    let _ = serving.serve(stream).await;
                });
            }
        });
        backend
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await?;
        send(&mut stream, SETTINGS, 0, 0, &[]).await?;
        let mut requests = 0;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let mut payload = vec![0; usize::try_from(length).expect("a length")];
            stream.read_exact(&mut payload).await?;
            match (head[3], head[4]) {
                (SETTINGS, flags) if flags & ACK == 0 => send(&mut stream, SETTINGS, ACK, 0, &[]).await?,
                (HEADERS, _) => {
                    requests += 1;
                    self.received.fetch_add(1, Ordering::AcqRel);
                    if !self.answer(&mut stream, id, requests == 1).await? {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether the connection stays.
    async fn answer(&self, stream: &mut TcpStream, id: u32, is_first: bool) -> std::io::Result<bool> {
        if self.manner == Manner::AnswersEarly {
            send(stream, HEADERS, END_HEADERS, id, &STATUS_200).await?;
            send(stream, DATA, END_STREAM, id, b"early").await?;
            send(stream, RST_STREAM, 0, id, &0_u32.to_be_bytes()).await?;
            return Ok(true);
        }
        if is_first {
            send(stream, HEADERS, END_HEADERS | END_STREAM, id, &STATUS_200).await?;
            return Ok(true);
        }
        self.dropped.fetch_add(1, Ordering::AcqRel);
        match self.manner {
            Manner::Refuses => send(stream, RST_STREAM, 0, id, &REFUSED_STREAM.to_be_bytes()).await?,
            Manner::GoesAway => send(stream, GOAWAY, 0, 0, &going_away(1)).await?,
            Manner::Processes => send(stream, GOAWAY, 0, 0, &going_away(id)).await?,
            Manner::Closes | Manner::AnswersEarly => {}
        }
        Ok(!matches!(self.manner, Manner::Processes | Manner::Closes))
    }

    /// The edge before it.
    async fn behind_edge(&self, name: &str) -> World {
        let backend = self.address;
        World::start_with(name, |layout| {
            let routes =
                format!("routes: [{{ path: /, backend: 'http://{backend}', http2: true, unprotected: true }}]\n");
            std::fs::write(layout.folder().join("routes.yaml"), routes).expect("the file can be written");
        })
        .await
    }
}

async fn send(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let head = [&length[1..], &[kind, flags], &id.to_be_bytes()].concat();
    stream.write_all(&[&head[..], payload].concat()).await
}

fn going_away(last: u32) -> Vec<u8> {
    [last.to_be_bytes(), 0_u32.to_be_bytes()].concat()
}

/// Asks until a request was not answered; the last status, and how many requests came at the backend more often than they were sent.
async fn until_dropped(world: &World, backend: &Backend, method: &str) -> (StatusCode, usize) {
    let (client, method) = (client(), method.parse::<Method>().expect("a method"));
    for _ in 0..TRIES {
        let (received, dropped) = (backend.received.load(Ordering::Acquire), backend.dropped.load(Ordering::Acquire));
        let answer = client.request(method.clone(), world.url("/a")).send().await.expect("the edge answers");
        if backend.dropped.load(Ordering::Acquire) > dropped {
            return (answer.status(), backend.received.load(Ordering::Acquire) - received - 1);
        }
        assert_eq!(answer.status(), StatusCode::OK);
    }
    panic!("no connection was used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_an_http2_backend_has_not_processed_is_sent_again() {
    for (name, manner) in [("edge-h2c-refused", Manner::Refuses), ("edge-h2c-away", Manner::GoesAway)] {
        let backend = Backend::start(manner).await;
        let world = backend.behind_edge(name).await;
        for method in ["GET", "PROPFIND", "POST", "DELETE"] {
            let outcome = until_dropped(&world, &backend, method).await;
            assert_eq!(outcome, (StatusCode::OK, 1), "{name}: {method}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_an_http2_backend_may_have_processed_is_sent_again_if_idempotent() {
    for (name, manner) in [("edge-h2c-processed", Manner::Processes), ("edge-h2c-closed", Manner::Closes)] {
        let backend = Backend::start(manner).await;
        let world = backend.behind_edge(name).await;
        for method in ["GET", "HEAD", "OPTIONS", "PROPFIND", "PUT"] {
            let outcome = until_dropped(&world, &backend, method).await;
            assert_eq!(outcome, (StatusCode::OK, 1), "{name}: {method}");
        }
        for method in ["POST", "DELETE", "PATCH", "MOVE"] {
            let outcome = until_dropped(&world, &backend, method).await;
            assert_eq!(outcome, (StatusCode::BAD_GATEWAY, 0), "{name}: {method}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn early_answer_of_an_http2_backend_reaches_the_client() {
    let backend = Backend::start(Manner::AnswersEarly).await;
    let world = backend.behind_edge("edge-h2c-early").await;
    for _ in 0..20 {
        let upload = client().put(world.url("/a")).body(vec![b'x'; 1024 * 1024]).send().await.expect("an answer");
        assert_eq!(upload.status(), StatusCode::OK);
        assert_eq!(upload.text().await.expect("a body"), "early");
    }
}
