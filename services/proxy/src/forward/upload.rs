//! The body of a forwarded request: limited, with a timeout, and without trailers that claim an identity.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http::header::EXPECT;
use http::{HeaderMap, HeaderName, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use crate::headers::{RequestFilter, remove_spellings};
use crate::routes::Route;

/// How many bytes of a refused body are read, so that the client can keep its connection.
const DRAIN_LIMIT: usize = 64 * 1024;
/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The body as one connection sends it.
pub(super) struct Upload {
    left: Option<u64>,
    /// The number of the request's connection.
    attempt: u32,
    progress: Progress,
}

/// The progress of a body. Clones share it.
#[derive(Clone)]
pub(super) struct Progress(Arc<State>);

struct State {
    source: Mutex<Source>,
    /// The most bytes that are forwarded.
    most: Option<u64>,
    /// Removes trailers.
    filter: Arc<RequestFilter>,
    /// The headers in which backends read the user, which are removed from trailers too.
    user_headers: Arc<[HeaderName]>,
    begin: Instant,
    /// The time of the last progress, in milliseconds after `begin`.
    moved: AtomicU64,
    too_long: AtomicBool,
    broken: AtomicBool,
    /// Whether the backend waits for the client.
    waiting: AtomicBool,
}

/// The body as the client sends it.
struct Source {
    body: Body,
    /// Whether a part of it was read, so that it cannot be sent again.
    is_started: bool,
    /// The number of the connection that may read it.
    attempt: u32,
}

/// Why there is no response of the backend.
pub(super) enum Failure {
    /// The body is longer than the route allows.
    TooLong,
    /// The client has not sent the body to its end.
    Incomplete,
    /// The client has paused for too long.
    Stalled,
    /// The backend has made no progress for too long.
    Timeout,
    /// The backend cannot be reached.
    Backend(hyper_util::client::legacy::Error),
}

impl Upload {
    /// A body for a route, with the trailers that the filter leaves.
    pub(super) fn new(inner: Body, route: &Route, filter: Arc<RequestFilter>) -> (Self, Progress) {
        let most = route.max_body;
        let state = State {
            source: Mutex::new(Source { body: inner, is_started: false, attempt: 0 }),
            most,
            filter,
            user_headers: Arc::clone(&route.user_headers),
            begin: Instant::now(),
            moved: AtomicU64::new(0),
            too_long: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
        };
        let progress = Progress(Arc::new(state));
        (Self { left: most, attempt: 0, progress: progress.clone() }, progress)
    }

    /// Its progress.
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
                let State { filter, user_headers, .. } = &*self.progress.0;
                filter.strip(&mut trailers);
                user_headers.iter().for_each(|name| remove_spellings(&mut trailers, name));
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
            // An end would look like the end of the whole body.
            return Poll::Ready(Some(Err("the body is sent over another connection".into())));
        }
        let polled = Pin::new(&mut source.body).poll_frame(cx);
        self.0.waiting.store(polled.is_pending(), Ordering::Release);
        let polled = ready!(polled);
        source.is_started |= polled.is_some();
        if let Some(Err(_)) = &polled {
            self.0.broken.store(true, Ordering::Release);
        }
        Poll::Ready(polled.map(|frame| frame.map_err(Into::into)))
    }

    /// The body for another connection, if no part was read. The former connection can no longer read it.
    pub(super) fn again(&self) -> Option<Upload> {
        let mut source = self.source();
        if source.is_started {
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

    /// Waits for the response as long as the body makes progress.
    pub(super) async fn watch<T>(
        &self,
        timeout: Duration,
        answer: impl Future<Output = Result<T, hyper_util::client::legacy::Error>>,
    ) -> Result<T, Failure> {
        let mut answer = std::pin::pin!(answer);
        loop {
            let until = self.idle_since() + timeout;
            match tokio::time::timeout_at(until.into(), &mut answer).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(_)) if self.0.too_long.load(Ordering::Acquire) => return Err(Failure::TooLong),
                Ok(Err(_)) if self.0.broken.load(Ordering::Acquire) => return Err(Failure::Incomplete),
                Ok(Err(error)) => return Err(Failure::Backend(error)),
                Err(_) if self.idle_since() + timeout > Instant::now() => {}
                Err(_) if self.0.waiting.load(Ordering::Acquire) => return Err(Failure::Stalled),
                Err(_) => return Err(Failure::Timeout),
            }
        }
    }
}

/// Reads the rest of a refused body, if it is short, and no HTTP/1 client waits for 100 (RFC 9110 10.1.1) to send it.
pub(super) async fn drain(body: Body, version: Version, headers: &HeaderMap) {
    let is_short = body.size_hint().upper().is_some_and(|most| most <= DRAIN_LIMIT as u64);
    let is_worth_it = version >= Version::HTTP_2 || (is_short && !headers.contains_key(EXPECT));
    if body.is_end_stream() || !is_worth_it {
        return;
    }
    let mut body = Limited::new(body, DRAIN_LIMIT);
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    // The connection is closed if a rest is left.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, read).await;
}
