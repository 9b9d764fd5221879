//! The body of a response, which is measured to its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::refusal;
use crate::metrics::Measurement;

/// The body of a handler, or a short text. The request counts as in flight until the body is sent; a gRPC stream that is dropped before
/// its trailers counts as cancelled.
pub(crate) struct Body<B> {
    content: Content<B>,
    measurement: Option<Measurement>,
    permit: Option<OwnedSemaphorePermit>,
}

enum Content<B> {
    Served(B),
    Text(&'static str),
}

impl<B> Body<B> {
    pub(super) fn served(body: B) -> Self {
        Self { content: Content::Served(body), measurement: None, permit: None }
    }

    pub(super) fn text(text: &'static str) -> Self {
        Self { content: Content::Text(text), measurement: None, permit: None }
    }

    pub(super) fn empty() -> Self {
        Self::text("")
    }

    /// Ends the measurement when the body ends.
    pub(super) fn measure(&mut self, measurement: Measurement) {
        self.measurement = Some(measurement);
    }

    /// Keeps the request's permit until the body ends.
    pub(super) fn hold(&mut self, permit: Option<OwnedSemaphorePermit>) {
        self.permit = permit;
    }

    /// Records the end of the stream. Without trailers it counts as successful.
    fn ended(&mut self, trailers: Option<&http::HeaderMap>) {
        if let Some(mut measurement) = self.measurement.take()
            && !measurement.has_ended()
        {
            measurement.ended(trailers.and_then(refusal::grpc_code).unwrap_or_default());
        }
        self.permit = None;
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = match &mut self.content {
            Content::Served(body) => Pin::new(body).poll_frame(cx),
            Content::Text(text) => {
                let text = std::mem::take(text);
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
            }
        };
        match &polled {
            Poll::Ready(None) => self.ended(None),
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => self.ended(frame.trailers_ref()),
            Poll::Pending | Poll::Ready(Some(_)) => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Served(body) => body.is_end_stream(),
            Content::Text(text) => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Served(body) => body.size_hint(),
            Content::Text(text) => SizeHint::with_exact(text.len() as u64),
        }
    }
}
