//! Service accounts. The README of this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

mod accounts;
mod config;

use std::sync::Arc;

use ::config::{Identity, load_over};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use authn::{AuthError, Authenticated, Authenticator, BoxError, Credentials};
use runtime::{App, Clock, Context, Listeners, Misconfigured, Random, Task};
use secrecy::ExposeSecret;

pub use self::config::{Config, MIN_SECRET, ServiceAccount};
pub use accounts::{Accounts, AccountsError};

/// The service.
pub struct AuthService;

impl runtime::Service for AuthService {
    const IDENTITY: Identity = Identity { name: "auth-service", prefix: "AUTH_SERVICE" };
    const ABOUT: &'static str = "Authenticates service accounts";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: None, mtls: None }
    }

    fn check_files(config: &Config) -> Result<Vec<String>, Misconfigured> {
        Accounts::load(config, &Random::system()).map(|_| Vec::new()).map_err(Misconfigured::new)
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let accounts = authenticator(&config, &context)?;
        Ok(app(&accounts, config, &context))
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
    /// Reads everything again, at every reload until the end; the accounts stay as they were when something is wrong.
    async fn follow(self: Arc<Self>, config: Config, context: Context) {
        let mut changes = context.reload.subscribe();
        while let Some(Ok(())) = context.shutdown.run_until_cancelled(changes.changed()).await {
            match reread(&config, &context) {
                Ok(accounts) => {
                    tracing::info!(count = accounts.len(), "service accounts read again");
                    self.accounts.store(Arc::new(accounts));
                }
                Err(error) => tracing::error!(%error, "service accounts stay as they were"),
            }
        }
    }
}

fn reread(config: &Config, context: &Context) -> Result<Accounts, BoxError> {
    let loaded = load_over(config, &<AuthService as runtime::Service>::IDENTITY, &context.environment)?;
    let accounts = Accounts::load(&loaded.config, &context.random)?;
    accounts.files().for_each(|file| context.reload.watch(file));
    Ok(accounts)
}

/// The authenticator of these accounts.
pub fn authenticator(config: &Config, context: &Context) -> Result<Arc<ServiceAccounts>, AccountsError> {
    let accounts = Accounts::load(config, &context.random)?;
    accounts.files().for_each(|file| context.reload.watch(file));
    Ok(Arc::new(ServiceAccounts { accounts: ArcSwap::from_pointee(accounts), clock: context.clock.clone() }))
}

/// The service around an authenticator: its gRPC API, and the task that follows changes of the configuration.
pub fn app(accounts: &Arc<ServiceAccounts>, config: Config, context: &Context) -> App {
    let authenticator: Arc<dyn Authenticator> = Arc::<ServiceAccounts>::clone(accounts);
    let limit = config.grpc.max_received_message_size;
    let follow = Arc::clone(accounts).follow(config, context.clone());
    let tasks = vec![Task::new("follow accounts", follow)];
    App { tasks, ..App::grpc(tonic::service::Routes::new(authn::provider::serve(authenticator, limit))) }
}
