//! App tokens. The README beside this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

pub mod applications;
mod authenticator;
pub mod cache;
mod command;
mod config;
pub mod grant;
pub mod grpc;
pub mod ledger;
mod migration;
pub mod model;
pub mod pepper;
pub mod policy;
pub mod store;
pub mod token;

use std::sync::Arc;
use std::time::Duration;

use ::store::{Database, Options};
use ::token::{KeyRing, Verifier};
use authn::{Authenticator, BoxError, Directory, Groups};
use clap::ArgMatches;
use runtime::config::Identity;
use runtime::{App, Check, Context, Listeners};

pub use applications::Applications;
pub use authenticator::AppTokens;
pub use config::Config;
pub use ledger::Ledger;
pub use migration::Migrator;

/// How long what was read of a token is believed where only this process writes: expiry and revocation end it at once.
const BELIEVED_ALONE: Duration = Duration::from_mins(15);
/// The same where other replicas may revoke it.
const BELIEVED_AMONG_REPLICAS: Duration = Duration::from_secs(5);
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
        Listeners { log, tracing, debug, grpc: Some(grpc), http: Some(http) }
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        Ok(app(&open(&config, directory, &context).await?))
    }

    fn commands() -> Vec<clap::Command> {
        command::commands()
    }

    async fn command(name: &str, matches: &ArgMatches, context: Context) -> Result<(), BoxError> {
        match name {
            command::CREATE => command::create(matches, &context).await,
            other => Err(format!("there is no subcommand {other}").into()),
        }
    }
}

/// The service, with its database open.
#[derive(Clone)]
pub struct Opened {
    /// Verifies app tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// Administers them.
    pub applications: Arc<Applications>,
    /// `ApplicationsAPI`; [`grpc::serve`] makes a server of it, for a listener or for a gateway in the same process.
    pub api: grpc::Api,
    database: Database,
}

/// Opens the database, brings its schema up to date, and builds the service over any directory.
///
/// # Errors
/// When the database cannot be opened, another process works with its file, or a key is too short.
pub async fn open(config: &Config, directory: Arc<dyn Directory>, context: &Context) -> Result<Opened, BoxError> {
    let keys = runtime::key_ring::<AuthApp>(config, |config| &config.token_manager, context)?;
    let database = Database::connect(&config.database(&context.environment), &Options::default()).await?;
    let database = database.claim(<AuthApp as runtime::Service>::IDENTITY.name, CLAIM_PATIENCE).await?;
    database.migrate::<Migrator>().await?;
    Ok(assemble(config, database, keys, directory, context))
}

fn assemble(
    config: &Config,
    database: Database,
    keys: Arc<KeyRing>,
    directory: Arc<dyn Directory>,
    context: &Context,
) -> Opened {
    let peppers = pepper::Peppers::new(&config.token_key, &config.token_key_previous);
    let believed_for = if database.is_postgres() { BELIEVED_AMONG_REPLICAS } else { BELIEVED_ALONE };
    let tokens = Arc::new(store::Sql::new(database.clone()));
    let ledger = Arc::new(Ledger::new(tokens, peppers, believed_for));
    let (clock, random) = (context.clock.clone(), context.random.clone());
    let groups = if config.skip_user_groups_in_token { Groups::Skip } else { Groups::Include };
    let authenticator = Arc::new(AppTokens::new(Arc::clone(&ledger), directory, groups, clock.clone()));
    let applications = Arc::new(Applications::new(ledger, clock.clone(), random, config.max_expiration));
    let api = grpc::Api::new(Arc::clone(&applications), Verifier::new(keys), clock);
    Opened { authenticator, applications, api, database }
}

/// The service that answers with what was opened. The HTTP listener stays closed: nothing is served there yet.
pub fn app(opened: &Opened) -> App {
    let provider = authn::provider::serve(Arc::clone(&opened.authenticator));
    let routes = tonic::service::Routes::new(provider).add_service(grpc::serve(opened.api.clone()));
    let database = opened.database.clone();
    let check = Check::new("database", move || {
        let database = database.clone();
        async move { database.ping().await.map_err(|error| error.to_string()) }
    });
    App { checks: vec![check], ..App::grpc(routes) }
}
