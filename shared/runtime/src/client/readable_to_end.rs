//! A stream that can be read to its end when the peer has closed it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose writes do not fail once the peer has closed it: they are discarded. h2 gives up a connection when a write fails, and
/// does not read what has arrived before. That may be the GOAWAY by which the peer says which requests it has not processed, or the
/// response to another request. The reader gets all of it, then the end of the stream or its error.
pub(super) struct ReadableToEnd<T> {
    inner: T,
    /// Whether the peer takes nothing more.
    is_closed: bool,
}

impl<T> ReadableToEnd<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, is_closed: false }
    }

    /// What the writer gets for a write of so many bytes.
    fn outcome(&mut self, written: io::Result<usize>, length: usize) -> io::Result<usize> {
        match written {
            Err(error) if is_closed_by_peer(&error) => {
                self.is_closed = true;
                Ok(length)
            }
            written => written,
        }
    }
}

fn is_closed_by_peer(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

impl<T: AsyncRead + Unpin> AsyncRead for ReadableToEnd<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ReadableToEnd<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_closed {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        Poll::Ready(self.outcome(written, bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_flush(cx)) {
            Err(error) if is_closed_by_peer(&error) => {
                self.is_closed = true;
                Ok(())
            }
            flushed => flushed,
        })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        if self.is_closed {
            return Poll::Ready(Ok(length));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, slices));
        Poll::Ready(self.outcome(written, length))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// SETTINGS, and a GOAWAY that says that no request was processed.
    const FAREWELL: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// A peer that takes the preface of the connection only, and is read after the first write that fails.
    #[derive(Default)]
    struct Closing {
        has_preface: bool,
        unread: Option<&'static [u8]>,
        reader: Option<Waker>,
    }

    impl AsyncRead for Closing {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let Some(unread) = self.unread else {
                self.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let (now, later) = unread.split_at(unread.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.unread = Some(later);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Closing {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            if !self.has_preface {
                self.has_preface = true;
                return Poll::Ready(Ok(bytes.len()));
            }
            self.unread = Some(FAREWELL);
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
            Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn goaway_is_read_although_the_request_cannot_be_written() {
        let (mut requests, connection) =
            h2::client::handshake(ReadableToEnd::new(Closing::default())).await.expect("a client");
        let (response, _) = requests.send_request(http::Request::default(), true).expect("is queued");
        tokio::spawn(connection);
        let error = response.await.expect_err("there is no response");
        assert!(crate::client::is_unprocessed(&error), "{error:?}");
    }

    #[tokio::test]
    async fn socket_that_the_peer_has_reset_is_read_to_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connects");
        let (mut peer, _) = listener.accept().await.expect("accepts");
        let mut stream = ReadableToEnd::new(client);
        stream.write_all(b"unread").await.expect("writes");
        // a connection that is closed with bytes unread is reset
        peer.readable().await.expect("they have arrived");
        peer.write_all(b"the last response").await.expect("writes");
        drop(peer);
        let until_closed = async {
            while !stream.is_closed {
                stream.write_all(b"too late").await.expect("a write does not fail");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until_closed).await.expect("in time");
        let mut read = vec![0; 17];
        stream.read_exact(&mut read).await.expect("what was sent before can be read");
        assert_eq!(read, b"the last response");
    }
}
