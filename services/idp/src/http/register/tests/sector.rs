//! What is fetched when a client registers: its list of redirect URIs, within the bounds of row I32.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::open;
use crate::testing::Bench;

/// A listener that answers so, and how many came.
async fn listener(head: String, body: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hits);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::AcqRel);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
    });
    (port, hits)
}

async fn lenient() -> Bench {
    Bench::with(|config| config.open_registration = true).await
}

#[tokio::test]
async fn registration_calls_no_private_address() {
    let bench = open().await;
    let (port, hits) = listener("HTTP/1.1 200 OK\r\n".to_owned(), b"[]".to_vec()).await;
    let addresses = [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://2130706433:{port}/"),
        "http://169.254.169.254/".to_owned(),
        "https://169.254.169.254/".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ];
    for member in ["sector_identifier_uri", "jwks_uri", "backchannel_logout_uri", "logo_uri", "request_uris"] {
        for address in &addresses {
            let value = if member == "request_uris" { json!([address]) } else { json!(address) };
            let metadata = json!({ "redirect_uris": ["https://wiki.example/cb"], member: value });
            let refused = bench.register(None, &metadata).await.is(400);
            assert_eq!(refused["error"], "invalid_client_metadata", "{member} {address}");
            bench.clock.advance(std::time::Duration::from_secs(6));
        }
    }
    assert_eq!(hits.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn the_list_of_a_sector_has_to_name_all_redirect_uris() {
    let bench = lenient().await;
    let list = json!(["https://wiki.example/cb", "https://other.example/cb"]).to_string().into_bytes();
    let (port, hits) = listener("HTTP/1.1 200 OK\r\n".to_owned(), list).await;
    let sector = format!("http://127.0.0.1:{port}/list");
    let metadata =
        |uris: &[&str]| json!({ "redirect_uris": uris, "sector_identifier_uri": sector, "subject_type": "pairwise" });
    let listed = metadata(&["https://wiki.example/cb", "https://other.example/cb"]);
    let told = bench.register(None, &listed).await.is(201);
    assert_eq!((&told["sector_identifier_uri"], &told["subject_type"]), (&json!(sector), &json!("pairwise")));
    let refused =
        bench.register(None, &metadata(&["https://wiki.example/cb", "https://evil.example/cb"])).await.is(400);
    assert_eq!(refused["error"], "invalid_client_metadata");
    assert_eq!(hits.load(Ordering::Acquire), 2);
}

#[tokio::test]
async fn sector_document_with_redirect_endless_body_or_no_list_is_refused() {
    let bench = lenient().await;
    let (target, hits) = listener("HTTP/1.1 200 OK\r\n".to_owned(), br#"["https://wiki.example/cb"]"#.to_vec()).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{target}/\r\n");
    for (head, body) in [
        (redirect, Vec::new()),
        ("HTTP/1.1 200 OK\r\n".to_owned(), vec![b' '; 70 * 1024]),
        ("HTTP/1.1 200 OK\r\n".to_owned(), b"{}".to_vec()),
        ("HTTP/1.1 404 Not Found\r\n".to_owned(), br#"["https://wiki.example/cb"]"#.to_vec()),
    ] {
        let (port, _) = listener(head.clone(), body).await;
        let sector = format!("http://127.0.0.1:{port}/list");
        let metadata = json!({ "redirect_uris": ["https://wiki.example/cb"], "sector_identifier_uri": sector });
        assert_eq!(bench.register(None, &metadata).await.is(400)["error"], "invalid_client_metadata", "{head}");
    }
    assert_eq!(hits.load(Ordering::Acquire), 0, "the redirect is not followed");
}
