//! Detects clients that connect and send nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The length of the HTTP/2 connection preface. The shortest HTTP/1 request with a host is not shorter.
pub(super) const PREFACE_LENGTH: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// The number of bytes that a client has sent, counted up to the length of the preface.
#[derive(Clone, Debug, Default)]
pub(super) struct PrefaceGuard(Arc<AtomicUsize>);

impl PrefaceGuard {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that counts the first bytes read from it.
pub(super) struct PrefaceStream<T> {
    inner: T,
    /// `None` once the client has sent enough.
    preface_guard: Option<PrefaceGuard>,
}

impl<T> PrefaceStream<T> {
    pub(super) fn new(inner: T, preface_guard: PrefaceGuard) -> Self {
        Self { inner, preface_guard: Some(preface_guard) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for PrefaceStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Some(preface_guard) = &self.preface_guard {
            let count = buf.filled().len() - before;
            if preface_guard.0.fetch_add(count, Ordering::Relaxed) + count >= PREFACE_LENGTH {
                self.preface_guard = None;
            }
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for PrefaceStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
