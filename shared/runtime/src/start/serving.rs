//! Starting the listeners and tasks of a service.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::sockets::{Socket, Sockets};
use crate::app::Task;
use crate::debug::{self, Insight};
use crate::health::Health;
use crate::layers::{Limits, Stack, recording_routes};
use crate::metrics::{Protocol, Requests};
use crate::readiness::Readiness;
use crate::request_body::RequestBody;
use crate::server::{ConnectionLimits, Listener, Server, Shutdown};
use crate::service::Listeners;
use crate::{App, Context, TrustedProxies};
use config::{Debug, Grpc, Http, Identity};

const DEBUG_LIMITS: Limits = Limits { concurrent: 64, timeout: Some(Duration::from_secs(5)) };

/// What is the same for all servers of a service.
pub(super) struct Serving {
    identity: Identity,
    connection_limits: ConnectionLimits,
    context: Context,
}

impl Serving {
    pub(super) fn new(identity: Identity, connection_limits: ConnectionLimits, context: Context) -> Self {
        Self { identity, connection_limits, context }
    }

    /// Serves the debug server.
    pub(super) fn debug(
        &self,
        listener: Option<Listener>,
        debug: &Debug,
        readiness: &Readiness,
        shown: Option<String>,
    ) -> Shutdown {
        let shutdown = Shutdown::default();
        let metrics = self.context.metrics.clone();
        let insight = Insight { readiness: readiness.clone(), metrics, shown, token: debug.token.clone() };
        if let Some(listener) = listener {
            let stack = self.stack(recording_routes(debug::router(debug, insight)), Protocol::Debug, DEBUG_LIMITS);
            let (limits, random) = (self.connection_limits, self.context.random.clone());
            Server { listener, tls: None, stack, limits, random, shutdown: shutdown.clone() }.spawn();
        }
        shutdown
    }

    /// Serves the app, and returns how to end it. Clients that watch its health are notified when `draining` is cancelled.
    pub(super) async fn app(
        &self,
        app: App,
        sockets: Sockets,
        listeners: &Listeners<'_>,
        readiness: &Readiness,
        draining: CancellationToken,
    ) -> Shutdown {
        let shutdown = Shutdown::default();
        readiness.built(app.checks);
        if let (Some(socket), Some(grpc), Some(routes)) = (sockets.grpc, listeners.grpc, app.grpc) {
            let (routes, health) = Health::beside(routes, self.identity.name).await;
            shutdown.tasks.spawn(health.follow(readiness.clone(), draining, shutdown.stop.clone()));
            let limits = limits(grpc.max_concurrent_requests, grpc.request_timeout, app.streaming);
            // Validation of the configuration has shown that they parse.
            let networks = TrustedProxies::parse(&grpc.trusted_networks).unwrap_or_default();
            let proxies = listeners.http.map(|http| TrustedProxies::parse(&http.trusted_proxies).unwrap_or_default());
            let requests = Requests::new(&self.context.metrics, self.identity.name, Protocol::Grpc);
            let stack =
                Arc::new(Stack::new(routes.prepare(), requests, limits).behind(networks, proxies.unwrap_or_default()));
            self.serve(socket, stack, self.connection_limits_of(grpc), &shutdown);
        }
        for (socket, service) in [(sockets.http, app.http), (sockets.mtls, app.mtls)] {
            if let (Some(socket), Some(http), Some(service)) = (socket, listeners.http, service) {
                let is_streaming = app.streaming;
                service.serve(HttpListener { serving: self, socket, http, is_streaming, shutdown: &shutdown });
            }
        }
        for task in app.tasks {
            let work = run(task, readiness.clone(), self.context.shutdown.clone());
            let abort = shutdown.abort.clone();
            shutdown.tasks.spawn(async move { abort.run_until_cancelled(work).await });
        }
        shutdown
    }

    fn serve<S, B>(&self, socket: Socket, stack: Arc<Stack<S>>, limits: ConnectionLimits, shutdown: &Shutdown)
    where
        S: Service<http::Request<RequestBody>, Response = http::Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        B: http_body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<crate::BoxError>,
    {
        let Socket { listener, tls, files } = socket;
        if let (Some(tls), Some(files)) = (&tls, files) {
            files.paths().for_each(|file| self.context.reload.watch(file));
            let (tls, stop, changes) = (Arc::clone(tls), shutdown.stop.clone(), self.context.reload.subscribe());
            shutdown.tasks.spawn(async move { stop.run_until_cancelled(tls.follow(changes)).await });
        }
        let random = self.context.random.clone();
        Server { listener, tls, stack, limits, random, shutdown: shutdown.clone() }.spawn();
    }

    fn stack<S>(&self, inner: S, protocol: Protocol, limits: Limits) -> Arc<Stack<S>> {
        let requests = Requests::new(&self.context.metrics, self.identity.name, protocol);
        Arc::new(Stack::new(inner, requests, limits))
    }

    fn connection_limits_of(&self, grpc: &Grpc) -> ConnectionLimits {
        let age = grpc.max_connection_age.unwrap_or(self.connection_limits.age);
        ConnectionLimits { age, header_bytes: grpc.max_header_size, ..self.connection_limits }
    }
}

/// A bound HTTP listener that waits for its service.
pub(crate) struct HttpListener<'a> {
    serving: &'a Serving,
    socket: Socket,
    http: &'a Http,
    is_streaming: bool,
    shutdown: &'a Shutdown,
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

fn limits(concurrent: usize, timeout: Duration, is_streaming: bool) -> Limits {
    Limits { concurrent, timeout: (!is_streaming).then_some(timeout) }
}

/// Runs a background task. If it panics, the service is no longer ready.
async fn run(task: Task, readiness: Readiness, shutdown: CancellationToken) {
    let ended = AssertUnwindSafe(task.future).catch_unwind().await;
    if ended.is_err() && !shutdown.is_cancelled() {
        tracing::error!(task = task.name, "the background task {} has panicked", task.name);
        readiness.lost(task.name);
    }
}
