//! App tokens. The README of this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

pub mod applications;
mod authenticator;
pub mod cache;
pub mod command;
mod config;
pub mod digest_keys;
pub mod grpc;
pub mod http;
pub mod import;
pub mod last_used;
pub mod legacy_hashes;
mod migration;
pub mod model;
pub mod policy;
pub mod prune;
pub mod revocation_sync;
mod revoked;
pub mod store;
pub mod token;
pub mod token_service;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::config::{Environment, Identity};
use ::store::{Database, Migrations, Options, ServiceState};
use ::token::{KeyRing, Verifier};
use authn::{Authenticator, BoxError, Directory, Groups, kind};
use bounded_cache::MIB;
use clap::{ArgMatches, FromArgMatches, Subcommand};
use runtime::{App, Check, Clock, Context, Listeners, Pages, Task};
use tokio_util::sync::CancellationToken;

pub use self::config::{Config, Tokens};
pub use applications::Applications;
pub use authenticator::AppTokens;
pub use command::Command;
pub use migration::Migrator;
pub use token_service::TokenService;

use cache::Limits;
use digest_keys::DigestKeys;
use prune::Pruner;
use store::TokenStore;

/// How long what was read of a token is kept. Expiry and revocation end it at once, and an absent database after [`::store::MAX_STALENESS`].
const CACHED_FOR: Duration = Duration::from_mins(15);
/// How far this machine's clock may be from the database's.
const MOST_SKEW: Duration = Duration::from_secs(5);
/// How long a former process may take to let go of the database.
const CLAIM_PATIENCE: Duration = Duration::from_secs(10);

/// The service.
pub struct AuthApp;

impl runtime::Service for AuthApp {
    const IDENTITY: Identity = Identity { name: "auth-app", prefix: "AUTH_APP" };
    const ABOUT: &'static str = "Authenticates applications by app tokens";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, http, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: Some(http), mtls: None }
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        Ok(app(&open(&config, directory, &context).await?))
    }

    fn commands() -> Vec<clap::Command> {
        Command::augment_subcommands(clap::Command::new("auth-app")).get_subcommands().cloned().collect()
    }

    async fn command(matches: &ArgMatches, context: Context) -> Result<(), BoxError> {
        Command::from_arg_matches(matches)?.run(&Config::default(), &context).await
    }
}

/// The service, with its database open.
#[derive(Clone)]
pub struct Components {
    /// Verifies app tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// Administers them.
    pub applications: Arc<Applications>,
    /// `ApplicationsAPI`; [`grpc::applications::serve`] makes a server of it, for a listener or for a gateway in the same
    /// process.
    pub api: grpc::applications::Api,
    /// `OwnTokensAPI`; [`grpc::own_tokens::serve`] makes a server of it, likewise for account pages in the same process.
    pub own_tokens: grpc::own_tokens::Api,
    tokens: Arc<TokenService>,
    pruner: Pruner,
    verifier: Verifier,
    database: Database,
    config: Config,
    context: Context,
}

/// Opens the database, brings its schema up to date, and builds the service over any directory.
///
/// # Errors
/// When the database cannot be opened, another process works with its file, or a key is too short.
pub async fn open(config: &Config, directory: Arc<dyn Directory>, context: &Context) -> Result<Components, BoxError> {
    let keys = runtime::key_ring::<AuthApp>(config, |config| config.token_manager.clone(), context)?;
    let listen_url = config.database_listen_url.clone();
    let options = Options { listen_url, ..config.database_pool.options(&context.environment) };
    let claim = (<AuthApp as runtime::Service>::IDENTITY.name, CLAIM_PATIENCE);
    let url = config.database(&context.environment);
    let database = Database::open_claimed::<Migrator>(&url, &options, &context.metrics, claim).await?;
    assemble(config, database, keys, directory, context).await
}

/// The state of this service, for commands that work with the state of all services.
pub fn state(config: &Config, environment: &Environment) -> ServiceState {
    ServiceState {
        service: <AuthApp as runtime::Service>::IDENTITY.name,
        url: config.database(environment),
        options: config.database_pool.options(environment),
        migrations: Migrations::of::<Migrator>(),
        end_credentials: store::end_credentials,
    }
}

async fn assemble(
    config: &Config,
    database: Database,
    keys: Arc<KeyRing>,
    directory: Arc<dyn Directory>,
    context: &Context,
) -> Result<Components, BoxError> {
    let digest_keys = DigestKeys::new(&config.token_key, &config.token_key_previous);
    let store = Arc::new(TokenStore::new(database.clone()));
    let limits = Limits { bytes: u64::from(config.cache_size) * MIB, cached_for: CACHED_FOR };
    let tokens = Arc::new(TokenService::open(Arc::clone(&store), digest_keys, limits).await?);
    context.metrics.cache("app_tokens", tokens.cache.lookups());
    tokens.sync.measure(&context.metrics);
    let (clock, random) = (context.clock.clone(), context.random.clone());
    let groups = if config.skip_user_groups_in_token { Groups::Skip } else { Groups::Include };
    let ends_with_password = config.tokens.end_on_password_change;
    let authenticator =
        AppTokens::new(Arc::clone(&tokens), Arc::clone(&directory), groups, ends_with_password, clock.clone());
    let service = <AuthApp as runtime::Service>::IDENTITY.name;
    let authenticator = runtime::measured(Arc::new(authenticator), service, kind::APP, &context.metrics);
    let applications = Arc::new(Applications::new(
        Arc::clone(&tokens),
        directory,
        config.tokens.policy(),
        config.allow_impersonation,
        (clock.clone(), random),
    ));
    let verifier = Verifier::new(keys);
    Ok(Components {
        authenticator,
        api: grpc::applications::Api::new(Arc::clone(&applications), verifier.clone(), clock.clone()),
        own_tokens: grpc::own_tokens::Api::new(Arc::clone(&applications), verifier.clone(), clock.clone()),
        applications,
        pruner: Pruner { store, sync: Arc::clone(&tokens.sync), clock, keep: config.tokens.prune_after },
        tokens,
        verifier,
        database,
        config: config.clone(),
        context: context.clone(),
    })
}

/// The service that answers with what was opened.
pub fn app(opened: &Components) -> App {
    let Components { config, context, .. } = opened;
    if config.allow_impersonation {
        tracing::warn!("administrators may make app tokens for others (AUTH_APP_ENABLE_IMPERSONATION)");
    }
    let (applications, verifier, clock) =
        (Arc::clone(&opened.applications), opened.verifier.clone(), context.clock.clone());
    let operator = grpc::tokens::Api {
        applications: Arc::clone(&applications),
        pruner: opened.pruner.clone(),
        verifier: verifier.clone(),
        clock: clock.clone(),
    };
    let limit = config.grpc.max_received_message_size;
    let provider = authn::provider::serve(Arc::clone(&opened.authenticator), limit);
    let routes = tonic::service::Routes::new(provider)
        .add_service(grpc::applications::serve(opened.api.clone(), limit))
        .add_service(grpc::own_tokens::serve(opened.own_tokens.clone(), limit))
        .add_service(grpc::tokens::serve(operator, limit));
    let http = http::router(http::Api::new(applications, verifier, clock, &config.http.root));
    let http = Pages::of(&config.http.cors).open(http, <AuthApp as runtime::Service>::IDENTITY.name);
    let checks = checks(&opened.database, &context.clock);
    App { http: Some(http.into()), tasks: tasks(opened), checks, ..App::grpc(routes) }
}

fn checks(database: &Database, clock: &Clock) -> Vec<Check> {
    let (agrees, clock) = (database.clone(), clock.clone());
    // a replica that is behind the others would accept what they refuse
    let clock = Check::new("clock", move || {
        let (database, clock) = (agrees.clone(), clock.clone());
        async move {
            let server = database.time().await.map_err(|error| error.to_string())?;
            let skew = server.map(|server| difference(server, clock.now())).unwrap_or_default();
            if skew <= MOST_SKEW { Ok(()) } else { Err(format!("the clock and the database's are {skew:?} apart")) }
        }
    });
    vec![database.check(), clock]
}

fn difference(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|earlier| earlier.duration())
}

fn tasks(opened: &Components) -> Vec<Task> {
    let Components { tokens, config, context, database, .. } = opened;
    let shutdown = || context.shutdown.clone();
    let writing = Arc::clone(tokens).keep_writing_uses(context.clock.clone(), shutdown());
    let pruning = keep_pruning(opened.pruner.clone(), config.tokens.prune_interval, shutdown());
    let mut tasks = vec![Task::new("uses", writing), Task::new("prune", pruning)];
    if database.is_postgres() {
        let pushes = config.tokens.revocation_push.then(|| database.clone());
        tasks.push(Task::new("revocations", revocation_sync::run(Arc::clone(tokens), pushes, shutdown())));
    }
    tasks
}

async fn keep_pruning(pruner: Pruner, interval: Duration, shutdown: CancellationToken) {
    ::store::keep_pruning("app tokens", interval, || pruner.prune(), shutdown).await;
}
