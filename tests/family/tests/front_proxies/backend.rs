//! The application behind a proxy: it writes down what reaches it.
//!
//! It reads bytes rather than requests. A library would refuse or repair requests that have reached a backend.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The method.
    pub(crate) method: String,
    /// What the request line asks for.
    pub(crate) target: String,
    /// The headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Everything behind the headers, chunk sizes and trailers among it.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The names of the headers in whose values a text stands.
    pub(crate) fn names_with(&self, text: &str) -> Vec<String> {
        self.headers.iter().filter(|(_, value)| value.contains(text)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether this text stands anywhere in it.
    pub(crate) fn has(&self, text: &str) -> bool {
        let in_head = self.headers.iter().any(|(name, value)| name.contains(text) || value.contains(text));
        in_head || self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// A running one.
#[derive(Debug)]
pub(crate) struct Backend {
    /// Where it is.
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Backend {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let address = testkit::free_address();
        let listener = TcpListener::bind(address).await.expect("a free address can be listened on");
        let seen = Arc::default();
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, seen, task }
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers the requests of a connection one after the other. Each is written down before it is answered.
async fn serve(mut stream: TcpStream, all: Arc<Mutex<Vec<Seen>>>) {
    let mut bytes = Vec::new();
    while let Some(seen) = request(&mut stream, &mut bytes).await {
        let answer = serde_json::json!({ "method": seen.method, "target": seen.target, "headers": seen.headers });
        all.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        let answer = answer.to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", answer.len());
        if stream.write_all(format!("{head}{answer}").as_bytes()).await.is_err() {
            break;
        }
    }
}

async fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Seen> {
    let head_end = read_until(stream, bytes, |bytes| find(bytes, b"\r\n\r\n").map(|at| at + 4)).await?;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ').map(str::to_owned);
    let mut seen = Seen { method: words.next()?, target: words.next().unwrap_or_default(), ..Seen::default() };
    let headers = lines.filter_map(|line| line.split_once(':'));
    seen.headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let is_chunked = !seen.header("transfer-encoding").is_empty();
    let length = seen.header("content-length").first().and_then(|length| length.parse().ok()).unwrap_or(0);
    let end = read_until(stream, bytes, |bytes| {
        let body = &bytes[head_end..];
        let end = if is_chunked { end_of_chunks(body) } else { (body.len() >= length).then_some(length) };
        end.map(|end| head_end + end)
    });
    let end = end.await?;
    seen.body = bytes[head_end..end].to_vec();
    bytes.drain(..end);
    Some(seen)
}

/// Where the last chunk and the trailers behind it end.
fn end_of_chunks(body: &[u8]) -> Option<usize> {
    let last = if body.starts_with(b"0\r\n") { 0 } else { find(body, b"\r\n0\r\n")? + 2 };
    find(&body[last..], b"\r\n\r\n").map(|at| last + at + 4)
}

async fn read_until(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    end: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    loop {
        if let Some(end) = end(bytes) {
            return Some(end);
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Where a part begins.
pub(crate) fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
