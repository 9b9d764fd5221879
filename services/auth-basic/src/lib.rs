//! Passwords. The README of this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

mod administration;
mod authenticator;
mod backend;
mod config;
mod digest;
mod grpc;
mod ldap_password;
mod migration;
mod notification;
mod own_password;
pub mod password;
mod pool;
pub mod store;
mod throttle;

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use ::config::{Environment, Identity};
use ::ldap::{Binder, Directory as LdapDirectory};
use ::store::transfer::no_credentials;
use ::store::{Database, Migrations, ServiceState};
use authn::{Authenticator, BoxError, Directory, kind};
use crypto::{HMAC_LEN, HmacKey};
use runtime::{App, Check, Clock, Context, Listeners, Task};
use token::Verifier;
use tokio_util::sync::CancellationToken;

pub use self::config::{Config, Providers};
pub use administration::{Administration, AdministrationError};
pub use migration::Migrator;
pub use throttle::Rules;

use authenticator::Basic;
use backend::{Backend, Hashing};
use digest::shared_key;
use ldap_password::{LdapPasswords, OwnLdapPasswords};
use notification::Notifier;
use own_password::OwnPasswords;
use password::Hasher;
use pool::{Pool, TRIM_INTERVAL};
use store::PasswordStore;
use throttle::Counts;

/// How often counts of failed attempts are pruned. In between come at most as many as passwords can be verified.
const PRUNE_INTERVAL: Duration = Duration::from_mins(1);

/// The service.
pub struct AuthBasic;

impl runtime::Service for AuthBasic {
    const IDENTITY: Identity = Identity { name: "auth-basic", prefix: "AUTH_BASIC" };
    const ABOUT: &'static str = "Authenticates people by login and password";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: None, mtls: None }
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        app(&open(&config, directory, &context).await?, &config, &context)
    }
}

/// The service, with what it needs open.
pub struct Components {
    /// Verifies logins and passwords.
    pub authenticator: Arc<dyn Authenticator>,
    /// Administers passwords; `None` where an LDAP server keeps them.
    pub administration: Option<Arc<Administration>>,
    hashing: Option<Arc<Hashing>>,
    throttle: throttle::Throttle,
    kept: Kept,
}

/// What has to answer for the service to be ready.
enum Kept {
    InDatabase(Box<Database>),
    InLdap(LdapDirectory, Arc<LdapPasswords>),
}

impl Components {
    /// How many passwords were hashed, and how many at the same time at most.
    pub fn hashed(&self) -> (u64, usize) {
        self.hashing.as_ref().map_or((0, 0), |hashing| (hashing.pool.done(), hashing.pool.peak()))
    }
}

/// Builds the service over any directory, which a configuration with LDAP only notifies of changed passwords. Opens the
/// database where there is one, and brings its schema up to date.
///
/// # Errors
/// When the database cannot be opened, or the cost of hashing is out of bounds.
pub async fn open(config: &Config, directory: Arc<dyn Directory>, context: &Context) -> Result<Components, BoxError> {
    if config.is_ldap() {
        return open_ldap(config, directory, context).await;
    }
    let database = database(config, context).await?;
    let passwords = Arc::new(PasswordStore::new(database.clone()));
    let hasher = Hasher::new(config.argon2)?;
    let pool = Pool::new(slots(config), config.hash_queue, hasher.blocks());
    pool.measure(&context.metrics);
    let hashing = Arc::new(Hashing::new(pool, hasher, context.random.clone()));
    let clock = context.clock.clone();
    let administration = Administration {
        passwords: passwords.clone(),
        directory: directory.clone(),
        hashing: hashing.clone(),
        policy: config.policy(),
        digester: HmacKey::new(&context.random.bytes::<HMAC_LEN>()),
        clock: clock.clone(),
    };
    let backend = backend::Sql { directory, passwords, hashing: hashing.clone(), clock };
    let throttle = throttle(config, Arc::new(store::SqlCounts(database.clone())));
    Ok(Components {
        authenticator: authenticator(config, Arc::new(backend), throttle.clone(), context),
        throttle,
        administration: Some(Arc::new(administration)),
        hashing: Some(hashing),
        kept: Kept::InDatabase(Box::new(database)),
    })
}

/// The state of this service, for commands that work with the state of all services. With passwords in LDAP, it is the failed
/// attempts.
pub fn state(config: &Config, environment: &Environment) -> ServiceState {
    ServiceState {
        service: <AuthBasic as runtime::Service>::IDENTITY.name,
        url: config.database(environment),
        options: config.database_pool.options(environment),
        migrations: Migrations::of::<Migrator>(),
        end_credentials: no_credentials,
    }
}

/// Passwords are in LDAP; the database has the failed attempts only.
async fn open_ldap(config: &Config, users: Arc<dyn Directory>, context: &Context) -> Result<Components, BoxError> {
    let directory = LdapDirectory::new(&config.auth_providers.ldap, &context.environment, &context.reload);
    let counts: Arc<dyn Counts> = match database(config, context).await {
        Ok(database) => Arc::new(store::SqlCounts(database)),
        // an operator who names a database means it
        Err(error) if !config.database_url.is_empty() => return Err(error),
        Err(error) => {
            tracing::warn!(
                %error,
                "failed sign-ins are counted in memory, by this process alone and until it ends: the file auth-basic.db cannot be opened; make the data folder (OCIS_BASE_DATA_PATH) writable, or set AUTH_BASIC_DATABASE_URL"
            );
            Arc::new(throttle::Memory::default())
        }
    };
    let throttle = throttle(config, counts);
    let backend = Arc::new(backend::Ldap::new(Binder::new(&directory)));
    let authenticator = authenticator(config, backend.clone(), throttle.clone(), context);
    let pool = Pool::new(slots(config), config.hash_queue, 0);
    pool.measure(&context.metrics);
    let passwords = LdapPasswords {
        backend,
        is_allowed: config.ldap_password_change,
        // what judges passwords keeps no memory
        pool,
        policy: config.policy(),
        digester: HmacKey::new(&context.random.bytes::<HMAC_LEN>()),
        directory: users,
    };
    let kept = Kept::InLdap(directory, Arc::new(passwords));
    Ok(Components { authenticator, administration: None, hashing: None, throttle, kept })
}

async fn database(config: &Config, context: &Context) -> Result<Database, BoxError> {
    let (url, options) = (config.database(&context.environment), config.database_pool.options(&context.environment));
    Ok(Database::open::<Migrator>(&url, &options, &context.metrics).await?)
}

/// The service that answers with what was opened.
///
/// # Errors
/// When the secret of the internal token is too short.
pub fn app(opened: &Components, config: &Config, context: &Context) -> Result<App, BoxError> {
    let limit = config.grpc.max_received_message_size;
    let mut routes = tonic::service::Routes::new(authn::provider::serve(opened.authenticator.clone(), limit));
    let keys = runtime::key_ring::<AuthBasic>(config, |config| config.token_manager.clone(), context)?;
    let (authenticator, clock) = (opened.authenticator.clone(), context.clock.clone());
    let notifier =
        |directory: &Arc<dyn Directory>| Notifier::new(directory.clone(), keys.clone(), context.clock.clone());
    let verifier = Verifier::new(keys.clone());
    routes = match (&opened.administration, &opened.kept) {
        (Some(administration), _) => {
            let (administration, notifier) = (administration.clone(), notifier(&administration.directory));
            let own =
                OwnPasswords { administration: administration.clone(), authenticator, notifier, clock: clock.clone() };
            routes.add_service(grpc::serve(grpc::Api { administration, own: Arc::new(own), verifier, clock }, limit))
        }
        (None, Kept::InLdap(_, passwords)) => {
            let (passwords, notifier) = (passwords.clone(), notifier(&passwords.directory));
            let own = OwnLdapPasswords { passwords, authenticator, notifier };
            routes.add_service(grpc::ldap::serve(grpc::ldap::LdapApi { own: Arc::new(own), verifier, clock }, limit))
        }
        (None, Kept::InDatabase(_)) => routes,
    };
    let trim = opened.hashing.clone().map(|hashing| Task::new("trim", trim(hashing, context.shutdown.clone())));
    let prune = prune(opened.throttle.clone(), context.clock.clone(), context.shutdown.clone());
    let tasks = trim.into_iter().chain([Task::new("prune", prune)]).collect();
    Ok(App { checks: vec![check(&opened.kept)], tasks, ..App::grpc(routes) })
}

fn throttle(config: &Config, counts: Arc<dyn Counts>) -> throttle::Throttle {
    throttle::Throttle::new(config.throttle, shared_key(&config.token_manager.jwt_secret), counts)
}

fn authenticator(
    config: &Config,
    backend: Arc<dyn Backend>,
    throttle: throttle::Throttle,
    context: &Context,
) -> Arc<dyn Authenticator> {
    let digester = HmacKey::new(&context.random.bytes::<HMAC_LEN>());
    let basic = Basic::new(backend, throttle, digester, context.clock.clone(), config.cache_ttl);
    context.metrics.cache("verified_passwords", basic.lookups());
    let service = <AuthBasic as runtime::Service>::IDENTITY.name;
    runtime::measured(Arc::new(basic), service, kind::BASIC, &context.metrics)
}

fn check(kept: &Kept) -> Check {
    let directory = match kept {
        Kept::InDatabase(database) => return database.check(),
        Kept::InLdap(directory, _) => directory.clone(),
    };
    Check::new("ldap", move || {
        let directory = directory.clone();
        async move { directory.check().await.map_err(|error| error.to_string()) }
    })
}

/// Frees memory after a while without sign-ins.
async fn trim(hashing: Arc<Hashing>, shutdown: CancellationToken) {
    let every = async {
        loop {
            tokio::time::sleep(TRIM_INTERVAL).await;
            hashing.pool.trim();
        }
    };
    shutdown.run_until_cancelled(every).await;
}

/// Removes counts that no longer mean anything.
async fn prune(throttle: throttle::Throttle, clock: Clock, shutdown: CancellationToken) {
    let prune = || async { throttle.prune(clock.now()).await.map(|()| 0) };
    ::store::keep_pruning("counts of failed sign-ins", PRUNE_INTERVAL, prune, shutdown).await;
}

/// How many passwords are hashed or judged at the same time.
fn slots(config: &Config) -> usize {
    if config.hash_threads == 0 { available_parallelism().map_or(1, NonZero::get) } else { config.hash_threads }
}
