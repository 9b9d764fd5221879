//! Asks services in other processes for their health, by `grpc.health.v1`.

use std::time::Duration;

use status::Kind;
use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::transport::Transport;

/// How long a service may take to answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// What is known of the health of a service in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RemoteHealth {
    /// It is ready.
    Ready,
    /// It says that it is not ready; it does not say why to other processes.
    NotReady,
    /// It answers, and has no health service, as some of other families.
    Unknown,
    /// No connection can be made.
    Unreachable,
    /// There is no answer within [`TIMEOUT`].
    NoAnswer,
}

impl RemoteHealth {
    /// Whether the service is ready; `None` if it does not say.
    pub(crate) const fn is_ready(self) -> Option<bool> {
        match self {
            Self::Ready => Some(true),
            Self::NotReady | Self::Unreachable | Self::NoAnswer => Some(false),
            Self::Unknown => None,
        }
    }
}

/// Asks the service with this name.
pub(crate) async fn ask(name: &'static str, transport: Transport) -> RemoteHealth {
    let mut client = HealthClient::new(transport);
    // what is ready for no service in particular is ready as a whole
    let status = match timeout(TIMEOUT, client.check(HealthCheckRequest::default())).await {
        Ok(Ok(answer)) => {
            let is_ready = answer.get_ref().status() == ServingStatus::Serving;
            return if is_ready { RemoteHealth::Ready } else { RemoteHealth::NotReady };
        }
        Ok(Err(status)) => status,
        Err(_) => {
            tracing::warn!(service = name, "a service does not say whether it is ready in time");
            return RemoteHealth::NoAnswer;
        }
    };
    tracing::warn!(service = name, %status, "a service does not say whether it is ready");
    match Kind::from_grpc(status.code()) {
        Kind::Unimplemented | Kind::NotFound => RemoteHealth::Unknown,
        Kind::DeadlineExceeded => RemoteHealth::NoAnswer,
        _ => RemoteHealth::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use http::{Request, Response};
    use tonic::Status;
    use tonic::body::Body;
    use tonic_health::server::health_reporter;
    use tower::service_fn;

    use super::*;
    use crate::transport::transport;

    #[tokio::test]
    async fn service_says_whether_it_is_ready() {
        let (reporter, server) = health_reporter();
        assert_eq!(ask("users", transport("users", server.clone())).await, RemoteHealth::Ready);
        reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        assert_eq!(ask("users", transport("users", server)).await, RemoteHealth::NotReady);
    }

    #[tokio::test(start_paused = true)]
    async fn silent_unreachable_and_foreign_services_are_distinguished() {
        let silent = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
        assert_eq!(ask("users", transport("users", silent)).await, RemoteHealth::NoAnswer);
        let broken = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(Status::unavailable("refused")));
        assert_eq!(ask("users", transport("users", broken)).await, RemoteHealth::Unreachable);
        let foreign =
            service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Status::unimplemented("").into_http::<Body>()));
        assert_eq!(ask("users", transport("users", foreign)).await, RemoteHealth::Unknown);
    }
}
