//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::ConnectionLimits;
use super::head::HeadTimer;
use super::io::{PREFACE_LENGTH, PrefaceGuard, PrefaceStream};
use super::linger::Lingering;
use super::listener::Stream;
use super::plain_http::{self, PlainHttp, RedirectPort};
use crate::IssuedCertificate;
use crate::layers::{Body, PeerConnection, PeerIdentity, Stack};
use crate::metrics::Protocol;
use crate::own_connection::Accepted;
use crate::request_body::{RequestBody, Unread};
use crate::tls::{self, Accepting, CertificateNames};

/// Idle HTTP/2 connections are asked so often whether they still live.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long they may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_STREAMS: u32 = 100;
/// How much of an upload may be on its way at a time: at 100 ms of round trip, 10 MiB/s.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// So that one upload which is not read leaves room for others.
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

/// What an accepted connection needs to be served.
pub(super) struct Connection<S> {
    pub(super) addr: Option<SocketAddr>,
    pub(super) tls: Option<Arc<Accepting>>,
    /// The certificate that the service obtains while it runs, with the answers to challenges for it.
    pub(super) issued: Option<IssuedCertificate>,
    pub(super) stack: Arc<Stack<S>>,
    pub(super) limits: ConnectionLimits,
    pub(super) age: Duration,
    pub(super) stop: CancellationToken,
}

impl<S, B> Connection<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<authn::BoxError>,
{
    /// Serves it to its end.
    pub(super) async fn serve(self, stream: Stream) {
        let connections = self.stack.requests().connections().clone();
        connections.inc();
        let _open = OnDrop(|| {
            connections.dec();
        });
        let local = match &stream {
            Stream::Left(tcp) => tcp.local_addr().ok(),
            Stream::Right(_) => None,
        };
        let accepted = self.addr.zip(local).map(|(addr, local)| Accepted::new(addr, local));
        let known = PeerConnection { addr: self.addr, accepted, ..PeerConnection::default() };
        let Some(tls) = self.tls.clone() else {
            return Box::pin(self.speak(stream, known)).await;
        };
        if self.stack.requests().protocol() != Protocol::Grpc {
            let first = timeout(self.limits.handshake, plain_http::is_spoken(&stream));
            match self.stop.run_until_cancelled(first).await {
                Some(Ok(false)) => {}
                Some(Ok(true)) => {
                    let plain_http = PlainHttp {
                        service: self.stack.requests().service(),
                        port: RedirectPort::Same,
                        issued: self.issued.as_ref(),
                        logged: self.stack.logged(),
                        source: self.addr.map(|addr| addr.ip().to_canonical()),
                    };
                    self.stop.run_until_cancelled(Box::pin(plain_http.serve(stream, self.limits))).await;
                    return;
                }
                Some(Err(_)) => return tracing::debug!(peer = ?self.addr, "closed a silent connection"),
                None => return,
            }
        }
        let handshake = timeout(self.limits.handshake, accept(stream, &tls, self.issued.as_ref()));
        let handshake = self.stop.run_until_cancelled(handshake).await;
        let stream = match handshake {
            Some(Ok(Ok(Some(stream)))) => stream,
            Some(Ok(Ok(None))) => return tracing::debug!(peer = ?self.addr, "answered a tls-alpn-01 challenge"),
            Some(Ok(Err(problem))) => return tracing::debug!(peer = ?self.addr, %problem, "TLS handshake failed"),
            Some(Err(_)) => return tracing::debug!(peer = ?self.addr, "TLS handshake took too long"),
            None => return,
        };
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let connected = if let Some(optional) = &tls.optional {
            PeerConnection { certificate: optional.certificate(chain), ..known }
        } else {
            let proved = chain.first().map(|certificate| tls.names(certificate));
            let CertificateNames { names, is_svid } = proved.unwrap_or_default();
            let identity = names.first().map(|name| PeerIdentity(name.as_str().into()));
            PeerConnection { identity, names, is_svid, ..known }
        };
        Box::pin(self.speak(stream, connected)).await;
    }

    /// Speaks HTTP on it. The future is large: it is boxed, once for each connection.
    async fn speak<T>(self, stream: T, connected: PeerConnection)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let preface_guard = PrefaceGuard::default();
        let is_grpc = self.stack.requests().protocol() == Protocol::Grpc;
        let builder = builder(is_grpc, self.limits);
        let unread = if is_grpc { Unread::never() } else { Unread::default() };
        let stream = PrefaceStream::new(stream, preface_guard.clone(), is_grpc);
        let stream = Lingering::new(stream, unread.clone(), self.limits.linger);
        let (stack, connected) = (self.stack, Arc::new(connected));
        let service = service_fn(move |request| {
            let (stack, connected, unread) = (Arc::clone(&stack), Arc::clone(&connected), unread.clone());
            async move { Ok::<_, Infallible>(answer(&stack, &connected, &unread, request).await) }
        });
        let io = TokioIo::new(stream);
        let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
        let mut watch = pin!(watch(preface_guard, is_grpc, self.limits));
        let mut end = pin!(async {
            // Whichever comes first.
            let _ = timeout(self.age, self.stop.cancelled()).await;
        });
        let (mut watching, mut is_closing) = (true, false);
        loop {
            tokio::select! {
                biased;
                served = connection.as_mut() => {
                    if let Err(problem) = served {
                        tracing::debug!(peer = ?self.addr, problem, "connection failed");
                    }
                    return;
                }
                verdict = &mut watch, if watching => match verdict {
                    Verdict::Speaks => watching = false,
                    Verdict::Silent => return tracing::debug!(peer = ?self.addr, "closed a silent connection"),
                },
                () = &mut end, if !is_closing => {
                    is_closing = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The TLS handshake; `None` if it was a challenge of ACME, after which the connection is closed (RFC 8737 3).
async fn accept(
    stream: Stream,
    tls: &Accepting,
    issued: Option<&IssuedCertificate>,
) -> io::Result<Option<TlsStream<Stream>>> {
    let config = Arc::clone(&tls.config);
    match issued {
        None => TlsAcceptor::from(config).accept(stream).await.map(Some),
        // the future is large, and most listeners need none
        Some(issued) => Box::pin(accept_or_validate(stream, config, issued)).await,
    }
}

/// The TLS handshake where it may be a challenge.
async fn accept_or_validate(
    stream: Stream,
    config: Arc<ServerConfig>,
    issued: &IssuedCertificate,
) -> io::Result<Option<TlsStream<Stream>>> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let challenged = tls::challenged_host(&start.client_hello());
    let challenge = match challenged {
        Some(host) => issued.challenge_config(&host).await,
        None => None,
    };
    // without an answer to a challenge the handshake fails, as the client offers no protocol that is spoken here
    let Some(challenge) = challenge else { return start.into_stream(config).await.map(Some) };
    start.into_stream(challenge).await?.shutdown().await?;
    Ok(None)
}

/// Answers a request. A body that is left unread closes an HTTP/1 connection, as the response states (RFC 9112 9.6).
async fn answer<S, B>(
    stack: &Stack<S>,
    connected: &PeerConnection,
    unread: &Unread,
    request: Request<Incoming>,
) -> Response<Body<B>>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let version = request.version();
    let mut request = request.map(|body| RequestBody::new(body, unread));
    let progress = request.body().progress().cloned();
    unread.begin(version, progress.is_some());
    if let Some(progress) = &progress {
        request.extensions_mut().insert(progress.clone());
    }
    let mut response = stack.answer(connected, request).await;
    if version < Version::HTTP_2 && progress.is_some_and(|progress| progress.is_abandoned()) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

enum Verdict {
    Speaks,
    Silent,
}

/// Decides whether the client has sent the preface or a request in time. hyper itself waits without limit.
async fn watch(preface_guard: PrefaceGuard, is_grpc: bool, limits: ConnectionLimits) -> Verdict {
    sleep(limits.preface).await;
    if preface_guard.bytes() >= PREFACE_LENGTH {
        return Verdict::Speaks;
    }
    if preface_guard.bytes() == 0 || is_grpc {
        return Verdict::Silent;
    }
    // A few bytes: the head of HTTP/1 has its own timeout, but the preface of HTTP/2 has none.
    sleep(limits.headers.saturating_sub(limits.preface)).await;
    if preface_guard.bytes() >= PREFACE_LENGTH { Verdict::Speaks } else { Verdict::Silent }
}

/// h2's own guards against floods of resets and of CONTINUATION frames stay as they are.
fn builder(is_grpc: bool, limits: ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(HeadTimer::default()).header_read_timeout(limits.headers).max_buf_size(limits.header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    if is_grpc { builder.http2_only() } else { builder }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
