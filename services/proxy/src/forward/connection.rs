//! Connections to backends. They record what has happened, which decides whether a request may be sent again; and a response is read
//! from them even if the backend has stopped reading the request. A backend in this process recognises them.

use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::Extensions;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use runtime::OwnConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How long a write error is held back after the last byte that was read. What has arrived on a reset connection can be read at once,
/// unless the client reads the response slowly.
const WRITE_ERROR_DELAY: Duration = Duration::from_secs(30);

/// A connection to a backend, with or without TLS.
pub(super) struct BackendConnection {
    /// Lets services in this process trust the forwarded addresses of clients. The first field, so that it is dropped before the
    /// connection is closed.
    _own: OwnConnection,
    inner: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    history: History,
    is_http2: bool,
    /// A write error that is held back.
    failure: Option<WriteError>,
    /// Whether reading has ended.
    has_ended: bool,
}

/// A write error that is reported when reading has ended, or after [`WRITE_ERROR_DELAY`].
struct WriteError {
    kind: ErrorKind,
    delay: Pin<Box<Sleep>>,
    /// The task that waits for the report.
    writer: Option<Waker>,
}

/// The history of a connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    /// It has carried a response, so that the next request is sent on a pooled connection.
    answered: AtomicBool,
    /// A write was attempted after the last byte that was read.
    unanswered: AtomicBool,
    /// The backend has closed it.
    closed: AtomicBool,
}

impl BackendConnection {
    /// Wraps an open connection.
    pub(super) fn new(stream: MaybeHttpsStream<TokioIo<TcpStream>>, is_http2: bool) -> Self {
        let tcp = match &stream {
            MaybeHttpsStream::Http(tcp) => tcp.inner(),
            MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner().inner(),
        };
        let (own, history) = (OwnConnection::record(tcp), History::default());
        Self { _own: own, inner: TokioIo::new(stream), history, is_http2, failure: None, has_ended: false }
    }

    /// Writes, but holds an error back if the backend has closed the connection while an HTTP/1.1 request was sent. The backend may have
    /// responded before (RFC 9112 9.6), and the client library drops the response if it sees the error first. HTTP/2 is not read while
    /// it cannot be written.
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        if self.failure.is_none() {
            match ready!(write(self, cx)) {
                Err(error) if !self.is_http2 && is_disconnection(error.kind()) => {
                    let delay = Box::pin(sleep(WRITE_ERROR_DELAY));
                    self.failure = Some(WriteError { kind: error.kind(), delay, writer: None });
                }
                written => return Poll::Ready(written),
            }
        }
        self.poll_failure(cx).map(Err)
    }

    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Error> {
        let Some(failure) = &mut self.failure else { return Poll::Pending };
        if self.has_ended || failure.delay.as_mut().poll(cx).is_ready() {
            return Poll::Ready(failure.kind.into());
        }
        failure.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Records that bytes were read, or that reading has ended.
    fn note_read(&mut self, is_end: bool) {
        self.has_ended |= is_end;
        match &mut self.failure {
            Some(failure) if is_end => {
                if let Some(writer) = failure.writer.take() {
                    writer.wake();
                }
            }
            Some(failure) => failure.delay.as_mut().reset(Instant::now() + WRITE_ERROR_DELAY),
            None => {}
        }
    }
}

/// Whether a write error means that the other end has closed the connection.
fn is_disconnection(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

impl History {
    /// Records a response.
    pub(super) fn note_answer(&self) {
        self.0.answered.store(true, Ordering::Release);
    }

    /// Whether the backend closed a pooled connection without a byte of a response to the last HTTP/1.1 request. HTTP/2 frames belong to
    /// no request, so that there only the end counts.
    pub(super) fn was_pooled_and_closed(&self, is_http2: bool) -> bool {
        let Flags { answered, unanswered, closed } = &*self.0;
        let has_no_response = is_http2 || unanswered.load(Ordering::Acquire);
        answered.load(Ordering::Acquire) && has_no_response && closed.load(Ordering::Acquire)
    }

    /// The history of the connection that these extensions describe.
    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    fn note_write(&self, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        let written = ready!(written);
        self.0.unanswered.store(true, Ordering::Release);
        if written.is_err() {
            self.note_closed();
        }
        Poll::Ready(written)
    }

    fn note_closed(&self) {
        self.0.closed.store(true, Ordering::Release);
    }
}

impl Connection for BackendConnection {
    fn connected(&self) -> Connected {
        self.inner.inner().connected().extra(self.history.clone())
    }
}

impl AsyncRead for BackendConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        let is_end = read.is_err() || buf.filled().len() == before;
        if is_end {
            self.history.note_closed();
        } else {
            self.history.0.unanswered.store(false, Ordering::Release);
        }
        self.note_read(is_end);
        Poll::Ready(read)
    }
}

impl AsyncWrite for BackendConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.write(cx, |this, cx| {
            let written = Pin::new(&mut this.inner).poll_write(cx, buf);
            this.history.note_write(written)
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.write(cx, |this, cx| Pin::new(&mut this.inner).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.write(cx, |this, cx| {
            let written = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
            this.history.note_write(written)
        })
    }
}
