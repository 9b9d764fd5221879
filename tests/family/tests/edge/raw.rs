//! HTTP as bytes: what no client library would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long nothing may come before a connection counts as kept open.
const SILENCE: Duration = Duration::from_millis(700);

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) text: String,
    /// Whether the other end has closed the connection.
    pub(crate) closed: bool,
}

impl Reply {
    /// The status of the first answer; 0 if there is none.
    pub(crate) fn status(&self) -> u16 {
        self.statuses().first().copied().unwrap_or_default()
    }

    /// The statuses of all answers.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let lines = self.text.split("HTTP/1.").skip(1);
        lines.filter_map(|line| line.get(2..5)?.parse().ok()).collect()
    }

    /// The values of a header, of all answers.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.text.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

/// Sends bytes, and reads until nothing more comes.
pub(crate) async fn send(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).await.expect("the edge listens");
    // who refuses may close before all was sent
    let _ = stream.write_all(bytes).await;
    let (mut text, mut buffer, mut closed) = (Vec::new(), vec![0; 16 * 1024], false);
    while let Ok(read) = tokio::time::timeout(SILENCE, stream.read(&mut buffer)).await {
        match read {
            Ok(0) | Err(_) => {
                closed = true;
                break;
            }
            Ok(count) => text.extend_from_slice(&buffer[..count]),
        }
    }
    Reply { text: String::from_utf8_lossy(&text).into_owned(), closed }
}

/// Sends one request with these header lines and no body.
pub(crate) async fn request(address: SocketAddr, line: &str, headers: &[&str]) -> Reply {
    let head = [&format!("{line} HTTP/1.1"), "Host: cloud.example", "Connection: close"];
    let lines: Vec<&str> = head.into_iter().chain(headers.iter().copied()).chain(["", ""]).collect();
    let text = lines.join("\r\n");
    send(address, text.as_bytes()).await
}
