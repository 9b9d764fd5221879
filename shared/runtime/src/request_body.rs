//! The body of a request, and how far it has come.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// A request's body as its connection delivers it.
pub(crate) struct RequestBody {
    inner: Incoming,
    /// `None` where there is no body.
    progress: Option<Progress>,
}

/// How far the body of a request has come. Clones see the same.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    state: Arc<AtomicU8>,
    unread: Unread,
}

/// The handler waits for bytes of the client.
const WAITING: u8 = 1;
/// The body was read to its end.
const ENDED: u8 = 2;
/// The body was dropped before its end.
const DROPPED: u8 = 4;

impl Progress {
    fn set(&self, flag: u8) {
        self.state.fetch_or(flag, Ordering::Relaxed);
    }

    fn has(&self, flag: u8) -> bool {
        self.state.load(Ordering::Relaxed) & flag != 0
    }

    /// Whether the client has stopped sending in the midst of its body: a handler waits, or waited to its end, for more.
    pub(crate) fn is_stalled(&self) -> bool {
        self.has(WAITING)
    }

    /// Whether no handler will read the rest.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.has(DROPPED)
    }
}

impl RequestBody {
    /// The body of a request on a connection that learns by `unread` when it is read.
    pub(crate) fn new(inner: Incoming, unread: &Unread) -> Self {
        let progress = (!inner.is_end_stream()).then(|| Progress { state: Arc::default(), unread: unread.clone() });
        Self { inner, progress }
    }

    /// How far it has come; `None` where there is no body.
    pub(crate) fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Some(progress) = &self.progress {
            if polled.is_pending() {
                progress.set(WAITING);
            } else {
                progress.state.fetch_and(!WAITING, Ordering::Relaxed);
            }
            if matches!(polled, Poll::Ready(None)) || self.inner.is_end_stream() {
                progress.set(ENDED);
                progress.unread.end();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(progress) = self.progress.as_ref().filter(|progress| !progress.has(ENDED)) {
            progress.set(DROPPED);
        }
    }
}

/// Whether a client may be sending what no handler reads. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unread(Arc<AtomicU8>);

const READ: u8 = 0;
const UNREAD: u8 = 1;
/// HTTP/2 closes streams, not connections.
const NEVER: u8 = 2;

impl Unread {
    /// That of a connection that is closed at once.
    pub(crate) fn never() -> Self {
        Self(Arc::new(AtomicU8::new(NEVER)))
    }

    /// A request has come, with a body or without.
    pub(crate) fn begin(&self, version: http::Version, has_body: bool) {
        let state = match version {
            http::Version::HTTP_2 | http::Version::HTTP_3 => NEVER,
            _ if has_body => UNREAD,
            _ => READ,
        };
        self.0.store(state, Ordering::Relaxed);
    }

    /// The request's body has been read to its end.
    pub(crate) fn end(&self) {
        self.change(UNREAD, READ);
    }

    /// The client has sent bytes.
    pub(crate) fn bytes_came(&self) {
        self.change(READ, UNREAD);
    }

    /// Whether it may be sending such bytes now.
    pub(crate) fn is_unread(&self) -> bool {
        self.0.load(Ordering::Relaxed) == UNREAD
    }

    fn change(&self, from: u8, to: u8) {
        // what it was otherwise is right
        let _ = self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    }
}
