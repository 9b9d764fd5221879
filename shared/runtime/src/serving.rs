//! Serving on a bound socket. It is below [`App`](crate::App), whose services start themselves on an [`HttpListener`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use authn::BoxError;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use tokio::sync::watch;
use tower::{Service, ServiceExt};

use crate::layers::{Limits, Stack};
use crate::metrics::{Protocol, Requests};
use crate::reload_metrics::ReloadMetrics;
use crate::request_body::RequestBody;
use crate::server::{ConnectionLimits, Listener, Server, Shutdown};
use crate::tls::{ServerFiles, ServerTls};
use crate::{Context, TrustedProxies};
use config::{Grpc, Http, Identity};

/// A bound socket with its certificate.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) listener: Listener,
    pub(crate) tls: Option<Arc<ServerTls>>,
    /// What the certificate is made of. It is watched.
    pub(crate) files: Option<ServerFiles>,
    /// The changes of files since before they were read.
    pub(crate) changes: watch::Receiver<u64>,
}

/// What is the same for all servers of a service.
pub(crate) struct Serving {
    pub(crate) identity: Identity,
    pub(crate) connection_limits: ConnectionLimits,
    pub(crate) context: Context,
}

impl Serving {
    pub(crate) fn serve<S, B>(
        &self,
        socket: Socket,
        stack: Arc<Stack<S>>,
        limits: ConnectionLimits,
        shutdown: &Shutdown,
    ) where
        S: Service<http::Request<RequestBody>, Response = http::Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        B: http_body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let Socket { listener, tls, files, changes } = socket;
        if let (Some(tls), Some(files)) = (&tls, files) {
            let (tls, stop) = (Arc::clone(tls), shutdown.stop.clone());
            let metrics = ReloadMetrics::of(&self.context.metrics, self.identity.name, files.setting());
            let following = async move {
                stop.run_until_cancelled(tls.follow(changes, &metrics)).await;
            };
            shutdown.tasks.spawn(self.context.background.noted("certificates", following));
        }
        let random = self.context.random.clone();
        Server { listener, tls, stack, limits, random, shutdown: shutdown.clone() }.spawn(&self.context.background);
    }

    pub(crate) fn stack<S>(&self, inner: S, protocol: Protocol, limits: Limits) -> Arc<Stack<S>> {
        let requests = Requests::new(&self.context.metrics, self.identity.name, protocol);
        Arc::new(Stack::new(inner, requests, limits))
    }

    pub(crate) fn connection_limits_of(&self, grpc: &Grpc) -> ConnectionLimits {
        let age = grpc.max_connection_age.unwrap_or(self.connection_limits.age);
        ConnectionLimits { age, header_bytes: grpc.max_header_size, ..self.connection_limits }
    }
}

/// A bound HTTP listener that waits for its service.
pub(crate) struct HttpListener<'a> {
    pub(crate) serving: &'a Serving,
    pub(crate) socket: Socket,
    pub(crate) http: &'a Http,
    pub(crate) is_streaming: bool,
    pub(crate) shutdown: &'a Shutdown,
}

impl HttpListener<'_> {
    /// Its settings.
    pub(crate) fn settings(&self) -> &Http {
        self.http
    }

    /// Serves it.
    pub(crate) fn serve<S>(self, service: S)
    where
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let Self { serving, socket, http, is_streaming, shutdown } = self;
        let service = service.map_request(|request: http::Request<RequestBody>| request.map(Body::new));
        let limits = limits(http.max_concurrent_requests, http.request_timeout, is_streaming);
        let requests = Requests::new(&serving.context.metrics, serving.identity.name, Protocol::Http);
        // Validation of the configuration has shown that they parse.
        let proxies = TrustedProxies::parse(&http.trusted_proxies).unwrap_or_default();
        let stack = Arc::new(Stack::new(service, requests, limits).behind(proxies.clone(), proxies));
        let connection_limits = ConnectionLimits { header_bytes: http.max_header_size, ..serving.connection_limits };
        serving.serve(socket, stack, connection_limits, shutdown);
    }
}

/// The limits of a server. Streams have no timeout.
pub(crate) fn limits(concurrent: usize, timeout: Duration, is_streaming: bool) -> Limits {
    Limits { concurrent, timeout: (!is_streaming).then_some(timeout) }
}
