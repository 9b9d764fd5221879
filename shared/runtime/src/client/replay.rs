//! Bodies of requests that can be sent again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

/// The most bytes of a body that are held to be sent again.
const MOST: usize = 64 * 1024;

/// The body of a request, which can be sent again as long as it is short.
pub(super) struct Replay(Arc<Mutex<Source>>);

struct Source {
    body: Body,
    /// What was read of it.
    read: Vec<Bytes>,
    bytes: usize,
    /// Whether the last attempt has read anything, be it the end.
    is_begun: bool,
    /// Whether `read` is all that was read.
    is_complete: bool,
}

impl Replay {
    pub(super) fn new(body: Body) -> Self {
        let source = Source { body, read: Vec::new(), bytes: 0, is_begun: false, is_complete: true };
        Self(Arc::new(Mutex::new(source)))
    }

    /// The body from its beginning, for one attempt at a time.
    pub(super) fn attempt(&self) -> Body {
        lock(&self.0).is_begun = false;
        Body::new(Attempt { source: Arc::clone(&self.0), position: 0 })
    }

    /// Whether the last attempt has read of it: if it has not, no message of that attempt has left.
    pub(super) fn is_begun(&self) -> bool {
        lock(&self.0).is_begun
    }

    /// Whether another attempt can be made.
    pub(super) fn is_repeatable(&self) -> bool {
        lock(&self.0).is_complete
    }
}

fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    fn note(&mut self, frame: Option<&Result<Frame<Bytes>, Status>>) {
        let data = match frame {
            None => return,
            Some(frame) => frame.as_ref().ok().and_then(Frame::data_ref),
        };
        match data {
            Some(data) if self.is_complete && self.bytes + data.len() <= MOST => {
                self.bytes += data.len();
                self.read.push(data.clone());
            }
            _ => {
                self.is_complete = false;
                self.read.clear();
            }
        }
    }
}

/// The body of one attempt.
struct Attempt {
    source: Arc<Mutex<Source>>,
    /// How many frames this attempt has read.
    position: usize,
}

impl http_body::Body for Attempt {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let mut source = lock(&this.source);
        source.is_begun = true;
        let frame = if let Some(data) = source.read.get(this.position).cloned() {
            Some(Ok(Frame::data(data)))
        } else {
            let frame = ready!(Pin::new(&mut source.body).poll_frame(context));
            source.note(frame.as_ref());
            frame
        };
        this.position += 1;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let source = lock(&self.source);
        self.position >= source.read.len() && source.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    /// A body of these pieces.
    fn body(pieces: &[usize]) -> Body {
        struct Pieces(Vec<usize>);
        impl http_body::Body for Pieces {
            type Data = Bytes;
            type Error = Status;
            fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
                Poll::Ready(self.0.pop().map(|bytes| Ok(Frame::data(Bytes::from(vec![b'x'; bytes])))))
            }
        }
        Body::new(Pieces(pieces.iter().rev().copied().collect()))
    }

    /// The lengths of the frames that one attempt reads, at most so many.
    async fn read(replay: &Replay, most: usize) -> Vec<usize> {
        let (mut attempt, mut lengths) = (replay.attempt(), Vec::new());
        while lengths.len() < most {
            let frame = std::future::poll_fn(|context| Pin::new(&mut attempt).poll_frame(context)).await;
            let Some(frame) = frame else { break };
            lengths.push(frame.expect("is read").into_data().expect("is data").len());
        }
        lengths
    }

    #[tokio::test]
    async fn short_body_is_sent_again_from_its_beginning() {
        let replay = Replay::new(body(&[1, 2, 3]));
        assert!(!replay.is_begun() && replay.is_repeatable());
        assert_eq!(read(&replay, 2).await, [1, 2]);
        assert!(replay.is_begun() && replay.is_repeatable());
        assert_eq!(read(&replay, 9).await, [1, 2, 3]);
        assert_eq!(read(&replay, 9).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn attempt_that_reads_nothing_has_sent_nothing_whatever_the_one_before_has_sent() {
        let replay = Replay::new(body(&[1]));
        assert_eq!(read(&replay, 9).await, [1]);
        assert!(replay.is_begun());
        drop(replay.attempt());
        assert!(!replay.is_begun() && replay.is_repeatable());
    }

    #[tokio::test]
    async fn long_body_is_sent_once() {
        let replay = Replay::new(body(&[MOST, 1, 1]));
        assert_eq!(read(&replay, 1).await, [MOST]);
        assert!(replay.is_repeatable());
        assert_eq!(read(&replay, 9).await, [MOST, 1, 1]);
        assert!(!replay.is_repeatable());
    }
}
