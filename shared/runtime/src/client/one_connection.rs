//! Requests to an IP address or a Unix socket: over one connection, which is made again when it has ended.

use std::task::{Context, Poll};
use std::time::Duration;

use authn::BoxError;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

use super::replay::Replay;
use super::{for_caller, is_sent_again};

/// Sends requests over one connection. Clones share it.
#[derive(Clone)]
pub(super) struct OneConnection {
    channel: Channel,
    /// How long until an answer begins; `None` for as long as it takes.
    timeout: Option<Duration>,
}

impl OneConnection {
    /// The connection that this channel makes when it is first used. After `timeout`, no request is sent again.
    pub(super) fn new(channel: Channel, timeout: Option<Duration>) -> Self {
        Self { channel, timeout }
    }
}

impl Service<Request<Body>> for OneConnection {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(send(self.clone(), request))
    }
}

/// Sends a request, and again if the connection ended before the peer processed it, or if the peer may process it twice.
async fn send(connection: OneConnection, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let deadline = connection.timeout.map(|timeout| Instant::now() + timeout);
    let (parts, body) = request.into_parts();
    let body = Replay::new(body);
    let mut ended = 0;
    loop {
        let mut channel = connection.channel.clone();
        let attempt = Request::from_parts(parts.clone(), body.attempt());
        let outcome = match channel.ready().await {
            Ok(channel) => channel.call(attempt).await,
            Err(error) => Err(error),
        };
        let error = match outcome {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if is_late || !is_sent_again(&error, &parts, &body, ended) {
            return Err(for_caller(error));
        }
        ended += 1;
    }
}
