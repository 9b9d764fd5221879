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
mod workloads;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use ::config::{Environment, Identity, InForce};
use ::store::transfer::no_credentials;
use ::store::{Database, Migrations, ServiceState};
use async_trait::async_trait;
use authn::trace::record_workload;
use authn::{AllowedCallers, AuthError, Authenticated, Authenticator, BoxError, Credentials, Reason, kind};
use runtime::{
    App, Clock, Context, FileSetting, FileValue, Listeners, Misconfigured, Random, Reading, SpiffeAuthorities, Task,
};
use secrecy::ExposeSecret;
use token::Verifier;
use tracing::Span;
use workload::{Workload, Workloads};

pub use self::config::{Config, MIN_SECRET, ServiceAccount, Verification};
pub use accounts::{Accounts, AccountsError, UnknownScope};
pub use administration::{Administration, AdministrationError, NewAccount, WithSecret};
pub use migration::Migrator;

use store::AccountStore;
use stored_accounts::StoredAccounts;
use workloads::{Shown, WorkloadAccounts};

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
        Workloads::check(&config.workload_policy, &config.spiffe)?;
        Accounts::load(config, &Random::system()).map(|_| Vec::new()).map_err(Misconfigured::new)
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let opened = open(&config, &context).await?;
        app(&opened, &config, &context)
    }
}

/// Verifies an account's identifier and secret, and workloads that are accounts.
pub struct ServiceAccounts {
    configured: Arc<FileValue<Accounts>>,
    /// `None` where accounts are not stored.
    stored: Option<Arc<StoredAccounts>>,
    /// `None` without a policy for workloads.
    workloads: Option<WorkloadAccounts>,
    clock: Clock,
}

#[async_trait]
impl Authenticator for ServiceAccounts {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let now = self.clock.now();
        let shown = self.workloads.as_ref().and_then(|workloads| Some((workloads, workloads.shown(credentials)?)));
        if let Some((workloads, shown)) = shown {
            return self.authenticate_workload(workloads, &shown, credentials, now).await;
        }
        let secret = credentials.secret.expose_secret();
        let verdict = self.configured.current().verify(&credentials.client_id, secret, now);
        match (verdict, &self.stored) {
            // an account of the configuration takes precedence over a stored one
            (Err(Reason::UnknownUser), Some(stored)) => stored.authenticate(credentials, now).await,
            (verdict, _) => verdict.map_err(AuthError::Refused),
        }
    }
}

impl ServiceAccounts {
    /// The account that a workload is.
    async fn authenticate_workload(
        &self,
        workloads: &WorkloadAccounts,
        shown: &Shown<'_>,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Authenticated, AuthError> {
        let (workload, verdict) = match workloads.identify(shown, now).await {
            Ok(workload) => {
                record_workload(&Span::current(), &workload.identity, workload.proof.name());
                let verdict = match workloads.account(&workload, &credentials.client_id) {
                    Ok(id) => self.granted(&id, &workload, now).await,
                    Err(error) => Err(error),
                };
                (Some(workload), verdict)
            }
            Err(error) => (None, Err(error)),
        };
        workloads.audit(credentials, workload.as_deref(), &verdict);
        verdict
    }

    /// The account of this identifier, as a workload has it: not longer than its token.
    async fn granted(&self, id: &str, workload: &Workload, now: SystemTime) -> Result<Authenticated, AuthError> {
        let answer = match (self.configured.current().granted(id, now), &self.stored) {
            // an account of the configuration takes precedence over a stored one
            (Err(Reason::UnknownUser), Some(stored)) => stored.granted(id, now).await?,
            (verdict, _) => verdict.map_err(AuthError::Refused)?,
        };
        let not_after = [answer.not_after, workload.expires].into_iter().flatten().min();
        Ok(Authenticated { not_after, ..answer })
    }

    /// Warns of entries of the policy whose account there is not.
    async fn warn_of_unknown_accounts(&self) {
        let Some(workloads) = &self.workloads else { return };
        let policy = workloads.workloads.policy();
        for id in policy.service_accounts() {
            let is_unknown = match (self.configured.current().contains(id), &self.stored) {
                (true, _) => false,
                (false, None) => true,
                (false, Some(stored)) => matches!(stored.store().find(id).await, Ok(None)),
            };
            if is_unknown {
                tracing::warn!(
                    account = id,
                    "the policy for workloads names a service account that there is not; add it"
                );
            }
        }
    }
}

/// The accounts of the configuration and of the file that it names. All of it is read again when a file changes and at SIGHUP.
fn accounts(config: &Config, context: &Context) -> Result<Arc<FileValue<Accounts>>, BoxError> {
    let identity = <AuthService as runtime::Service>::IDENTITY;
    let files = config.accounts_file.iter().cloned().collect();
    let setting = FileSetting { service: identity.name, name: "AUTH_SERVICE_ACCOUNTS_FILE", files };
    let (config, random) = (config.clone(), context.random.clone());
    let in_force = InForce::new(config.clone(), identity, context.environment.clone());
    let read = move |before: Option<&Accounts>| {
        let loaded = in_force.read_again();
        let (current, mut files) = match (before, loaded) {
            // the configuration was read a moment ago
            (None, loaded) => (config.clone(), loaded.map(|loaded| loaded.files).unwrap_or_default()),
            (Some(_), loaded) => loaded.map(|loaded| (loaded.config, loaded.files))?,
        };
        let value = Accounts::load(&current, &random)?;
        files.extend(value.files().map(Path::to_owned));
        Ok::<_, BoxError>(Reading { value, files })
    };
    let changes = |before: &Accounts, after: &Accounts| format!("{} accounts, {} before", after.len(), before.len());
    FileValue::open(setting, read, changes, context)
}

/// The service, with what it needs open.
pub struct Components {
    /// Verifies accounts.
    pub authenticator: Arc<dyn Authenticator>,
    /// Administers stored accounts; `None` where accounts are not stored.
    pub administration: Option<Arc<Administration>>,
    database: Option<Database>,
    client_authorities: Option<SpiffeAuthorities>,
}

/// Reads the accounts of the configuration. Opens the database where accounts are stored, and brings its schema up to date.
///
/// # Errors
/// When the configuration is invalid, or the database cannot be opened.
pub async fn open(config: &Config, context: &Context) -> Result<Components, BoxError> {
    let configured = accounts(config, context)?;
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
    let service = <AuthService as runtime::Service>::IDENTITY.name;
    let workloads = workloads(config, service, context)?;
    let client_authorities = match (&workloads, config.grpc.tls.client_spiffe) {
        (Some(known), true) => Some(known.workloads.client_authorities()),
        (None, true) => Some(workload::client_authorities(&config.spiffe, service, context)?),
        (_, false) => None,
    };
    let accounts = Arc::new(ServiceAccounts { configured, stored, workloads, clock });
    accounts.warn_of_unknown_accounts().await;
    let authenticator = runtime::measured(accounts, service, kind::SERVICE, &context.metrics);
    Ok(Components { authenticator, administration, database, client_authorities })
}

/// The workloads that are accounts, if there is a policy for them.
fn workloads(config: &Config, service: &'static str, context: &Context) -> Result<Option<WorkloadAccounts>, BoxError> {
    if config.workload_policy.policy_file.is_none() {
        return Ok(None);
    }
    let workloads = Workloads::open(&config.workload_policy, &config.spiffe, service, context)?;
    context.metrics.cache("workload_tokens", workloads.lookups());
    Ok(Some(WorkloadAccounts { workloads, gateways: config.trusted_gateways.clone() }))
}

/// The state of this service, for commands that work with the state of all services; `None` where accounts are not stored. What it
/// stores are secrets that operators have given to programs: a restore does not end them.
pub fn state(config: &Config, environment: &Environment) -> Option<ServiceState> {
    config.store_accounts.then(|| ServiceState {
        service: <AuthService as runtime::Service>::IDENTITY.name,
        url: config.database(environment),
        options: config.database_pool.options(environment),
        migrations: Migrations::of::<Migrator>(),
        end_credentials: no_credentials,
    })
}

async fn database(config: &Config, context: &Context) -> Result<Database, BoxError> {
    let (url, options) = (config.database(&context.environment), config.database_pool.options(&context.environment));
    Ok(Database::open::<Migrator>(&url, &options, &context.metrics).await?)
}

/// The service around what was opened: its gRPC APIs, and the task that writes down the uses of stored accounts.
///
/// # Errors
/// When the secret of the internal token is too short, or the names of callers cannot be read.
pub fn app(opened: &Components, config: &Config, context: &Context) -> Result<App, BoxError> {
    let limit = config.grpc.max_received_message_size;
    let callers = AllowedCallers::parse(&config.callers)?;
    let authenticator = callers.restrict(opened.authenticator.clone(), "AUTH_SERVICE_CALLERS");
    let mut routes = tonic::service::Routes::new(authn::provider::serve(authenticator, limit));
    let mut tasks = Vec::new();
    if let Some(administration) = &opened.administration {
        let keys = runtime::key_ring::<AuthService>(config, |config| config.token_manager.token_manager(), context)?;
        let (administration, clock) = (Arc::clone(administration), context.clock.clone());
        let (stored, shutdown) = (Arc::clone(&administration.stored), context.shutdown.clone());
        let api = grpc::Api { administration, verifier: Verifier::new(keys), clock: clock.clone() };
        routes = routes.add_service(grpc::serve(api, limit));
        let writing = async move { stored.keep_writing_uses(clock, shutdown).await };
        tasks.push(Task::new("uses", writing));
    } else {
        routes = routes.add_service(grpc::serve_not_stored(limit));
    }
    let checks = opened.database.iter().map(Database::check).collect();
    let client_authorities = opened.client_authorities.clone();
    Ok(App { checks, tasks, client_authorities, ..App::grpc(routes) })
}
