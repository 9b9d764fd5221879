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
use runtime::{App, Context, Listeners, Service};
use tokio::sync::watch;

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

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        app(authenticator(&config, directory, &context)?, &config)
    }
}

/// The authenticator, over any directory. Its keys are read again at every reload.
///
/// # Errors
/// When the policy cannot be read.
pub fn authenticator(
    config: &Config,
    directory: Arc<dyn Directory>,
    context: &Context,
) -> Result<Arc<dyn Authenticator>, BoxError> {
    let keys = Arc::new(key::Keys::new(config.keys(), &context.random));
    let policy = Policy::parse(&config.allow_impersonation)?;
    let following =
        follow(Arc::downgrade(&keys), config.clone(), context.clone(), context.reload.subscribe_from_start());
    context.background.spawn("machine keys", following);
    let machine = service::Machine { keys, policy, gateways: config.trusted_gateways.clone().into(), directory };
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

/// The service that answers with this authenticator, to the callers that may use the machine key.
///
/// # Errors
/// When their names cannot be read.
pub fn app(authenticator: Arc<dyn Authenticator>, config: &Config) -> Result<App, BoxError> {
    let limit = config.grpc.max_received_message_size;
    let authenticator = AllowedCallers::parse(&config.callers)?.restrict(authenticator, "AUTH_MACHINE_CALLERS");
    Ok(App::grpc(tonic::service::Routes::new(authn::provider::serve(authenticator, limit))))
}
