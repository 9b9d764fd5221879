//! How the users service is called.

use authn::BoxError;
use tonic::body::Body;
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

/// The transport to the users service: a connection, or the service itself in one process.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, TransportError>;

/// The users service is unreachable.
#[derive(Debug, thiserror::Error)]
#[error("users cannot be reached")]
pub struct TransportError(#[source] BoxError);

/// Makes a transport of any gRPC service.
pub fn transport<S>(service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    BoxCloneSyncService::new(service.map_err(|error| TransportError(error.into())))
}
