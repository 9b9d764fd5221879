//! One service acting for a user. The README of this crate follows one request through it and lists
//! its settings; it is not repeated here, as its table is generated.

mod config;
mod key;
mod policy;
mod service;

use std::sync::{Arc, Weak};

pub use self::config::Config;
use ::config::{Identity, load_over};
use authn::{Authenticator, BoxError, Directory, kind};
pub use policy::{Decision, Policy};
use runtime::{App, Context, Listeners, Service};

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
        Ok(app(authenticator(&config, directory, &context)?, &config))
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
    tokio::spawn(follow(Arc::downgrade(&keys), config.clone(), context.clone()));
    let machine = service::Machine { keys, policy, gateways: config.trusted_gateways.clone().into(), directory };
    Ok(runtime::measured(Arc::new(machine), AuthMachine::IDENTITY.name, kind::MACHINE, &context.metrics))
}

/// Reads the keys again whenever files may have changed, as long as anybody uses them. What cannot be read changes
/// nothing.
async fn follow(keys: Weak<key::Keys>, config: Config, context: Context) {
    let mut reload = context.reload.subscribe();
    while let Some(Ok(())) = context.shutdown.run_until_cancelled(reload.changed()).await {
        let Some(keys) = keys.upgrade() else { return };
        match load_over(&config, &AuthMachine::IDENTITY, &context.environment) {
            Ok(loaded) => keys.replace(loaded.config.keys()),
            Err(error) => tracing::error!(%error, "the machine keys stay as they were"),
        }
    }
}

/// The service that answers with this authenticator.
pub fn app(authenticator: Arc<dyn Authenticator>, config: &Config) -> App {
    let limit = config.grpc.max_received_message_size;
    App::grpc(tonic::service::Routes::new(authn::provider::serve(authenticator, limit)))
}
