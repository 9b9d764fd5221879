//! A service that runs, and how it ends.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::sockets::Addrs;
use crate::readiness::Readiness;
use crate::server::Shutdown;

/// How long the debug server may take to finish an answer.
const DEBUG_GRACE: Duration = Duration::from_secs(1);
/// How long the requests of a service may take to finish that closes after others, and when these have used up the grace time.
const LEAST_GRACE: Duration = Duration::from_secs(1);

/// A service that runs, and goes on running when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where gRPC is served; `None` when it is not, or on a Unix socket.
    pub grpc: Option<SocketAddr>,
    /// Where HTTP is served; `None` when it is not, or on a Unix socket.
    pub http: Option<SocketAddr>,
    /// Where clients with certificates are served; `None` when they are not, or on a Unix socket.
    pub mtls: Option<SocketAddr>,
    /// Where plain HTTP is redirected to HTTPS; `None` when it is not, or on a Unix socket.
    pub redirect: Option<SocketAddr>,
    /// Where the debug server listens; `None` when it does not, or on a Unix socket.
    pub debug: Option<SocketAddr>,
    draining: CancellationToken,
    close: CancellationToken,
    end: JoinHandle<()>,
}

impl Running {
    pub(super) fn new(addrs: Addrs, lifecycle: Lifecycle) -> Self {
        let (draining, close) = (lifecycle.draining.clone(), lifecycle.close.clone());
        let end = tokio::spawn(lifecycle.run());
        let Addrs { grpc, http, mtls, redirect, debug } = addrs;
        Self { grpc, http, mtls, redirect, debug, draining, close, end }
    }

    /// Makes the service not ready. It accepts requests until it is stopped, and its `DRAIN_DELAY` begins.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Stops this service and returns when it has ended: after its `DRAIN_DELAY` at once when it has nothing to do, at the latest
    /// when the grace time is over.
    pub async fn stop(self) {
        self.drain();
        self.close.cancel();
        self.wait().await;
    }

    /// Returns when the service has ended.
    pub async fn wait(self) {
        // The task cannot panic, and is never aborted.
        let _ = self.end.await;
    }
}

/// The phases of a service from its start to its end.
pub(super) struct Lifecycle {
    pub(super) readiness: Readiness,
    /// Cancelled when load balancers and clients are to use another instance.
    pub(super) draining: CancellationToken,
    /// Cancelled when the listeners are to be closed.
    pub(super) close: CancellationToken,
    /// Cancelled to end the background tasks.
    pub(super) background: CancellationToken,
    pub(super) shutdown: Shutdown,
    pub(super) debug_shutdown: Shutdown,
    /// How long requests are accepted at least after `draining`.
    pub(super) delay: Duration,
    /// How long after that requests may take to finish.
    pub(super) grace: Duration,
}

impl Lifecycle {
    /// Not ready first; then no more connections, and what is in flight is finished; the debug server sees all of it.
    async fn run(self) {
        self.draining.cancelled().await;
        let begin = Instant::now();
        self.readiness.drain();
        sleep(self.delay).await;
        self.close.cancelled().await;
        self.background.cancel();
        tracing::info!("stopping, finishing what is in flight");
        self.shutdown.stop.cancel();
        self.shutdown.tasks.close();
        // services that close one after the other share the time, so that a process ends in time whatever it runs
        let left = (self.delay + self.grace).saturating_sub(begin.elapsed()).max(LEAST_GRACE.min(self.grace));
        if timeout(left, self.shutdown.tasks.wait()).await.is_err() {
            tracing::warn!("requests were cut off, as they took longer than the grace time");
            self.shutdown.abort.cancel();
            self.shutdown.tasks.wait().await;
        }
        self.debug_shutdown.stop.cancel();
        self.debug_shutdown.tasks.close();
        if timeout(DEBUG_GRACE, self.debug_shutdown.tasks.wait()).await.is_err() {
            self.debug_shutdown.abort.cancel();
        }
    }
}
