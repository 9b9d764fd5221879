//! What a service is given.

use tokio_util::sync::CancellationToken;

use crate::{Background, CertificatesInUse, Clock, InheritedListeners, Metrics, Random, Reload, RunningServices};
use config::Environment;

/// Everything of the outside world that a service may use. Clones share it.
#[derive(Clone, Debug)]
pub struct Context {
    /// The environment variables.
    pub environment: Environment,
    /// What time it is.
    pub clock: Clock,
    /// Random bytes.
    pub random: Random,
    /// When to read certificates and secrets again.
    pub reload: Reload,
    /// Cancelled when the service is to stop: it finishes what it has begun.
    pub shutdown: CancellationToken,
    /// Where it counts.
    pub metrics: Metrics,
    /// The certificates that are in use.
    pub certificates: CertificatesInUse,
    /// The services of this process.
    pub running: RunningServices,
    /// Sockets that the service manager has bound for its listeners.
    pub inherited: InheritedListeners,
    /// Starts its background tasks that are not those of its [`App`](crate::App).
    pub background: Background,
}

impl Context {
    /// The real world, but for the environment. Tests replace the clock and the randomness:
    /// `Context { clock: Clock::manual(start), ..Context::new(environment) }`.
    pub fn new(environment: Environment) -> Self {
        let running = RunningServices::default();
        Self {
            environment,
            clock: Clock::system(),
            random: Random::system(),
            reload: Reload::default(),
            shutdown: CancellationToken::new(),
            metrics: Metrics::default(),
            certificates: CertificatesInUse::default(),
            background: Background::noting(running.lost_of_process()),
            running,
            inherited: InheritedListeners::default(),
        }
    }
}
