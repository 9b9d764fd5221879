#![doc = include_str!("../README.md")]

mod config;
mod key;
mod policy;
mod service;

use std::sync::Arc;

use authn::{Authenticator, BoxError, Directory};
pub use config::Config;
pub use policy::Policy;
use runtime::{App, Context, Listeners, Service, config::Identity};

/// The service.
pub struct AuthMachine;

impl Service for AuthMachine {
    const IDENTITY: Identity = Identity { name: "auth-machine", prefix: "AUTH_MACHINE" };
    const ABOUT: &'static str = "Lets one service act for a user";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        Listeners {
            log: &config.log,
            tracing: &config.tracing,
            debug: &config.debug,
            grpc: Some(&config.grpc),
            http: None,
        }
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        Ok(app(authenticator(&config, directory, &context)?))
    }
}

/// The authenticator, over any directory.
///
/// # Errors
/// When the policy cannot be read.
pub fn authenticator(
    config: &Config,
    directory: Arc<dyn Directory>,
    context: &Context,
) -> Result<Arc<dyn Authenticator>, BoxError> {
    let accepted = [&config.machine_auth_api_key, &config.machine_auth_api_key_previous];
    let keys = key::Keys::new(&accepted, &context.random);
    let policy = Policy::parse(&config.allow_impersonation)?;
    Ok(Arc::new(service::Machine { keys, policy, directory }))
}

/// The service that answers with this authenticator.
pub fn app(authenticator: Arc<dyn Authenticator>) -> App {
    App::grpc(tonic::service::Routes::new(authn::provider::serve(authenticator)))
}
