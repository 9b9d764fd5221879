//! A client that sends exactly the given bytes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::front_proxies::backend::find;

/// Longer than any proxy waits for Doorward.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request, as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The method.
    pub(crate) method: &'static str,
    /// What the request line asks for, as it stands there.
    pub(crate) target: String,
    /// The headers other than `Host`.
    pub(crate) headers: Vec<(String, String)>,
    /// What follows them.
    pub(crate) body: Vec<u8>,
    /// From which address of this machine it is sent.
    pub(crate) from: IpAddr,
}

/// The host that requests name.
pub(crate) const HOST: &str = "cloud.example.org";

impl Request {
    /// A GET without a credential.
    pub(crate) fn get(target: &str, from: IpAddr) -> Self {
        Self { method: "GET", target: target.to_owned(), headers: Vec::new(), body: Vec::new(), from }
    }

    /// The same with further headers.
    pub(crate) fn with(mut self, headers: &[(&str, &str)]) -> Self {
        self.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// The same with a credential, if there is one.
    pub(crate) fn authorized(self, authorization: Option<&str>) -> Self {
        match authorization {
            Some(value) => self.with(&[("Authorization", value)]),
            None => self,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.target)];
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            lines.push(format!("Host: {HOST}"));
        }
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let head = lines.join("\r\n") + "\r\n\r\n";
        [head.as_bytes(), &self.body].concat()
    }

    /// Sends it; answers the status, and 0 if the connection was closed without one.
    ///
    /// # Panics
    /// When the connection is refused, or the response takes a minute.
    pub(crate) async fn send(&self, to: SocketAddr) -> u16 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((self.from, 0).into()).expect("an address of this machine");
        let mut stream = socket.connect(to).await.unwrap_or_else(|error| panic!("{to} is not listened on: {error}"));
        let mut answer = Vec::new();
        let exchange = async {
            // a proxy that has read enough closes before everything is written, and may have answered by then
            let _ = stream.write_all(&self.bytes()).await;
            while find(&answer, b"\r\n\r\n").is_none() {
                if !matches!(stream.read_buf(&mut answer).await, Ok(1..)) {
                    break;
                }
            }
        };
        timeout(PATIENCE, exchange).await.unwrap_or_else(|_| panic!("no answer to {} {}", self.method, self.target));
        let text = String::from_utf8_lossy(&answer);
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}
