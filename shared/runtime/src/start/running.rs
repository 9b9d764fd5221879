//! A service that runs, and how it ends.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::sockets::Addrs;
use crate::readiness::Readiness;
use crate::server::Ending;

/// How long the debug server may take to finish an answer.
const DEBUG_GRACE: Duration = Duration::from_secs(1);

/// A service that runs. It goes on running when this is dropped, until its context's `shutdown` is cancelled.
#[derive(Debug)]
pub struct Running {
    /// Where gRPC is served; `None` when it is not, or on a Unix socket.
    pub grpc: Option<SocketAddr>,
    /// Where HTTP is served; `None` when it is not, or on a Unix socket.
    pub http: Option<SocketAddr>,
    /// Where clients with certificates are served; `None` when they are not, or on a Unix socket.
    pub mtls: Option<SocketAddr>,
    /// Where the debug server listens; `None` when it does not, or on a Unix socket.
    pub debug: Option<SocketAddr>,
    shutdown: CancellationToken,
    end: JoinHandle<()>,
}

impl Running {
    pub(super) fn new(addrs: Addrs, life: Life, shutdown: CancellationToken) -> Self {
        let end = tokio::spawn(life.live(shutdown.clone()));
        let Addrs { grpc, http, mtls, debug } = addrs;
        Self { grpc, http, mtls, debug, shutdown, end }
    }

    /// Stops this service and returns when it has ended: at once when it has nothing to do, at the latest when the
    /// grace time is over.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.wait().await;
    }

    /// Returns when the service has ended.
    pub async fn wait(self) {
        // it cannot panic, and nobody aborts it
        let _ = self.end.await;
    }
}

/// What ends when a service ends.
pub(super) struct Life {
    pub(super) readiness: Readiness,
    /// Tells clients that watch its health.
    pub(super) drained: CancellationToken,
    pub(super) ending: Ending,
    pub(super) debug_ending: Ending,
    pub(super) grace: Duration,
}

impl Life {
    /// Not ready first; then no more connections, and what is in flight is finished; the debug server sees all of it.
    async fn live(self, shutdown: CancellationToken) {
        shutdown.cancelled().await;
        self.readiness.drain();
        self.drained.cancel();
        tracing::info!("stopping, finishing what is in flight");
        self.ending.stop.cancel();
        self.ending.tasks.close();
        if timeout(self.grace, self.ending.tasks.wait()).await.is_err() {
            tracing::warn!("requests were cut off, as they took longer than the grace time");
            self.ending.abort.cancel();
            self.ending.tasks.wait().await;
        }
        self.debug_ending.stop.cancel();
        self.debug_ending.tasks.close();
        if timeout(DEBUG_GRACE, self.debug_ending.tasks.wait()).await.is_err() {
            self.debug_ending.abort.cancel();
        }
    }
}
