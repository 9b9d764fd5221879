//! Setting everything of a service in motion.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tower::Layer;

use super::sockets::{Socket, Sockets};
use crate::app::Task;
use crate::config::{Debug, Grpc, Http, Identity};
use crate::debug::{self, Insight};
use crate::health::Health;
use crate::layers::{Limits, Stack, telling_routes};
use crate::metrics::{Protocol, Requests};
use crate::readiness::Readiness;
use crate::server::{Ending, Listener, Patience, Server};
use crate::service::Listeners;
use crate::shortcut::{Shortcut, Shortened};
use crate::{App, Context, TrustedProxies};

const DEBUG_LIMITS: Limits = Limits { concurrent: 64, timeout: Some(Duration::from_secs(5)) };

/// What is the same for all servers of a service.
pub(super) struct Serving {
    identity: Identity,
    patience: Patience,
    context: Context,
}

impl Serving {
    pub(super) fn new(identity: Identity, patience: Patience, context: Context) -> Self {
        Self { identity, patience, context }
    }

    /// Serves the debug server.
    pub(super) fn debug(
        &self,
        listener: Option<Listener>,
        debug: &Debug,
        readiness: &Readiness,
        shown: Option<String>,
    ) -> Ending {
        let ending = Ending::default();
        let metrics = self.context.metrics.clone();
        let insight = Insight { readiness: readiness.clone(), metrics, shown, token: debug.token.clone() };
        if let Some(listener) = listener {
            let stack = self.stack(telling_routes(debug::router(debug, insight)), Protocol::Debug, DEBUG_LIMITS);
            let (patience, random) = (self.patience, self.context.random.clone());
            Server { listener, tls: None, stack, patience, random, ending: ending.clone() }.spawn();
        }
        ending
    }

    /// Serves what was built, and returns how to end it. Clients that watch its health are told when `draining` is cancelled.
    pub(super) async fn app(
        &self,
        app: App,
        sockets: Sockets,
        listeners: &Listeners<'_>,
        readiness: &Readiness,
        draining: CancellationToken,
    ) -> Ending {
        let ending = Ending::default();
        readiness.built(app.checks);
        if let (Some(socket), Some(grpc), Some(routes)) = (sockets.grpc, listeners.grpc, app.grpc) {
            let (routes, health) = Health::beside(routes, self.identity.name).await;
            ending.tasks.spawn(health.follow(readiness.clone(), draining, ending.stop.clone()));
            let limits = limits(grpc.max_concurrent_requests, grpc.request_timeout, app.streaming);
            // that they can be read was seen when the configuration was
            let networks = TrustedProxies::parse(&grpc.trusted_networks).unwrap_or_default();
            let proxies = listeners.http.map(|http| TrustedProxies::parse(&http.trusted_proxies).unwrap_or_default());
            let requests = Requests::new(&self.context.metrics, self.identity.name, Protocol::Grpc);
            let stack =
                Arc::new(Stack::new(routes.prepare(), requests, limits).behind(networks, proxies.unwrap_or_default()));
            self.serve(socket, stack, self.patience_of(grpc), &ending);
        }
        for (socket, router, shortcut) in [(sockets.http, app.http, app.shortcut), (sockets.mtls, app.mtls, None)] {
            if let (Some(socket), Some(http), Some(router)) = (socket, listeners.http, router) {
                // it knows nothing of a root that the router is mounted below
                let shortcut = shortcut.filter(|_| http.root.trim_end_matches('/').is_empty());
                self.http(socket, router, shortcut, http, app.streaming, &ending);
            }
        }
        for task in app.tasks {
            let work = run(task, readiness.clone(), self.context.shutdown.clone());
            let abort = ending.abort.clone();
            ending.tasks.spawn(async move { abort.run_until_cancelled(work).await });
        }
        ending
    }

    fn http(
        &self,
        socket: Socket,
        router: Router,
        shortcut: Option<Arc<dyn Shortcut>>,
        http: &Http,
        is_streaming: bool,
        ending: &Ending,
    ) {
        let limits = limits(http.max_concurrent_requests, http.request_timeout, is_streaming);
        let requests = Requests::new(&self.context.metrics, self.identity.name, Protocol::Http);
        // that they can be read was seen when the configuration was
        let proxies = TrustedProxies::parse(&http.trusted_proxies).unwrap_or_default();
        // around the router, not a layer of it: those are boxed for every request
        let router = DefaultBodyLimit::max(http.max_body_size).layer(mounted(router, &http.root));
        let stack =
            Arc::new(Stack::new(Shortened { router, shortcut }, requests, limits).behind(proxies.clone(), proxies));
        let patience = Patience { header_bytes: http.max_header_size, ..self.patience };
        self.serve(socket, stack, patience, ending);
    }

    fn serve<S, B>(&self, socket: Socket, stack: Arc<Stack<S>>, patience: Patience, ending: &Ending)
    where
        S: tower::Service<
                http::Request<crate::server::RequestBody>,
                Response = http::Response<B>,
                Error = std::convert::Infallible,
            > + Clone
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
            let (tls, stop, changes) = (Arc::clone(tls), ending.stop.clone(), self.context.reload.subscribe());
            ending.tasks.spawn(async move { stop.run_until_cancelled(tls.follow(changes)).await });
        }
        let random = self.context.random.clone();
        Server { listener, tls, stack, patience, random, ending: ending.clone() }.spawn();
    }

    fn stack<S>(&self, inner: S, protocol: Protocol, limits: Limits) -> Arc<Stack<S>> {
        let requests = Requests::new(&self.context.metrics, self.identity.name, protocol);
        Arc::new(Stack::new(inner, requests, limits))
    }

    fn patience_of(&self, grpc: &Grpc) -> Patience {
        let age = grpc.max_connection_age.unwrap_or(self.patience.age);
        Patience { age, header_bytes: grpc.max_header_size, ..self.patience }
    }
}

fn limits(concurrent: usize, timeout: Duration, is_streaming: bool) -> Limits {
    Limits { concurrent, timeout: (!is_streaming).then_some(timeout) }
}

/// The router below its root, telling the routes of its answers.
fn mounted(router: Router, root: &str) -> Router {
    let root = root.trim_end_matches('/');
    let router = if root.is_empty() { router } else { Router::new().nest(root, router) };
    telling_routes(router)
}

/// Runs a background task. One that panics is missed, and the service is not ready any more.
async fn run(task: Task, readiness: Readiness, shutdown: CancellationToken) {
    let ended = AssertUnwindSafe(task.future).catch_unwind().await;
    if ended.is_err() && !shutdown.is_cancelled() {
        tracing::error!(task = task.name, "the background task {} is dead", task.name);
        readiness.lost(task.name);
    }
}
