//! What a service is made of.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::Shortcut;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A service that is built and not yet served.
#[derive(Default)]
pub struct App {
    /// What the gRPC listener serves; `grpc.health.v1` is added to it.
    pub grpc: Option<tonic::service::Routes>,
    /// What the HTTP listener serves. Pages of other sites may call what [`Pages`](crate::Pages) has opened to them.
    pub http: Option<axum::Router>,
    /// Answers some of these requests instead, where the router has no root of its own.
    pub shortcut: Option<Arc<dyn Shortcut>>,
    /// What the listener for clients with certificates serves. Handlers find a
    /// [`ClientCertificate`](crate::ClientCertificate) among the extensions of requests whose client has shown one.
    pub mtls: Option<axum::Router>,
    /// What runs beside the listeners. A task that waits should watch the context's `shutdown` too.
    pub tasks: Vec<Task>,
    /// What must be well for the service to be ready.
    pub checks: Vec<Check>,
    /// Whether requests are passed on as streams, which may last longer than the request timeout.
    pub streaming: bool,
}

impl App {
    /// A service of nothing but gRPC.
    pub fn grpc(routes: tonic::service::Routes) -> Self {
        Self { grpc: Some(routes), ..Self::default() }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("grpc", &self.grpc.is_some())
            .field("http", &self.http.is_some())
            .field("shortcut", &self.shortcut.is_some())
            .field("mtls", &self.mtls.is_some())
            .field("tasks", &self.tasks)
            .field("checks", &self.checks)
            .field("streaming", &self.streaming)
            .finish()
    }
}

/// Something that runs as long as the service does.
pub struct Task {
    /// What logs call it.
    pub name: &'static str,
    /// The work.
    pub future: BoxFuture<'static, ()>,
}

impl Task {
    /// Names a piece of work.
    pub fn new(name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, future: future.boxed() }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

type Probe = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Something that must be well for the service to be ready: its database, a peer it cannot do without.
pub struct Check {
    /// What `/readyz` calls it.
    pub name: &'static str,
    /// Asks; an answer that takes longer than a second counts as a failure.
    pub probe: Probe,
}

impl Check {
    /// Names a question that is asked whenever readiness is. Its error is logged, never shown to who asks.
    pub fn new<F>(name: &'static str, probe: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, probe: Box::new(move || probe().boxed()) }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
