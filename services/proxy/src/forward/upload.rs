//! A request's body on its way to a backend: bounded, watched, and without trailers that say who somebody is.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http::header::EXPECT;
use http::{HeaderMap, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use crate::headers::RequestFilter;

/// How much of a refused body is read: dropping it unread costs a client its connection.
const DRAINED: usize = 64 * 1024;
/// How long that may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(1);

/// The body, on its way over one connection.
pub(super) struct Upload {
    left: Option<u64>,
    /// Which of the request's connections it is for.
    attempt: u32,
    progress: Progress,
}

/// How far a body has come. Clones share it.
#[derive(Clone)]
pub(super) struct Progress(Arc<State>);

struct State {
    source: Mutex<Source>,
    /// How many bytes are passed on at most.
    most: Option<u64>,
    /// What is left of its trailers.
    filter: Arc<RequestFilter>,
    begin: Instant,
    /// When something last happened, in milliseconds after `begin`.
    moved: AtomicU64,
    too_long: AtomicBool,
    broken: AtomicBool,
    /// Whether the backend waits for bytes of the client.
    waiting: AtomicBool,
}

/// What the client sends.
struct Source {
    body: Body,
    /// Something of it was read, so that it cannot be sent again.
    is_touched: bool,
    /// Which connection may read it.
    attempt: u32,
}

/// Why a request has no answer.
pub(super) enum Failed {
    /// Its body is longer than the route allows.
    TooLong,
    /// Its body is none.
    Broken,
    /// The client has stopped sending for too long.
    Stalled,
    /// Nothing has happened for too long.
    Silent,
    /// The backend cannot be asked.
    Backend(hyper_util::client::legacy::Error),
}

impl Upload {
    /// A body of which at most so many bytes are passed on, and of its trailers what the filter leaves.
    pub(super) fn new(inner: Body, most: Option<u64>, filter: Arc<RequestFilter>) -> (Self, Progress) {
        let state = State {
            source: Mutex::new(Source { body: inner, is_touched: false, attempt: 0 }),
            most,
            filter,
            begin: Instant::now(),
            moved: AtomicU64::new(0),
            too_long: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
        };
        let progress = Progress(Arc::new(state));
        (Self { left: most, attempt: 0, progress: progress.clone() }, progress)
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match self.progress.poll_frame(self.attempt, cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            other => return other,
        };
        self.progress.move_on();
        let frame = match frame.into_trailers() {
            Ok(mut trailers) => {
                self.progress.0.filter.strip(&mut trailers);
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        if let Some(left) = &mut self.left {
            let Some(rest) = left.checked_sub(length) else {
                self.progress.0.too_long.store(true, Ordering::Release);
                return Poll::Ready(Some(Err("the body is longer than the route allows".into())));
            };
            *left = rest;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.progress.source().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.progress.source().body.size_hint()
    }
}

impl Progress {
    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_frame(&self, attempt: u32, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let mut source = self.source();
        if source.attempt != attempt {
            // an end would look like that of a whole body
            return Poll::Ready(Some(Err("the body is sent over another connection".into())));
        }
        let polled = Pin::new(&mut source.body).poll_frame(cx);
        self.0.waiting.store(polled.is_pending(), Ordering::Release);
        let polled = ready!(polled);
        source.is_touched |= polled.is_some();
        if let Some(Err(_)) = &polled {
            self.0.broken.store(true, Ordering::Release);
        }
        Poll::Ready(polled.map(|frame| frame.map_err(Into::into)))
    }

    /// The body for another connection, if nothing of it was read. The former connection can read it no more.
    pub(super) fn again(&self) -> Option<Upload> {
        let mut source = self.source();
        if source.is_touched {
            return None;
        }
        source.attempt += 1;
        Some(Upload { left: self.0.most, attempt: source.attempt, progress: self.clone() })
    }

    fn move_on(&self) {
        let at = u64::try_from(self.0.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.moved.store(at, Ordering::Release);
    }

    fn idle_since(&self) -> Instant {
        self.0.begin + Duration::from_millis(self.0.moved.load(Ordering::Acquire))
    }

    /// Waits for an answer as long as something happens: a long upload is no silence.
    pub(super) async fn watch<T>(
        &self,
        patience: Duration,
        answer: impl Future<Output = Result<T, hyper_util::client::legacy::Error>>,
    ) -> Result<T, Failed> {
        let mut answer = std::pin::pin!(answer);
        loop {
            let until = self.idle_since() + patience;
            match tokio::time::timeout_at(until.into(), &mut answer).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(_)) if self.0.too_long.load(Ordering::Acquire) => return Err(Failed::TooLong),
                Ok(Err(_)) if self.0.broken.load(Ordering::Acquire) => return Err(Failed::Broken),
                Ok(Err(error)) => return Err(Failed::Backend(error)),
                Err(_) if self.idle_since() + patience > Instant::now() => {}
                Err(_) if self.0.waiting.load(Ordering::Acquire) => return Err(Failed::Stalled),
                Err(_) => return Err(Failed::Silent),
            }
        }
    }
}

/// Reads the rest of a refused body, if it is short. An HTTP/1 client that waits for 100 (RFC 9110 10.1.1) is not asked to send it.
pub(super) async fn drain(body: Body, version: Version, headers: &HeaderMap) {
    let is_short = body.size_hint().upper().is_some_and(|most| most <= DRAINED as u64);
    let is_kept_for_it = version >= Version::HTTP_2 || (is_short && !headers.contains_key(EXPECT));
    if body.is_end_stream() || !is_kept_for_it {
        return;
    }
    let mut body = Limited::new(body, DRAINED);
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    // whatever is left then is the client's loss
    let _ = tokio::time::timeout(DRAINED_WITHIN, read).await;
}
