//! Authenticates OIDC access tokens. The crate's README follows one request through it and lists its settings.

pub mod access;
mod authenticator;
pub mod claims;
mod config;
mod derived_id;
pub mod failure;
pub mod groups;
pub mod issuer;
pub mod jwt;
pub mod logout;
pub mod logouts;
pub mod membership;
mod migration;
pub mod provision;
mod remote;
pub mod results;
pub mod sessions;
mod store;
pub mod tenants;
pub mod transport;
pub mod user_directory;
mod users_service;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ::config::{Environment, Identity};
use ::store::{Database, Migrations, Options, ServiceState};
use authn::{Authenticator, BoxError, Directory, EndedSessions, Groups, kind};
use outbound::{Authorities, ClientIdentity};
use runtime::{
    App, Context, FileSetting, FileValue, Listeners, Misconfigured, ProviderSessions, Reading, Task, client,
    is_registry_name,
};
use tonic::service::Routes;

use crate::issuer::{Calls, Issuers};
use crate::logouts::Logouts;
use crate::provision::Provisioner;
use crate::tenants::Tenants;
use crate::transport::{Transport, transport};
use crate::user_directory::UserDirectory;

pub use self::config::{
    AuthProviders, AutoProvision, Config, FileError, Minting, MultiInstance, Oidc, Outbound, RoleAssignment,
};
pub use authenticator::Bearer;
pub use migration::Migrator;
pub use users_service::UsersService;

/// The default address of the users service.
const DEFAULT_USERS: &str = "127.0.0.1:9144";
/// How long a former process may take to let go of the database.
const CLAIM_PATIENCE: Duration = Duration::from_secs(10);

/// The service.
pub struct AuthBearer;

impl runtime::Service for AuthBearer {
    const IDENTITY: Identity = Identity { name: "auth-bearer", prefix: "AUTH_BEARER" };
    const ABOUT: &'static str = "Authenticates by OpenID Connect access tokens";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, http, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: Some(http), mtls: None }
    }

    fn check_files(config: &Config) -> Result<Vec<String>, Misconfigured> {
        config.issuers().map(|_| Vec::new()).map_err(Misconfigured::new)
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        let users = administration(&config, &context)?;
        let (ended, task) =
            provider_sessions(&config, &context)?.map(|sessions| (sessions.ended, sessions.task)).unzip();
        let logouts = logouts(&config, &context).await?;
        let mut app = app(&open(&config, directory, users, (logouts, ended), &context)?, &config, &context);
        app.tasks.extend(task.flatten());
        Ok(app)
    }
}

/// The users service in another process. Tenants are looked up at the gateway of an existing installation where that is the directory.
///
/// # Errors
/// When an endpoint is malformed.
pub fn administration(config: &Config, context: &Context) -> Result<UsersService, BoxError> {
    let endpoint = if config.users_endpoint.is_empty() { DEFAULT_USERS } else { &config.users_endpoint };
    let users = UsersService::from(transport(client::channel(endpoint, &config.grpc_client_tls, context)?));
    let reva = &config.reva;
    let is_gateway = config.users_endpoint.is_empty() && !reva.address.is_empty() && !is_registry_name(&reva.address);
    if !(config.multi_tenant_enabled && is_gateway) {
        return Ok(users);
    }
    let gateway = transport(client::channel(&reva.address, &reva.tls, context)?);
    Ok(UsersService { tenants: (gateway, tenants::Service::Gateway), ..users })
}

/// The sessions of our own provider in another process, if its endpoint is set.
///
/// # Errors
/// When its endpoint is malformed, or the token secret cannot be used.
pub fn provider_sessions(config: &Config, context: &Context) -> Result<Option<ProviderSessions>, BoxError> {
    if config.idp_endpoint.is_empty() {
        return Ok(None);
    }
    let keys = runtime::key_ring::<AuthBearer>(config, |config| config.minting.token_manager(), context)?;
    let caller = (<AuthBearer as runtime::Service>::IDENTITY.name, keys);
    Ok(Some(runtime::ended_sessions(&config.idp_endpoint, &config.grpc_client_tls, caller, context)?))
}

/// What the issuers have reported as ended. Opens the database and brings its schema up to date; a file that cannot be made in the
/// data folder, where no database is configured, is done without: then logout tokens are refused.
///
/// # Errors
/// When the configured database cannot be opened, or the file that is there; when another process works with that file.
pub async fn logouts(config: &Config, context: &Context) -> Result<Arc<Logouts>, BoxError> {
    let opened = match database(config, context).await {
        Ok(database) => Logouts::open(database, context.clock.now()).await?,
        // an operator who names a database means it; and what a file has must not be forgotten
        Err(error) if !config.database_url.is_empty() || has_file(config, &context.environment) => return Err(error),
        Err(error) => {
            tracing::warn!(
                %error,
                "logout tokens of issuers are refused: the file auth-bearer.db cannot be made; make the data folder (OCIS_BASE_DATA_PATH) writable, or set AUTH_BEARER_DATABASE_URL"
            );
            Logouts::without_store()
        }
    };
    opened.measure(&context.metrics);
    Ok(Arc::new(opened))
}

async fn database(config: &Config, context: &Context) -> Result<Database, BoxError> {
    let options = Options {
        listen_url: config.database_listen_url.clone(),
        ..config.database_pool.options(&context.environment)
    };
    let claim = (<AuthBearer as runtime::Service>::IDENTITY.name, CLAIM_PATIENCE);
    let url = config.database(&context.environment);
    Ok(Database::open_claimed::<Migrator>(&url, &options, &context.metrics, claim).await?)
}

/// Whether the database is a file that is there, or may be.
fn has_file(config: &Config, environment: &Environment) -> bool {
    ::store::sqlite_file(&config.database(environment)).is_some_and(|file| match file.try_exists() {
        Ok(is_there) => is_there,
        // a folder of its path is a file
        Err(error) => error.kind() != ErrorKind::NotADirectory,
    })
}

/// The state of this service, for commands that work with the state of all services.
pub fn state(config: &Config, environment: &Environment) -> ServiceState {
    ServiceState {
        service: <AuthBearer as runtime::Service>::IDENTITY.name,
        url: config.database(environment),
        options: config.database_pool.options(environment),
        migrations: Migrations::of::<Migrator>(),
        end_credentials: store::end_credentials,
    }
}

/// The authenticator, over any directory, with the service that has its users, with what issuers have reported as ended, and with the
/// ended sessions of our own provider if they are known. It contacts no issuer before the first token.
///
/// # Errors
/// When the configuration of the issuers is invalid, or the token secret cannot be used.
pub fn open(
    config: &Config,
    directory: Arc<dyn Directory>,
    users: impl Into<UsersService>,
    (logouts, ended_sessions): (Arc<Logouts>, Option<Arc<dyn EndedSessions>>),
    context: &Context,
) -> Result<Arc<Bearer>, BoxError> {
    let issuers = issuers(config, context)?;
    let UsersService { administration, tenants } = users.into();
    let tenants = tenants_of(config, tenants, context)?;
    let provisioner = if config.may_write_users() {
        let keys = runtime::key_ring::<AuthBearer>(config, |config| config.minting.token_manager(), context)?;
        Some(Provisioner::new(administration, keys, context.clock.clone(), context.random.clone()))
    } else {
        None
    };
    let groups = if config.skip_user_groups_in_token { Groups::Skip } else { Groups::Include };
    let users = UserDirectory::new(directory, groups, provisioner);
    let bearer = Bearer::new(issuers, (users, tenants), logouts, ended_sessions, context.clock.clone());
    context.metrics.cache("verified_tokens", bearer.lookups());
    Ok(Arc::new(bearer))
}

/// Looks tenants up, where users belong to tenants and there is a secret for that.
fn tenants_of(
    config: &Config,
    service: (Transport, tenants::Service),
    context: &Context,
) -> Result<Option<Tenants>, BoxError> {
    if !config.multi_tenant_enabled || config.minting.jwt_secret.is_empty() {
        return Ok(None);
    }
    let keys = runtime::key_ring::<AuthBearer>(config, |config| config.minting.token_manager(), context)?;
    Ok(Some(Tenants::new(service, keys, context.clock.clone(), context.random.clone())))
}

/// The same authenticator with its answers measured, for callers.
pub fn authenticator(bearer: &Arc<Bearer>, context: &Context) -> Arc<dyn Authenticator> {
    let service = <AuthBearer as runtime::Service>::IDENTITY.name;
    runtime::measured(bearer.clone(), service, kind::BEARER, &context.metrics)
}

/// The issuers of the settings and of the file that they name, which is read again when it changes and at SIGHUP.
fn issuers(config: &Config, context: &Context) -> Result<Arc<FileValue<Issuers>>, BoxError> {
    let service = <AuthBearer as runtime::Service>::IDENTITY.name;
    let authorities = config.outbound.authorities.clone().map(|file| {
        let setting = FileSetting { service, name: "AUTH_BEARER_OUTBOUND_CACERT", files: vec![file] };
        Authorities::follow(setting, context)
    });
    let authorities = authorities.transpose()?;
    let identity = ClientIdentity::follow(service, &config.http_client_tls, context)?;
    let file = config.auth_providers.issuers_file.clone();
    let (config, surroundings) = (config.clone(), context.clone());
    let read = move |before: Option<&Issuers>| {
        let settings = config.issuers()?;
        let calls = Calls {
            allow_private: config.outbound.allow_private_addresses,
            authorities: authorities.as_ref(),
            own_backend: &config.idp_backend,
            identity: identity.as_ref(),
        };
        let value = Issuers::new(settings, before, &calls, &surroundings)?;
        Ok::<_, BoxError>(Reading { value, files: config.issuer_files() })
    };
    let Some(file) = file else { return Ok(FileValue::fixed(read(None)?.value)) };
    let setting = FileSetting { service, name: "AUTH_BEARER_OIDC_ISSUERS_FILE", files: vec![file] };
    FileValue::open(setting, read, Issuers::changes, context)
}

/// The service that answers with this authenticator, and follows what ends at the issuers.
pub fn app(bearer: &Arc<Bearer>, config: &Config, context: &Context) -> App {
    let authenticator = authenticator(bearer, context);
    let http = Some(logout::router(Arc::clone(bearer)).into());
    let routes = Routes::new(authn::provider::serve(authenticator, config.grpc.max_received_message_size));
    let checks = bearer.logouts.check().into_iter().collect();
    App { http, checks, tasks: tasks(&bearer.logouts, context), ..App::grpc(routes) }
}

fn tasks(logouts: &Arc<Logouts>, context: &Context) -> Vec<Task> {
    let parts = || (Arc::clone(logouts), context.clock.clone(), context.shutdown.clone());
    let mut tasks = Vec::new();
    if logouts.is_stored() {
        let (logouts, clock, shutdown) = parts();
        tasks.push(Task::new("prune", async move { logouts.keep_pruning(clock, shutdown).await }));
    }
    if logouts.has_replicas() {
        let (logouts, clock, shutdown) = parts();
        tasks.push(Task::new("logouts", async move { logouts.follow(true, clock, shutdown).await }));
    }
    tasks
}
