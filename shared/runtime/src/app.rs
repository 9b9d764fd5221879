//! A service that is built: what its listeners serve, its background tasks, its readiness checks.

use std::fmt;
use std::future::Future;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::{Check, HttpService, IssuedCertificate, SpiffeAuthorities};

/// A service that is built and not yet served.
#[derive(Default)]
pub struct App {
    /// What the gRPC listener serves; `grpc.health.v1` is added to it.
    pub grpc: Option<tonic::service::Routes>,
    /// What the HTTP listener serves. Cross-origin requests are allowed only to routes opened with [`Pages`](crate::Pages).
    pub http: Option<HttpService>,
    /// What the listener for clients with certificates serves. Handlers find a
    /// [`ClientCertificate`](crate::ClientCertificate) among the extensions of requests whose client has presented one.
    pub mtls: Option<HttpService>,
    /// What runs in the background. A task that waits should watch the context's `shutdown` too.
    pub tasks: Vec<Task>,
    /// What must succeed for the service to be ready.
    pub checks: Vec<Check>,
    /// Whether requests are forwarded as streams, which may last longer than the request timeout.
    pub streaming: bool,
    /// The certificate that the service obtains for its HTTP listener while it runs. Until there is one, the listener shows the
    /// configured or a generated one.
    pub certificate: Option<IssuedCertificate>,
    /// The authorities of the trust domains whose X.509-SVIDs clients of the gRPC listener show, where the setting
    /// `OCIS_GRPC_TLS_CLIENT_SPIFFE` has them show one.
    pub client_authorities: Option<SpiffeAuthorities>,
    /// The port of the URLs to which the listener for plain HTTP redirects; that of https if there is none.
    pub redirect_port: Option<u16>,
}

impl App {
    /// A service that speaks only gRPC.
    pub fn grpc(routes: tonic::service::Routes) -> Self {
        Self { grpc: Some(routes), ..Self::default() }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("grpc", &self.grpc.is_some())
            .field("http", &self.http.is_some())
            .field("mtls", &self.mtls.is_some())
            .field("tasks", &self.tasks)
            .field("checks", &self.checks)
            .field("streaming", &self.streaming)
            .field("certificate", &self.certificate.is_some())
            .field("client_authorities", &self.client_authorities.is_some())
            .field("redirect_port", &self.redirect_port)
            .finish()
    }
}

/// Work in the background of a service.
pub struct Task {
    /// What logs call it.
    pub name: &'static str,
    /// The work.
    pub future: BoxFuture<'static, ()>,
    /// Whether it may be done before the service stops. Otherwise its end makes the service not ready, as a panic does.
    pub may_end: bool,
}

impl Task {
    /// Work that goes on until the service stops.
    pub fn new(name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, future: future.boxed(), may_end: false }
    }

    /// Work that is done at some time.
    pub fn once(name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { may_end: true, ..Self::new(name, future) }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
