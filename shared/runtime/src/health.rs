//! `grpc.health.v1`, which says what `/readyz` says.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::readiness::Readiness;

/// How often readiness is asked on behalf of clients that watch.
const INTERVAL: Duration = Duration::from_secs(5);

/// The health of a gRPC listener, under its service's name and under none.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    reporter: HealthReporter,
    names: [&'static str; 2],
}

impl Health {
    /// Adds the health service to `routes`; at first the status is `NOT_SERVING`.
    pub(crate) async fn beside(routes: Routes, name: &'static str) -> (Routes, Self) {
        let (reporter, server) = tonic_health::server::health_reporter();
        let health = Self { reporter, names: ["", name] };
        health.tell(ServingStatus::NotServing).await;
        (routes.add_service(server), health)
    }

    /// Follows readiness until the service drains, and says then that it is not serving. Once it stops, the streams of those who
    /// watch end, which would otherwise have to be waited for.
    pub(crate) async fn follow(mut self, readiness: Readiness, draining: CancellationToken, stop: CancellationToken) {
        let following = async {
            loop {
                let is_ready = readiness.failing().await.is_empty();
                self.tell(if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
                tokio::time::sleep(INTERVAL).await;
            }
        };
        draining.run_until_cancelled(following).await;
        self.tell(ServingStatus::NotServing).await;
        stop.cancelled().await;
        // Watchers get the status before their streams end.
        tokio::time::sleep(Duration::from_millis(10)).await;
        for name in self.names {
            self.reporter.clear_service_status(name).await;
        }
    }

    async fn tell(&self, status: ServingStatus) {
        for name in self.names {
            self.reporter.set_service_status(name, status).await;
        }
    }
}
