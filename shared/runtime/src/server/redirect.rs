//! The listener for plain HTTP that redirects to the HTTPS server.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::listener::{self, Listener};
use super::plain_http::{PlainHttp, RedirectPort};
use super::{ConnectionLimits, Shutdown};
use crate::access_log::LoggedRequests;
use crate::{Background, IssuedCertificate};

/// A listener that passes no request on: it redirects, and answers challenges of ACME.
pub(crate) struct RedirectServer {
    pub(crate) service: &'static str,
    pub(crate) listener: Listener,
    pub(crate) port: RedirectPort,
    pub(crate) issued: Option<IssuedCertificate>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) shutdown: Shutdown,
}

impl RedirectServer {
    /// Serves in the background until it is stopped.
    pub(crate) fn spawn(self, background: &Background) {
        let tasks = self.shutdown.tasks.clone();
        tasks.spawn(background.noted("accepting plain HTTP", self.accept()));
    }

    async fn accept(self) {
        let Self { service, listener, port, issued, limits, shutdown } = self;
        let logged = LoggedRequests::of_process();
        let permits = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        loop {
            let accepted = shutdown.stop.run_until_cancelled(async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                (listener.accept().await, permit)
            });
            let stream = match accepted.await {
                None => break,
                Some((Err(problem), _)) => {
                    listener::after(&problem).await;
                    continue;
                }
                Some((Ok((stream, addr)), permit)) => (stream, addr, permit),
            };
            let (stop, issued) = (shutdown.stop.clone(), issued.clone());
            shutdown.tasks.spawn(async move {
                let (stream, addr, _permit) = stream;
                let source = addr.map(|addr| addr.ip().to_canonical());
                let plain_http = PlainHttp { service, port, issued: issued.as_ref(), logged, source };
                stop.run_until_cancelled(plain_http.serve(stream, limits)).await;
            });
        }
    }
}
