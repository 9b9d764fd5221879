//! One service acting for a user. The README of this crate follows one request through it and lists
//! its settings; it is not repeated here, as its table is generated.

mod config;
mod key;
mod policy;
mod service;

use std::sync::{Arc, Weak};

pub use self::config::Config;
use ::config::{Identity, InForce};
use authn::{AllowedCallers, Authenticator, BoxError, Directory, kind};
pub use policy::{Decision, Policy};
use runtime::{App, Context, Listeners, Misconfigured, Service, SpiffeAuthorities};
use tokio::sync::watch;
use workload::Workloads;

/// The service.
pub struct AuthMachine;

impl Service for AuthMachine {
    const IDENTITY: Identity = Identity { name: "auth-machine", prefix: "AUTH_MACHINE" };
    const ABOUT: &'static str = "Lets one service act for a user";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: None, mtls: None }
    }

    fn check_files(config: &Config) -> Result<Vec<String>, Misconfigured> {
        Workloads::check(&config.workload_policy, &config.spiffe).map(|()| Vec::new())
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        app(&open(&config, directory, &context)?, &config)
    }
}

/// The service, with what it needs open.
pub struct Components {
    /// Lets callers act for users.
    pub authenticator: Arc<dyn Authenticator>,
    client_authorities: Option<SpiffeAuthorities>,
}

/// The authenticator, over any directory. Its keys are read again at every reload, and the policy for workloads when its file changes.
/// Needs a tokio runtime.
///
/// # Errors
/// When a policy or a trust bundle cannot be read.
pub fn open(config: &Config, directory: Arc<dyn Directory>, context: &Context) -> Result<Components, BoxError> {
    let service = AuthMachine::IDENTITY.name;
    let has_policy = config.workload_policy.policy_file.is_some();
    let open = || Workloads::open(&config.workload_policy, &config.spiffe, service, context);
    let workloads = has_policy.then(open).transpose()?;
    if let Some(workloads) = &workloads {
        context.metrics.cache("workload_tokens", workloads.lookups());
    }
    let client_authorities = match (&workloads, config.grpc.tls.client_spiffe) {
        (Some(workloads), true) => Some(workloads.client_authorities()),
        (None, true) => Some(workload::client_authorities(&config.spiffe, service, context)?),
        (_, false) => None,
    };
    let authenticator = authenticator(config, directory, workloads, context)?;
    Ok(Components { authenticator, client_authorities })
}

fn authenticator(
    config: &Config,
    directory: Arc<dyn Directory>,
    workloads: Option<Arc<Workloads>>,
    context: &Context,
) -> Result<Arc<dyn Authenticator>, BoxError> {
    let keys = Arc::new(key::Keys::new(config.keys(), &context.random));
    let policy = Policy::parse(&config.allow_impersonation)?;
    let following =
        follow(Arc::downgrade(&keys), config.clone(), context.clone(), context.reload.subscribe_from_start());
    context.background.spawn("machine keys", following);
    let (gateways, clock) = (config.trusted_gateways.clone().into(), context.clock.clone());
    let machine = service::Machine { keys, policy, workloads, gateways, directory, clock };
    Ok(runtime::measured(Arc::new(machine), AuthMachine::IDENTITY.name, kind::MACHINE, &context.metrics))
}

/// Reads the keys again whenever files may have changed, as long as they are in use. What cannot be read changes nothing.
async fn follow(keys: Weak<key::Keys>, config: Config, context: Context, mut reload: watch::Receiver<u64>) {
    let in_force = Arc::new(InForce::new(config, AuthMachine::IDENTITY, context.environment.clone()));
    while let Some(Ok(())) = context.shutdown.run_until_cancelled(reload.changed()).await {
        let Some(keys) = keys.upgrade() else { return };
        let in_force = Arc::clone(&in_force);
        // reading files blocks
        let read = tokio::task::spawn_blocking(move || {
            let loaded = in_force.read_again();
            loaded.map(|loaded| keys.replace(loaded.config.keys())).map_err(|error| error.to_string())
        });
        if let Err(error) = read.await.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::error!(error, "the machine keys stay as they were");
        }
    }
}

/// The service that was opened, for the callers that may use it.
///
/// # Errors
/// When their names cannot be read.
pub fn app(opened: &Components, config: &Config) -> Result<App, BoxError> {
    let limit = config.grpc.max_received_message_size;
    let callers = AllowedCallers::parse(&config.callers)?;
    let authenticator = callers.restrict(opened.authenticator.clone(), "AUTH_MACHINE_CALLERS");
    let app = App::grpc(tonic::service::Routes::new(authn::provider::serve(authenticator, limit)));
    Ok(App { client_authorities: opened.client_authorities.clone(), ..app })
}
