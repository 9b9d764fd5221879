//! HTTP/1.1 over connections that are kept.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use authn::BoxError;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;

/// A connection to a server, opened when it is needed. Clones share it, and take turns.
#[derive(Clone)]
pub(crate) struct Connection {
    address: Arc<str>,
    sender: Arc<Mutex<Option<SendRequest<Full<Bytes>>>>>,
}

/// A request.
#[derive(Clone, Default)]
pub(crate) struct Ask {
    /// Path and query.
    pub(crate) path: String,
    /// A form to post; without one it is a GET.
    pub(crate) form: Option<String>,
    /// The header `Authorization`.
    pub(crate) authorization: Option<Arc<str>>,
    /// Further headers.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// The header `Cookie`.
    pub(crate) cookies: String,
}

impl Ask {
    /// A GET.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// A POST of a form.
    pub(crate) fn post(path: impl Into<String>, form: &[(&str, &str)]) -> Self {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        Self { path: path.into(), form: Some(form), ..Self::default() }
    }

    fn request(self, address: &str) -> Result<Request<Full<Bytes>>, BoxError> {
        let mut request = Request::builder().uri(self.path).header(HOST, address);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, &**authorization);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            request = request.header(COOKIE, self.cookies);
        }
        if self.form.is_some() {
            request = request.method("POST").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        Ok(request.body(self.form.unwrap_or_default().into())?)
    }
}

/// What is answered.
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Reply {
    /// Whether it is 200 and its body holds this text.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.status == StatusCode::OK && self.body.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

impl Connection {
    /// One to this address.
    pub(crate) fn to(address: &str) -> Self {
        Self { address: address.into(), sender: Arc::default() }
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Reply, BoxError> {
        let mut place = self.sender.lock().await;
        let mut sender = match place.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.open().await?,
        };
        sender.ready().await?;
        let (parts, body) = sender.send_request(ask.request(&self.address)?).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        *place = Some(sender);
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, BoxError> {
        let stream = tokio::net::TcpStream::connect(&*self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends when the sender is dropped; the caller that awaits a response gets the error.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// Whether a provider answers its discovery document with 200.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(100))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let request =
            format!("GET /.well-known/openid-configuration HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut start = vec![0; "HTTP/1.1 200".len()];
        stream.read_exact(&mut start)?;
        Ok(start)
    };
    ask().is_ok_and(|start| start == b"HTTP/1.1 200")
}
