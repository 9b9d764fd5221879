//! Lingering close (RFC 9112 9.6): a connection that is closed with bytes of the client unread is reset, and a reset takes the
//! answer away from a client that is still sending. So the answer's direction is closed first, and what the client sends is read
//! and discarded until it closes too, or the bounds are reached.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::request_body::Unread;

/// The bounds of a lingering close.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LingerLimits {
    /// How long nothing may come.
    pub(crate) idle: Duration,
    /// How long it may take.
    pub(crate) total: Duration,
    /// How many bytes are discarded.
    pub(crate) bytes: usize,
}

impl Default for LingerLimits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(2), total: Duration::from_secs(10), bytes: 64 * 1024 * 1024 }
    }
}

/// A connection that lingers when it is shut down with bytes unread.
pub(super) struct Lingering<T> {
    inner: T,
    unread: Unread,
    limits: LingerLimits,
    /// Whether the client has closed its direction.
    is_ended: bool,
    /// Set once the answer's direction is closed.
    discarding: Option<Discarding>,
}

struct Discarding {
    idle: Pin<Box<Sleep>>,
    end: Instant,
    left: usize,
}

impl<T> Lingering<T> {
    pub(super) fn new(inner: T, unread: Unread, limits: LingerLimits) -> Self {
        Self { inner, unread, limits, is_ended: false, discarding: None }
    }
}

impl<T: AsyncRead + Unpin> Lingering<T> {
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limits = self.limits;
        let discarding = self.discarding.get_or_insert_with(|| {
            let now = Instant::now();
            let idle = Box::pin(sleep_until(now + limits.idle.min(limits.total)));
            Discarding { idle, end: now + limits.total, left: limits.bytes }
        });
        let mut buffer = [0; 8 * 1024];
        loop {
            let mut read = ReadBuf::new(&mut buffer);
            match Pin::new(&mut self.inner).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return discarding.idle.as_mut().poll(cx),
            }
            discarding.left = discarding.left.saturating_sub(read.filled().len());
            let now = Instant::now();
            if discarding.left == 0 || now >= discarding.end {
                return Poll::Ready(());
            }
            discarding.idle.as_mut().reset((now + limits.idle).min(discarding.end));
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lingering<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.unread.bytes_came();
        } else if buf.remaining() > 0 {
            self.is_ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.discarding.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            if self.is_ended || !self.unread.is_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_discard(cx).map(Ok)
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
