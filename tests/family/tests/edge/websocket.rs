//! `WebSocket` through the edge.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::edge::raw;
use crate::edge::world::{World, basic};

/// Grants one upgrade, and then answers what it is sent in capital letters.
async fn shouting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 4096];
            let read = stream.read(&mut buffer).await.unwrap_or_default();
            let head = String::from_utf8_lossy(&buffer[..read]).to_ascii_lowercase();
            let is_upgrade = head.contains("upgrade: websocket") && head.contains("sec-websocket-key: a2v5");
            assert!(is_upgrade && head.contains("x-access-token: "), "{head}");
            let granted = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
            stream.write_all(granted).await.expect("writes");
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let text = buffer[..read].to_ascii_uppercase();
                stream.write_all(&text).await.expect("writes");
            }
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn only_websocket_upgrades_are_tunnelled() {
    let shouting = shouting().await;
    let world = World::start_with("edge-websocket", |layout| {
        let file = layout.folder().join("socket.yaml");
        let routes = format!("routes: [{{ path: /, backend: 'http://{shouting}' }}]");
        std::fs::write(&file, routes).expect("writes");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
    })
    .await;
    let upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n";
    let refused = raw::send(world.edge, format!("GET /ws HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n").as_bytes()).await;
    assert_eq!(refused.status(), 401, "the caller is authenticated first");

    let authorization = basic("einstein", &world.token);
    let request = format!("GET /ws HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n{upgrade}\r\n");
    let mut stream = TcpStream::connect(world.edge).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut buffer = vec![0; 4096];
    let read = stream.read(&mut buffer).await.expect("reads");
    let head = String::from_utf8_lossy(&buffer[..read]).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101") && head.contains("sec-websocket-accept: x"), "{head}");
    for word in ["hello", "again"] {
        stream.write_all(word.as_bytes()).await.expect("writes");
        let read = stream.read(&mut buffer).await.expect("reads");
        assert_eq!(buffer[..read], *word.to_ascii_uppercase().as_bytes());
    }
}
