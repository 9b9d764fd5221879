//! How other services are called by gRPC.

use std::task::{Context, Poll};

use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::BoxError;

type Request = http::Request<Body>;
type Response = http::Response<Body>;

/// How a service in another process is called by gRPC: over one connection, or over one to each of its replicas. Clones share the
/// connections.
#[derive(Clone, Debug)]
pub struct Channel(BoxCloneSyncService<Request, Response, BoxError>);

impl Channel {
    /// The channel that this service is.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Request, Response = Response> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
    {
        Self(BoxCloneSyncService::new(service.map_err(Into::into)))
    }
}

impl From<tonic::transport::Channel> for Channel {
    fn from(channel: tonic::transport::Channel) -> Self {
        Self::new(channel)
    }
}

/// Marks a call that may be made twice: one that only reads, or an authentication, of which a wrong password may count twice then. A
/// channel makes it once more if its connection is lost, though the peer may have processed it.
#[derive(Clone, Copy, Debug)]
pub struct Repeatable;

impl Repeatable {
    /// The call with the mark.
    pub fn mark<T>(mut call: tonic::Request<T>) -> tonic::Request<T> {
        call.extensions_mut().insert(Self);
        call
    }
}

impl Service<Request> for Channel {
    type Response = Response;
    type Error = BoxError;
    type Future = <BoxCloneSyncService<Request, Response, BoxError> as Service<Request>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.0.call(request)
    }
}
