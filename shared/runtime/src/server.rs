//! One way to serve, whether gRPC or HTTP, TCP or Unix socket, with TLS or without.

mod connection;
mod head;
mod io;
mod linger;
mod listener;
mod plain_http;
mod redirect;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::layers::Stack;
use crate::request_body::RequestBody;
use crate::tls::ServerTls;
use crate::{Background, Random};
use config::MAX_HEADER_SIZE;

pub(crate) use linger::LingerLimits;
pub(crate) use listener::{BindError, Listener};
pub(crate) use plain_http::RedirectPort;
pub(crate) use redirect::RedirectServer;

/// The limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    /// The time for the TLS handshake.
    pub(crate) handshake: Duration,
    /// The time until the client has sent as many bytes as the preface of HTTP/2 has.
    pub(crate) preface: Duration,
    /// The time for the head of an HTTP/1 request.
    pub(crate) headers: Duration,
    /// The age at which a connection is closed gracefully; a tenth more or less, so that not all close at once.
    pub(crate) age: Duration,
    /// The most connections; further ones wait to be accepted.
    pub(crate) connections: usize,
    /// The largest headers of a request, in bytes.
    pub(crate) header_bytes: usize,
    /// For a client that is still sending when its connection is closed.
    pub(crate) linger: LingerLimits,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            preface: Duration::from_secs(5),
            headers: Duration::from_secs(10),
            age: Duration::from_mins(30),
            connections: 16_384,
            header_bytes: MAX_HEADER_SIZE,
            linger: LingerLimits::default(),
        }
    }
}

/// Ends a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown {
    /// Closes the listener, and connections when their requests are finished.
    pub(crate) stop: CancellationToken,
    /// Closes the remaining connections at once.
    pub(crate) abort: CancellationToken,
    /// The tasks that end.
    pub(crate) tasks: TaskTracker,
}

/// A listener, and what it serves.
pub(crate) struct Server<S> {
    pub(crate) listener: Listener,
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) stack: Arc<Stack<S>>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) random: Random,
    pub(crate) shutdown: Shutdown,
}

impl<S, B> Server<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<authn::BoxError>,
{
    /// Serves in the background until it is stopped.
    pub(crate) fn spawn(self, background: &Background) {
        let tasks = self.shutdown.tasks.clone();
        tasks.spawn(background.noted("accepting connections", self.accept()));
    }

    async fn accept(self) {
        let Shutdown { stop, abort, tasks } = self.shutdown;
        let permits = Arc::new(Semaphore::new(self.limits.connections.min(Semaphore::MAX_PERMITS)));
        loop {
            let accepted = stop.run_until_cancelled(async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                (self.listener.accept().await, permit)
            });
            let Some((accepted, permit)) = accepted.await else { break };
            let (stream, addr) = match accepted {
                Ok(accepted) => accepted,
                Err(problem) => {
                    listener::after(&problem).await;
                    continue;
                }
            };
            let connection = connection::Connection {
                addr,
                tls: self.tls.as_ref().map(|tls| tls.current()),
                issued: self.tls.as_ref().and_then(|tls| tls.issued()).cloned(),
                stack: Arc::clone(&self.stack),
                limits: self.limits,
                age: jittered(self.limits.age, &self.random),
                stop: stop.clone(),
            };
            let abort = abort.clone();
            tasks.spawn(async move {
                let _permit = permit;
                abort.run_until_cancelled(connection.serve(stream)).await;
            });
        }
    }
}

/// A tenth more or less.
fn jittered(age: Duration, random: &Random) -> Duration {
    let thousandths = u32::try_from(random.below(201)).unwrap_or_default() + 900;
    age / 1000 * thousandths
}
