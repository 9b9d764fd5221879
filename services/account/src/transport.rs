//! How the services behind the pages are called: in this process or another, with the user's own internal token, so that each of them
//! decides what the user may do.

use authn::{BoxError, Caller, Channel, Peer};
use runtime::Context;
use token::METADATA_KEY;
use tonic::Request;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataValue};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::config::Config;

/// The transport to a service: a connection, or the service itself in one process.
pub(crate) type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, ServiceUnreachable>;

/// A service is unreachable.
#[derive(Debug, thiserror::Error)]
#[error("{service} cannot be reached")]
pub struct ServiceUnreachable {
    service: &'static str,
    source: BoxError,
}

/// The transport to the service with this name: a generated server of this process, or a channel.
pub(crate) fn transport<S>(name: &'static str, service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    let unreachable = move |error: S::Error| ServiceUnreachable { service: name, source: error.into() };
    BoxCloneSyncService::new(service.map_err(unreachable))
}

/// A channel to a service in another process; `None` if its endpoint is empty.
///
/// # Errors
/// If the endpoint is invalid.
pub(crate) fn remote(endpoint: &str, config: &Config, context: &Context) -> Result<Option<Channel>, BoxError> {
    if endpoint.is_empty() {
        return Ok(None);
    }
    Ok(Some(runtime::client::channel(endpoint, &config.grpc_client_tls, context)?))
}

/// Who calls, and from where.
pub struct OnBehalfOf<'a> {
    /// The internal token of the user.
    pub(crate) token: &'a MetadataValue<Ascii>,
    /// The circumstances of the user's request.
    pub(crate) caller: &'a Caller,
}

impl<'a> OnBehalfOf<'a> {
    /// The user of this internal token, and the circumstances of the request.
    pub fn new(token: &'a MetadataValue<Ascii>, caller: &'a Caller) -> Self {
        Self { token, caller }
    }

    /// The user's request in the form of a call.
    pub(crate) fn call<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        self.caller.propagate(request.metadata_mut());
        request.metadata_mut().insert(METADATA_KEY, self.token.clone());
        // A service in this process has no connection from which it could tell the user's address.
        request.extensions_mut().insert(Peer { source: self.caller.source, ..Peer::default() });
        request
    }
}
