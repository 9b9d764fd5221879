//! From a configuration to a running service, and to its end.

mod error;
mod running;
mod serving;
mod sockets;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use error::StartError;
pub(crate) use error::{USAGE, is_configuration};
pub use running::Running;

use crate::readiness::Readiness;
use crate::server::ConnectionLimits;
use crate::service::{Listeners, Service};
use crate::serving::Serving;
use crate::tls::TlsError;
use crate::{App, Background, Context, SpiffeAuthorities, telemetry};
use authn::BoxError;
use config::{Grpc, Identity, load};
use running::Lifecycle;
use sockets::{Sockets, listener_names};

/// Limits of a service that are not settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    /// How long requests may take to finish when the service stops.
    pub(crate) grace: Duration,
    pub(crate) connection_limits: ConnectionLimits,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10), connection_limits: ConnectionLimits::default() }
    }
}

/// Reads a service's configuration, binds its sockets, builds it and serves it, until the context's `shutdown` is
/// cancelled or [`Running::stop`] is called.
pub async fn start<S: Service>(context: &Context) -> Result<Running, StartError> {
    let loaded = load::<S::Config>(&S::IDENTITY, &context.environment)?;
    for warning in &loaded.warnings {
        tracing::warn!(service = S::IDENTITY.name, "{warning}");
    }
    for file in &loaded.files {
        context.reload.watch(file);
    }
    let (shown, config) = (loaded.shown, loaded.config);
    let close = context.shutdown.child_token();
    let launch = Launch { identity: S::IDENTITY, shown, tuning: Tuning::default(), close };
    let to_build = config.clone();
    check_inherited([(S::IDENTITY, S::listeners(&config))], context)?;
    launch.run(S::listeners(&config), |context| S::build(to_build, context), context).await
}

/// Like [`start`] for a configuration that is there already: binds the sockets, then has `build` make the service, then
/// serves it. The context's `shutdown` makes the service not ready; it serves until [`Running::stop`] is called, so that a
/// process of several services closes them in the order in which they depend on one another. `shown` is the configuration for
/// the debug server, secrets redacted.
pub async fn launch<F>(
    identity: Identity,
    listeners: Listeners<'_>,
    shown: String,
    build: impl FnOnce(Context) -> F,
    context: &Context,
) -> Result<Running, StartError>
where
    F: Future<Output = Result<App, BoxError>>,
{
    let (tuning, close) = (Tuning::default(), CancellationToken::new());
    Launch { identity, shown, tuning, close }.run(listeners, build, context).await
}

/// Fails if the service manager has passed a socket that is for no listener of these services, which are all of the process.
pub fn check_inherited<'a>(
    services: impl IntoIterator<Item = (Identity, Listeners<'a>)>,
    context: &Context,
) -> Result<(), StartError> {
    let names = services.into_iter().flat_map(|(identity, listeners)| listener_names(identity.name, &listeners));
    Ok(context.inherited.check(names.collect())?)
}

/// Fails where the gRPC server would refuse all clients, as nothing verifies their certificates.
fn check_client_authorities(app: &App, listeners: &Listeners<'_>) -> Result<(), TlsError> {
    let verifies_none = app.client_authorities.as_ref().is_none_or(SpiffeAuthorities::is_empty);
    let relies_on_them = |grpc: &Grpc| grpc.tls.client_spiffe && grpc.tls.client_ca.is_none();
    if !verifies_none || !listeners.grpc.is_some_and(relies_on_them) {
        return Ok(());
    }
    let known = if app.client_authorities.is_some() { "set OCIS_SPIFFE_TRUST_DOMAINS, or" } else { "set" };
    let problem = format!("this service has no trust domain to verify its clients by; {known} OCIS_GRPC_TLS_CLIENT_CA");
    Err(TlsError::Unusable { variable: "OCIS_GRPC_TLS_CLIENT_SPIFFE", problem })
}

/// A service about to be started.
pub(crate) struct Launch {
    pub(crate) identity: Identity,
    /// The configuration in force, redacted.
    pub(crate) shown: String,
    pub(crate) tuning: Tuning,
    /// Cancelled when the service is to close its listeners.
    pub(crate) close: CancellationToken,
}

impl Launch {
    pub(crate) async fn run<F>(
        self,
        listeners: Listeners<'_>,
        build: impl FnOnce(Context) -> F,
        parent: &Context,
    ) -> Result<Running, StartError>
    where
        F: Future<Output = Result<App, BoxError>>,
    {
        let mut sockets = Sockets::bind(self.identity.name, &listeners, parent).await?;
        let addrs = sockets.addrs();
        let draining = parent.shutdown.child_token();
        let readiness = Readiness::within(parent.running.lost_of_process().clone());
        // Background tasks continue while the service drains.
        let (shutdown, background) = (CancellationToken::new(), Background::noting(readiness.lost()));
        let context = Context { shutdown, background, ..parent.clone() };
        let (identity, connection_limits) = (self.identity, self.tuning.connection_limits);
        let serving = Serving { identity, connection_limits, context: context.clone() };
        parent.running.add(self.identity.name, parent.clock.now(), &readiness, sockets.tls());
        serving.measure(&readiness, &sockets);
        telemetry::add_certificates(listeners.log, listeners.tracing, parent);
        // While it is built, the service is alive and not ready.
        let debug_shutdown = serving.debug(sockets.debug.take(), listeners.debug, &readiness, self.shown);
        let abandon = (debug_shutdown.abort.clone().drop_guard(), context.shutdown.clone().drop_guard());

        let result = draining.run_until_cancelled(build(context.clone())).await;
        let app = result.ok_or(StartError::Interrupted)?.map_err(StartError::Build)?;
        check_client_authorities(&app, &listeners)?;
        let shutdown = serving.app(app, sockets, &listeners, &readiness, &draining).await;
        parent.reload.poll_until(parent.shutdown.clone(), &parent.background);
        parent.certificates.check_until(parent.shutdown.clone(), parent.clock.clone(), &parent.background);
        abandon.0.disarm();
        abandon.1.disarm();
        tracing::info!(service = self.identity.name, ?addrs, "{} is serving", self.identity.name);
        let lifecycle = Lifecycle {
            readiness,
            draining,
            close: self.close,
            background: context.shutdown,
            shutdown,
            debug_shutdown,
            delay: listeners.debug.drain_delay,
            grace: self.tuning.grace,
        };
        Ok(Running::new(addrs, lifecycle))
    }
}
