//! Clients that are still sending when they are answered, and bodies that stop in the midst.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::put;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::App;
use crate::testing::{Authority, Sections, context};
use config::{GrpcClientTls, HttpTls};

const REFUSED: &str = "HTTP/1.1 401";

fn app() -> App {
    let router = Router::new()
        .route("/refused", put(async || StatusCode::UNAUTHORIZED))
        .route("/read", put(async |body: String| body))
        .route("/slow", put(async |_: String| std::future::pending::<()>().await));
    App { http: Some(router.into()), ..App::default() }
}

/// Sends the whole request before it reads, as simple clients do.
async fn send_then_read(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> String {
    stream.write_all(request).await.expect("the server reads what it does not want");
    stream.flush().await.expect("the server reads what it does not want");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the connection is closed, not reset");
    String::from_utf8(answer).expect("text")
}

fn upload(path: &str, length: usize) -> Vec<u8> {
    let head = format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    let mut request = head.into_bytes();
    request.resize(request.len() + length, b'x');
    request
}

async fn with_tls(addr: SocketAddr, authority: &Authority) -> impl AsyncRead + AsyncWrite + Unpin {
    let tls = GrpcClientTls { mode: "on".into(), cacert: Some(authority.path("ca.pem")), cert: None, key: None };
    let mut config = crate::tls::client(&tls, config::ClientTls::On).expect("reads").expect("TLS");
    config.alpn_protocols = vec![b"http/1.1".into()];
    let stream = TcpStream::connect(addr).await.expect("connects");
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    connector.connect("localhost".try_into().expect("a name"), stream).await.expect("shakes hands")
}

#[tokio::test]
async fn refused_upload_receives_its_answer() {
    let running = Sections::default().serve(app(), &context()).await.expect("starts");
    let addr = running.http.expect("serves HTTP");
    for length in [64 * 1024, 1024 * 1024] {
        for _ in 0..20 {
            let stream = TcpStream::connect(addr).await.expect("connects");
            let answer = send_then_read(stream, &upload("/refused", length)).await;
            assert!(answer.starts_with(REFUSED) && answer.contains("connection: close\r\n"), "{answer}");
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn refused_upload_receives_its_answer_over_tls() {
    let authority = Authority::new();
    let mut sections = Sections::default();
    let (cert, key) = authority.sign("server", "localhost");
    sections.http.tls = HttpTls { enabled: true, cert: Some(cert), key: Some(key), ..HttpTls::default() };
    let running = sections.serve(app(), &context()).await.expect("starts");
    for _ in 0..10 {
        let stream = with_tls(running.http.expect("serves HTTP"), &authority).await;
        let answer = send_then_read(stream, &upload("/refused", 1024 * 1024)).await;
        assert!(answer.starts_with(REFUSED), "{answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn head_beyond_the_limit_receives_its_answer() {
    let running = Sections::default().serve(app(), &context()).await.expect("starts");
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "a".repeat(1024 * 1024));
    for _ in 0..20 {
        let stream = TcpStream::connect(running.http.expect("serves HTTP")).await.expect("connects");
        let answer = send_then_read(stream, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    running.stop().await;
}

/// How long a refused client can go on sending, one byte at a time.
async fn sends_for(sections: &Sections, pause: Duration) -> Duration {
    let running = sections.serve(app(), &context()).await.expect("starts");
    let mut stream = TcpStream::connect(running.http.expect("serves HTTP")).await.expect("connects");
    stream.write_all(&upload("/refused", 1024 * 1024)[..1024]).await.expect("begins");
    let begin = Instant::now();
    while stream.write_all(b"x").await.is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(20), "the connection is still read");
        tokio::time::sleep(pause).await;
    }
    begin.elapsed()
}

#[tokio::test]
async fn lingering_ends_when_its_time_is_over() {
    let mut sections = Sections::default();
    sections.tuning.connection_limits.linger.idle = Duration::from_mins(1);
    sections.tuning.connection_limits.linger.total = Duration::from_millis(500);
    assert!(sends_for(&sections, Duration::from_millis(20)).await >= Duration::from_millis(500));
}

#[tokio::test]
async fn lingering_ends_when_nothing_comes() {
    let mut sections = Sections::default();
    sections.tuning.connection_limits.linger.idle = Duration::from_millis(200);
    sections.tuning.connection_limits.linger.total = Duration::from_mins(1);
    sends_for(&sections, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn lingering_ends_when_too_much_came() {
    let mut sections = Sections::default();
    sections.tuning.connection_limits.linger.idle = Duration::from_mins(1);
    sections.tuning.connection_limits.linger.total = Duration::from_mins(1);
    sections.tuning.connection_limits.linger.bytes = 10;
    sends_for(&sections, Duration::from_millis(10)).await;
}

#[tokio::test]
async fn idle_connection_does_not_delay_the_stop() {
    let mut sections = Sections::default();
    sections.tuning.connection_limits.linger.idle = Duration::from_mins(1);
    sections.tuning.connection_limits.linger.total = Duration::from_mins(1);
    let running = sections.serve(app(), &context()).await.expect("starts");
    let mut stream = TcpStream::connect(running.http.expect("serves HTTP")).await.expect("connects");
    stream.write_all(&upload("/read", 64 * 1024)).await.expect("sends");
    let mut answer = vec![0; 64 * 1024];
    stream.read_exact(&mut answer).await.expect("is answered");
    let begin = Instant::now();
    running.stop().await;
    assert!(begin.elapsed() < sections.tuning.grace / 2, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn body_that_stalls_is_answered_with_408() {
    let mut sections = Sections::default();
    sections.http.request_timeout = Duration::from_millis(300);
    let running = sections.serve(app(), &context()).await.expect("starts");
    for (path, sent, status) in [("/read", 100, 408), ("/slow", 1000, 504)] {
        let request = upload(path, 1000);
        let head = request.len() - 1000;
        let stream = TcpStream::connect(running.http.expect("serves HTTP")).await.expect("connects");
        let (mut reading, mut writing) = stream.into_split();
        writing.write_all(&request[..head + sent]).await.expect("sends");
        let mut answer = vec![0; 12];
        reading.read_exact(&mut answer).await.expect("is answered");
        assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"), "{path}");
    }
    running.stop().await;
}
