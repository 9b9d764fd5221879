//! A connection to a backend that records what has happened on it, so that the edge can tell whether a request may be sent again.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::Extensions;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection, with TLS where the backend has it.
pub(super) struct Tracked {
    inner: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    history: History,
}

/// What has happened on a connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    /// It has carried an answer: what follows is sent on a pooled connection.
    answered: AtomicBool,
    /// Something was written after the last byte that was read.
    unanswered: AtomicBool,
    /// The backend has closed it.
    closed: AtomicBool,
}

impl Tracked {
    /// Records what happens on this connection.
    pub(super) fn new(stream: MaybeHttpsStream<TokioIo<TcpStream>>) -> Self {
        Self { inner: TokioIo::new(stream), history: History::default() }
    }
}

impl History {
    /// Records that the connection has carried an answer.
    pub(super) fn note_answer(&self) {
        self.0.answered.store(true, Ordering::Release);
    }

    /// Whether the connection came from the pool and the backend closed it without a byte of an answer to the last HTTP/1.1
    /// request. HTTP/2 frames belong to no request, so that there only the end counts.
    pub(super) fn was_pooled_and_closed(&self, is_http2: bool) -> bool {
        let Flags { answered, unanswered, closed } = &*self.0;
        let is_silent = is_http2 || unanswered.load(Ordering::Acquire);
        answered.load(Ordering::Acquire) && is_silent && closed.load(Ordering::Acquire)
    }

    /// The history of the connection that these extensions describe.
    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    fn note_written(&self, written: &Result<usize>) {
        match written {
            Ok(_) => self.0.unanswered.store(true, Ordering::Release),
            Err(_) => self.note_closed(),
        }
    }

    fn note_closed(&self) {
        self.0.closed.store(true, Ordering::Release);
    }
}

impl Connection for Tracked {
    fn connected(&self) -> Connected {
        self.inner.inner().connected().extra(self.history.clone())
    }
}

impl AsyncRead for Tracked {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        if read.is_ok() && buf.filled().len() > before {
            self.history.0.unanswered.store(false, Ordering::Release);
        } else {
            self.history.note_closed();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Tracked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf));
        self.history.note_written(&written);
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
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
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs));
        self.history.note_written(&written);
        Poll::Ready(written)
    }
}
