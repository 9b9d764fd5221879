//! Service accounts. The README of this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

mod accounts;
mod administration;
mod config;
mod grpc;
mod last_used;
mod migration;
pub mod model;
pub mod secret;
pub mod store;
mod stored_accounts;

use std::sync::Arc;

use ::config::{Environment, Identity, load_over};
use ::store::transfer::no_credentials;
use ::store::{Database, Migrations, ServiceState};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use authn::{AuthError, Authenticated, Authenticator, BoxError, Credentials, Reason};
use runtime::{App, Clock, Context, Listeners, Misconfigured, Random, Task};
use secrecy::ExposeSecret;
use token::Verifier;

pub use self::config::{Config, MIN_SECRET, ServiceAccount, Verification};
pub use accounts::{Accounts, AccountsError, UnknownScope};
pub use administration::{Administration, AdministrationError, NewAccount, WithSecret};
pub use migration::Migrator;

use store::AccountStore;
use stored_accounts::StoredAccounts;

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
        let opened = open(&config, &context).await?;
        app(&opened, config, &context)
    }
}

/// Verifies an account's identifier and secret.
pub struct ServiceAccounts {
    configured: Arc<ArcSwap<Accounts>>,
    /// `None` where accounts are not stored.
    stored: Option<Arc<StoredAccounts>>,
    clock: Clock,
}

#[async_trait]
impl Authenticator for ServiceAccounts {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let now = self.clock.now();
        let secret = credentials.secret.expose_secret();
        let verdict = self.configured.load().verify(&credentials.client_id, secret, now);
        match (verdict, &self.stored) {
            // an account of the configuration takes precedence over a stored one
            (Err(Reason::UnknownUser), Some(stored)) => stored.authenticate(credentials, now).await,
            (verdict, _) => verdict.map_err(AuthError::Refused),
        }
    }
}

impl ServiceAccounts {
    /// Reads the configuration again, at every reload until the end; the accounts stay as they were when something is wrong.
    async fn follow(self: Arc<Self>, config: Config, context: Context) {
        let mut changes = context.reload.subscribe();
        while let Some(Ok(())) = context.shutdown.run_until_cancelled(changes.changed()).await {
            match reread(&config, &context) {
                Ok(accounts) => {
                    tracing::info!(count = accounts.len(), "service accounts read again");
                    self.configured.store(Arc::new(accounts));
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

/// The service, with what it needs open.
pub struct Components {
    /// Verifies accounts.
    pub authenticator: Arc<ServiceAccounts>,
    /// Administers stored accounts; `None` where accounts are not stored.
    pub administration: Option<Arc<Administration>>,
    database: Option<Database>,
}

/// Reads the accounts of the configuration. Opens the database where accounts are stored, and brings its schema up to date.
///
/// # Errors
/// When the configuration is invalid, or the database cannot be opened.
pub async fn open(config: &Config, context: &Context) -> Result<Components, BoxError> {
    let accounts = Accounts::load(config, &context.random)?;
    accounts.files().for_each(|file| context.reload.watch(file));
    let configured = Arc::new(ArcSwap::from_pointee(accounts));
    let (clock, random) = (context.clock.clone(), context.random.clone());
    let database = if config.store_accounts { Some(database(config, context).await?) } else { None };
    let stored = database.clone().map(|database| {
        let store = AccountStore::new(database);
        Arc::new(StoredAccounts::new(store, &random))
    });
    let administration = stored.clone().map(|stored| {
        let (configured, clock) = (Arc::clone(&configured), clock.clone());
        Arc::new(Administration { stored, configured, clock, random })
    });
    let authenticator = Arc::new(ServiceAccounts { configured, stored, clock });
    Ok(Components { authenticator, administration, database })
}

/// The state of this service, for commands that work with the state of all services; `None` where accounts are not stored. What it
/// stores are secrets that operators have given to programs: a restore does not end them.
pub fn state(config: &Config, environment: &Environment) -> Option<ServiceState> {
    config.store_accounts.then(|| ServiceState {
        service: <AuthService as runtime::Service>::IDENTITY.name,
        url: config.database(environment),
        options: config.database_pool.options(),
        migrations: Migrations::of::<Migrator>(),
        end_credentials: no_credentials,
    })
}

async fn database(config: &Config, context: &Context) -> Result<Database, BoxError> {
    let database = Database::connect(&config.database(&context.environment), &config.database_pool.options()).await?;
    database.migrate::<Migrator>().await?;
    Ok(database)
}

/// The service around what was opened: its gRPC APIs, and its tasks, which follow changes of the configuration and write down the uses of
/// stored accounts.
///
/// # Errors
/// When the secret of the internal token is too short.
pub fn app(opened: &Components, config: Config, context: &Context) -> Result<App, BoxError> {
    let limit = config.grpc.max_received_message_size;
    let authenticator: Arc<dyn Authenticator> = opened.authenticator.clone();
    let mut routes = tonic::service::Routes::new(authn::provider::serve(authenticator, limit));
    let mut tasks = Vec::new();
    if let Some(administration) = &opened.administration {
        let keys = runtime::key_ring::<AuthService>(&config, |config| config.token_manager.token_manager(), context)?;
        let (administration, clock) = (Arc::clone(administration), context.clock.clone());
        let (stored, shutdown) = (Arc::clone(&administration.stored), context.shutdown.clone());
        let api = grpc::Api { administration, verifier: Verifier::new(keys), clock: clock.clone() };
        routes = routes.add_service(grpc::serve(api, limit));
        let writing = async move { stored.keep_writing_uses(clock, shutdown).await };
        tasks.push(Task::new("uses", writing));
    } else {
        routes = routes.add_service(grpc::serve_not_stored(limit));
    }
    tasks.push(Task::new("follow accounts", Arc::clone(&opened.authenticator).follow(config, context.clone())));
    let checks = opened.database.iter().map(Database::check).collect();
    Ok(App { checks, tasks, ..App::grpc(routes) })
}
