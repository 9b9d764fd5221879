//! Starting the listeners and tasks of a service.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::sockets::Sockets;
use crate::app::Task;
use crate::certificates::seconds_until;
use crate::debug::{self, Insight};
use crate::health::Health;
use crate::layers::{Limits, Stack, recording_routes};
use crate::metrics::{Protocol, Requests};
use crate::readiness::Readiness;
use crate::server::{RedirectPort, RedirectServer, Shutdown};
use crate::service::Listeners;
use crate::serving::{HttpListener, Serving, Socket, limits};
use crate::{App, TrustedProxies, telemetry};
use config::Debug;

/// The port of https.
const HTTPS: u16 = 443;
/// How many requests the debug server answers at the same time.
const DEBUG_REQUESTS: usize = 64;

impl Serving {
    /// Adds what is read of the service at each scrape: whether it is ready, and for how long its certificates are valid. Its metrics
    /// are sent from now on, if any are.
    pub(super) fn measure(&self, readiness: &Readiness, sockets: &Sockets) {
        let (metrics, service) = (&self.context.metrics, self.identity.name);
        telemetry::measure(service, metrics);
        let readiness = readiness.downgrade();
        metrics.gauge_of(
            "doorward_ready",
            "Whether the service was ready (1) or not (0) when that was last asked, by probes or by its own gRPC health check",
            vec![("service", service.to_owned())],
            move || Some(if readiness.upgrade()?.was_ready() { 1.0 } else { 0.0 }),
        );
        for (listener, tls) in sockets.tls() {
            let clock = self.context.clock.clone();
            metrics.gauge_of(
                "doorward_certificate_remaining_seconds",
                "How long the certificate of a listener is still valid, in seconds; negative when it has expired",
                vec![("service", service.to_owned()), ("listener", listener.name().to_owned())],
                move || Some(seconds_until(tls.upgrade()?.validity()?.1, clock.now())),
            );
        }
    }

    /// Serves the debug server.
    pub(super) fn debug(
        &self,
        socket: Option<Socket>,
        debug: &Debug,
        readiness: &Readiness,
        shown: String,
    ) -> Shutdown {
        let shutdown = Shutdown::default();
        let metrics = self.context.metrics.clone();
        let (token, spans) = (debug.token.clone(), telemetry::recent_spans());
        let insight = Insight { readiness: readiness.clone(), metrics, shown, token, spans };
        if let Some(socket) = socket {
            let limits = Limits { concurrent: DEBUG_REQUESTS, timeout: Some(debug::timeout(debug)) };
            let stack = self.stack(recording_routes(debug::router(debug, insight)), Protocol::Debug, limits);
            self.serve(socket, stack, self.connection_limits, &shutdown);
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
        draining: &CancellationToken,
    ) -> Shutdown {
        let shutdown = Shutdown::default();
        readiness.built(app.checks);
        if let (Some(tls), Some(authorities)) =
            (sockets.grpc.as_ref().and_then(|socket| socket.tls.as_ref()), app.client_authorities)
        {
            // before the first connection is accepted
            tls.attach_authorities(authorities);
        }
        if let (Some(socket), Some(grpc), Some(routes)) = (sockets.grpc, listeners.grpc, app.grpc) {
            let (routes, health) = Health::beside(routes, self.identity.name).await;
            let following = health.follow(readiness.clone(), draining.clone(), shutdown.stop.clone());
            shutdown.tasks.spawn(self.context.background.noted("health", following));
            let limits = limits(grpc.max_concurrent_requests, grpc.request_timeout, app.streaming);
            // Validation of the configuration has shown that they parse.
            let networks = TrustedProxies::parse(&grpc.trusted_networks).unwrap_or_default();
            let proxies = listeners.http.map(|http| TrustedProxies::parse(&http.trusted_proxies).unwrap_or_default());
            let requests = Requests::new(&self.context.metrics, self.identity.name, Protocol::Grpc);
            let stack =
                Arc::new(Stack::new(routes.prepare(), requests, limits).behind(networks, proxies.unwrap_or_default()));
            self.serve(socket, stack, self.connection_limits_of(grpc), &shutdown);
        }
        if let (Some(tls), Some(certificate)) =
            (sockets.http.as_ref().and_then(|socket| socket.tls.as_ref()), &app.certificate)
        {
            tls.attach(certificate.clone());
        }
        if let Some(listener) = sockets.redirect {
            let port = RedirectPort::Of(app.redirect_port.unwrap_or(HTTPS));
            let (issued, limits, shutdown) = (app.certificate, self.connection_limits, shutdown.clone());
            let service = self.identity.name;
            RedirectServer { service, listener, port, issued, limits, shutdown }.spawn(&self.context.background);
        }
        for (socket, service) in [(sockets.http, app.http), (sockets.mtls, app.mtls)] {
            if let (Some(socket), Some(http), Some(service)) = (socket, listeners.http, service) {
                let is_streaming = app.streaming;
                service.serve(HttpListener { serving: self, socket, http, is_streaming, shutdown: &shutdown });
            }
        }
        for task in app.tasks {
            let work = run(task, readiness.clone(), [self.context.shutdown.clone(), draining.clone()]);
            let abort = shutdown.abort.clone();
            shutdown.tasks.spawn(async move { abort.run_until_cancelled(work).await });
        }
        shutdown
    }
}

/// Runs a background task. If it panics, or ends before the service stops and should not, the service is no longer ready.
async fn run(task: Task, readiness: Readiness, stopping: [CancellationToken; 2]) {
    let Task { name, future, may_end } = task;
    let ended = AssertUnwindSafe(future).catch_unwind().await;
    let problem = match ended {
        Ok(()) if may_end => return,
        Ok(()) => "has ended, and should run as long as the service does",
        Err(_) => "has panicked",
    };
    if !stopping.iter().any(CancellationToken::is_cancelled) {
        tracing::error!(task = name, "the background task {name} {problem}");
        readiness.lost().add(name);
    }
}
