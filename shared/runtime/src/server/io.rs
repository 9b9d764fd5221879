//! The byte stream of a connection: it detects clients that send nothing, and has short gRPC messages written at once.

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
    /// Whether it takes several buffers in one write. Before its first write a gRPC connection says that it does not: h2 asks
    /// then how long a message may be so that it is copied into one buffer with the frames around it, and takes 1 KiB
    /// instead of 256 bytes. Most responses are between the two, and would need a write before their trailers and one after.
    is_vectored: bool,
}

impl<T> PrefaceStream<T> {
    pub(super) fn new(inner: T, preface_guard: PrefaceGuard, is_grpc: bool) -> Self {
        Self { inner, preface_guard: Some(preface_guard), is_vectored: !is_grpc }
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
        self.is_vectored = true;
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
        self.is_vectored && self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// A stream that counts the writes.
    struct Counted(tokio::io::DuplexStream, Arc<AtomicUsize>);

    impl AsyncRead for Counted {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.0).poll_write(cx, buf)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }
    }

    /// How many writes a response of 600 bytes with trailers takes.
    async fn writes_of_a_response(is_grpc: bool) -> usize {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let writes = Arc::new(AtomicUsize::new(0));
        let stream = PrefaceStream::new(Counted(near, Arc::clone(&writes)), PrefaceGuard::default(), is_grpc);
        let client = async {
            let (mut requests, connection) = h2::client::handshake(far).await.expect("a client");
            tokio::spawn(connection);
            let (response, _) = requests.send_request(http::Request::default(), true).expect("sends");
            let mut body = response.await.expect("a response").into_body();
            while let Some(data) = body.data().await {
                data.expect("data");
            }
            body.trailers().await.expect("trailers")
        };
        let server = async {
            let mut connection = h2::server::handshake(stream).await.expect("a server");
            let (_, mut respond) = connection.accept().await.expect("a request").expect("is well-formed");
            let before = writes.load(Ordering::Relaxed);
            let mut body = respond.send_response(http::Response::default(), false).expect("sends");
            body.send_data(Bytes::from_static(&[7; 600]), false).expect("sends");
            body.send_trailers(http::HeaderMap::new()).expect("sends");
            // drives the connection until the client has read all and leaves
            assert!(connection.accept().await.is_none_or(|request| request.is_err()));
            writes.load(Ordering::Relaxed) - before
        };
        tokio::join!(server, client).0
    }

    #[tokio::test]
    async fn short_grpc_response_is_one_write() {
        assert_eq!((writes_of_a_response(true).await, writes_of_a_response(false).await), (1, 2));
    }
}
