#![doc = include_str!("../README.md")]

mod accounts;
mod config;

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use authn::{AuthError, Authenticated, Authenticator, BoxError, Credentials};
use runtime::config::Identity;
use runtime::{App, Clock, Context, Listeners, Task};
use secrecy::ExposeSecret;

pub use accounts::{Accounts, AccountsError, MIN_SECRET};
pub use config::{Config, ServiceAccount};

/// The service.
pub struct AuthService;

impl runtime::Service for AuthService {
    const IDENTITY: Identity = Identity { name: "auth-service", prefix: "AUTH_SERVICE" };
    const ABOUT: &'static str = "Authenticates service accounts";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: None }
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let accounts = authenticator(&config, &context)?;
        Ok(app(&accounts, &context))
    }
}

/// Verifies an account's identifier and secret.
pub struct ServiceAccounts {
    accounts: ArcSwap<Accounts>,
    clock: Clock,
}

#[async_trait]
impl Authenticator for ServiceAccounts {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let accounts = self.accounts.load();
        let verdict = accounts.verify(&credentials.client_id, credentials.secret.expose_secret(), self.clock.now());
        verdict.map_err(AuthError::Refused)
    }
}

impl ServiceAccounts {
    /// Reads everything again; the accounts stay as they were when something is wrong now.
    fn reload(&self, context: &Context) {
        match reread(context) {
            Ok(accounts) => {
                tracing::info!(count = accounts.len(), "service accounts read again");
                self.accounts.store(Arc::new(accounts));
            }
            Err(error) => tracing::error!(%error, "service accounts stay as they were"),
        }
    }
}

fn reread(context: &Context) -> Result<Accounts, BoxError> {
    let loaded = runtime::config::load::<Config>(&<AuthService as runtime::Service>::IDENTITY, &context.environment)?;
    Ok(Accounts::load(&loaded.config, &context.random)?)
}

/// The authenticator of these accounts.
pub fn authenticator(config: &Config, context: &Context) -> Result<Arc<ServiceAccounts>, AccountsError> {
    let accounts = ArcSwap::from_pointee(Accounts::load(config, &context.random)?);
    Ok(Arc::new(ServiceAccounts { accounts, clock: context.clock.clone() }))
}

/// The service around an authenticator: its gRPC API, and the task that follows changes of the configuration.
pub fn app(accounts: &Arc<ServiceAccounts>, context: &Context) -> App {
    let grpc = tonic::service::Routes::new(authn::provider::serve(Arc::clone(accounts) as Arc<dyn Authenticator>));
    let (accounts, context) = (Arc::clone(accounts), context.clone());
    let follow = async move {
        let mut changes = context.reload.subscribe();
        while changes.changed().await.is_ok() {
            accounts.reload(&context);
        }
    };
    let tasks = vec![Task { name: "follow accounts", future: Box::pin(follow) }];
    App { tasks, ..App::grpc(grpc) }
}
