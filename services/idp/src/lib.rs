//! An `OpenID` Provider. The crate's README follows one sign-in through it and lists its settings.

mod account_links;
pub mod account_mail;
pub mod command;
mod config;
pub mod endpoints;
pub mod engine;
pub mod grpc;
pub mod http;
pub mod lifetimes;
mod migration;
pub mod model;
pub mod password_service;
pub mod revocation_sync;
pub mod revocations;
pub mod seal;
mod sign_in_notice;
pub mod store;

#[cfg(test)]
mod testing;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::config::{Environment, Identity};
use ::store::{Database, Migrations, Options, ServiceState};
use ::token::Verifier;
use authn::{Authenticator, BoxError, Directory};
use clap::{ArgMatches, FromArgMatches, Subcommand};
use mail::Mailer;
use outbound::{Authorities, Fetcher, Policy};
use runtime::{App, Clock, Context, FileSetting, Listeners, Misconfigured, Random, Task};
use tokio_util::sync::CancellationToken;
use workload::Workloads;

use crate::account_mail::AccountMail;
use crate::engine::audit_events::{self, AuditEvents};
use crate::engine::clients::{self, Clients};
use crate::engine::keys::{self, Keys, Schedule};
use crate::engine::provider::Parts;
use crate::engine::transactions::Transactions;
use crate::engine::{account_monitor, backchannel, secret_rotation};
use crate::password_service::{PasswordService, Transport};
use crate::seal::Sealer;
use crate::store::Store;

pub use self::config::{AccountMailSettings, Config, DpopNonces, MultiFactor, MultiFactorPolicy, Webfinger};
pub use command::Command;
pub use engine::provider::Provider;
pub use migration::Migrator;

/// How long a former process may take to release the database.
const CLAIM_PATIENCE: Duration = Duration::from_secs(10);
/// How often expired rows are removed.
const PRUNE_INTERVAL: Duration = Duration::from_mins(10);

/// The service.
pub struct Idp;

impl runtime::Service for Idp {
    const IDENTITY: Identity = Identity { name: "idp", prefix: "IDP" };
    const ABOUT: &'static str = "An OpenID Provider: signs people in to applications";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, http, mtls, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: Some(http), mtls: Some(mtls) }
    }

    fn check_files(config: &Config) -> Result<Vec<String>, Misconfigured> {
        Workloads::check(&config.workload_policy, &config.spiffe)?;
        let Some(file) = &config.clients_file else { return Ok(Vec::new()) };
        let sealer = Sealer::new(&config.encryption_secret, &config.encryption_secret_previous, Random::system());
        clients::warnings_of_file(config, file, &sealer).map_err(Misconfigured::new)
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = directory(&config, &context)?;
        let authenticators = (passwords(&config, &context)?, service_accounts(&config, &context)?);
        app(&open(&config, directory, authenticators, &context).await?)
    }

    fn commands() -> Vec<clap::Command> {
        Command::augment_subcommands(clap::Command::new("idp")).get_subcommands().cloned().collect()
    }

    async fn command(matches: &ArgMatches, context: Context) -> Result<(), BoxError> {
        Command::from_arg_matches(matches)?.run(&Config::default(), &context).await
    }
}

/// The directory of users and their profiles, in another process.
///
/// # Errors
/// When its endpoint is none, or the token secret cannot be used.
pub fn directory(config: &Config, context: &Context) -> Result<Arc<dyn Directory>, BoxError> {
    let keys = runtime::key_ring::<Idp>(config, |config| config.token_manager.clone(), context)?;
    let (name, tls) = (<Idp as runtime::Service>::IDENTITY.name, &config.grpc_client_tls);
    Ok(runtime::directory_with_profiles(&config.users_endpoint, &config.reva, tls, (name, keys), context)?)
}

/// The service with the passwords, in this process or another.
#[derive(Clone)]
pub struct Passwords {
    /// Verifies them.
    pub authenticator: Arc<dyn Authenticator>,
    /// Leads to `PasswordsAPI`, which sets them.
    pub transport: Transport,
}

/// The service with the passwords, in another process.
///
/// # Errors
/// When its endpoint is none.
pub fn passwords(config: &Config, context: &Context) -> Result<Passwords, BoxError> {
    let channel = runtime::client::channel(&config.auth_basic_endpoint, &config.grpc_client_tls, context)?;
    let authenticator = Arc::new(authn::provider::Remote::new("auth-basic", channel.clone()));
    Ok(Passwords { authenticator, transport: password_service::transport(channel) })
}

/// The service accounts, in another process; `None` where they are no clients.
///
/// # Errors
/// When the endpoint is none.
pub fn service_accounts(config: &Config, context: &Context) -> Result<Option<Arc<dyn Authenticator>>, BoxError> {
    if !config.service_account_clients || config.auth_service_endpoint.is_empty() {
        return Ok(None);
    }
    let channel = runtime::client::channel(&config.auth_service_endpoint, &config.grpc_client_tls, context)?;
    Ok(Some(Arc::new(authn::provider::Remote::new("auth-service", channel))))
}

/// Verifies workloads; `None` where there is neither a policy for them nor a trust domain.
fn workloads(config: &Config, context: &Context) -> Result<Option<Arc<Workloads>>, BoxError> {
    if config.workload_policy.policy_file.is_none() && config.spiffe.trust_domains.is_empty() {
        return Ok(None);
    }
    let service = <Idp as runtime::Service>::IDENTITY.name;
    Workloads::open(&config.workload_policy, &config.spiffe, service, context).map(Some)
}

/// The service with its open database.
#[derive(Clone)]
pub struct IdpService {
    /// The provider, which all endpoints share.
    pub provider: Provider,
    context: Context,
}

/// Opens the database, brings its schema up to date, and builds the provider over any directory, any service with passwords, and the
/// service accounts if they are clients.
///
/// # Errors
/// When the database cannot be opened, another process works with its file, its keys were sealed by another secret, the file with
/// clients or the policy for workloads is wrong, or the mail server cannot be used.
pub async fn open(
    config: &Config,
    directory: Arc<dyn Directory>,
    (passwords, service_accounts): (Passwords, Option<Arc<dyn Authenticator>>),
    context: &Context,
) -> Result<IdpService, BoxError> {
    let internal = runtime::key_ring::<Idp>(config, |config| config.token_manager.clone(), context)?;
    let listen_url = config.database_listen_url.clone();
    let options = Options { listen_url, ..config.database_pool.options(&context.environment) };
    let claim = (<Idp as runtime::Service>::IDENTITY.name, CLAIM_PATIENCE);
    let url = config.database(&context.environment);
    let database = Database::open_claimed::<Migrator>(&url, &options, &context.metrics, claim).await?;
    let (clock, random) = (context.clock.clone(), context.random.clone());
    let sealer = Sealer::new(&config.encryption_secret, &config.encryption_secret_previous, random.clone());
    let store = Store::new(database);
    let revocations = revocation_sync::open(&store, clock.now()).await?;
    revocations.measure(&context.metrics);
    let policy = Policy { allow_private: config.allow_private_addresses, ..Policy::default() };
    let authorities = config.outbound_ca.clone().map(|file| {
        let (service, name) = (<Idp as runtime::Service>::IDENTITY.name, "IDP_OUTBOUND_CACERT");
        Authorities::follow(FileSetting { service, name, files: vec![file] }, context)
    });
    let fetcher = Fetcher::new("doorward-idp", policy, authorities.transpose()?.as_ref())?;
    let clients = Clients::open(config, (store.clone(), sealer.clone(), fetcher.clone()), context)?;
    let keys = Keys::open(keys::Parts {
        algorithms: clients.signing_algorithms().await?,
        store: store.clone(),
        sealer: sealer.clone(),
        schedule: Schedule::of(&config.lifetimes),
        clock: clock.clone(),
        random: random.clone(),
    });
    let keys = keys.await?;
    keys.measure(&context.metrics);
    // after the keys, which cannot be opened with a wrong secret
    secret_rotation::reseal(&store, &sealer).await?;
    let mailer = Mailer::open(&config.mail, context.random.clone(), context.shutdown.clone())?;
    let mail = AccountMail::new(mailer, PasswordService::new(passwords.transport, internal.clone(), clock.clone()));
    let audit_events = AuditEvents::new(&context.metrics, random.clone());
    let transactions = runtime::transaction_keys::<Idp>(config, |config| config.transactions.clone(), context)?
        .map(|keys| Transactions::new(keys, &config.transactions.trust_domain, random.clone(), &context.metrics));
    let provider = Provider::new(Parts {
        issuers: config.sites(),
        config: config.clone(),
        clock,
        random,
        store,
        sealer,
        keys,
        clients,
        revocations,
        fetcher,
        directory,
        passwords: passwords.authenticator,
        service_accounts,
        workloads: workloads(config, context)?,
        mail,
        verifier: Verifier::new(internal),
        deliveries: Arc::default(),
        audit_events,
        transactions,
    });
    http::webfinger::warn_of_unknown_clients(&provider).await;
    Ok(IdpService { provider, context: context.clone() })
}

/// The state of this service, for commands that work with the state of all services.
pub fn state(config: &Config, environment: &Environment) -> ServiceState {
    ServiceState {
        service: <Idp as runtime::Service>::IDENTITY.name,
        url: config.database(environment),
        options: config.database_pool.options(environment),
        migrations: Migrations::of::<Migrator>(),
        end_credentials: store::end_credentials,
    }
}

/// The service with this state.
///
/// # Errors
/// When a document that is rendered once cannot be.
pub fn app(opened: &IdpService) -> Result<App, BoxError> {
    let provider = &opened.provider;
    if provider.config.open_registration {
        tracing::warn!("whoever reaches this service may register a client (IDP_ALLOW_OPEN_CLIENT_REGISTRATION)");
    }
    let limit = provider.config.grpc.max_received_message_size;
    let (events, verifier, clock) = (&provider.audit_events, &provider.verifier, &provider.clock);
    let keys = grpc::keys::serve(provider.keys.clone(), events.clone(), verifier.clone(), clock.clone(), limit);
    let routes = tonic::service::Routes::new(grpc::serve(provider.clone(), limit)).add_service(keys);
    let routes = routes.add_service(grpc::account::serve(provider.clone(), limit));
    let routes = routes.add_service(grpc::account_admin::serve(provider.clone(), limit));
    let routes = routes.add_service(grpc::factors::serve(provider.clone(), limit));
    let routes = routes.add_service(grpc::invitations::serve(provider.clone(), limit));
    let shutdown = opened.context.shutdown.clone();
    let routes = routes.add_service(grpc::sessions::serve(provider.clone(), shutdown, limit));
    let http = Some(http::all(provider, <Idp as runtime::Service>::IDENTITY.name).into());
    let (tasks, mtls) = (tasks(opened), Some(http::for_certificates(provider).into()));
    Ok(App { http, mtls, tasks, checks: vec![provider.store.database().check()], ..App::grpc(routes) })
}

async fn keep_pruning(store: Store, clock: Clock, audit_retention: Duration, shutdown: CancellationToken) {
    let prune = || async {
        let removed = ::store::prune(|limit| store.prune(clock.now(), limit)).await?;
        let before = clock.now().checked_sub(audit_retention).unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(removed + ::store::prune(|limit| store.prune_events(before, limit)).await?)
    };
    ::store::keep_pruning("rows of the provider", PRUNE_INTERVAL, prune, shutdown).await;
}

fn tasks(opened: &IdpService) -> Vec<Task> {
    let IdpService { provider, context } = opened;
    let Parts { config, store, revocations, clock, clients, keys, directory, audit_events, mail, .. } = &**provider;
    let shutdown = || context.shutdown.clone();
    let pushes = store.database().is_postgres().then(|| store.database().clone());
    let following = revocation_sync::run(revocations.clone(), store.clone(), pushes, clock.clone(), shutdown());
    let (events, directory) = (audit_events.clone(), Arc::clone(directory));
    let storing_events = audit_events::keep_storing(events, store.clone(), directory, shutdown());
    let mut tasks = vec![
        Task::new("revocations", following),
        Task::new("clients", clients.clone().follow(revocations.changed(), shutdown())),
        Task::new("keys", keys.clone().keep_tending(revocations.changed(), shutdown())),
        Task::new("logouts", backchannel::deliver(provider.clone(), shutdown())),
        Task::new("people", account_monitor::monitor(provider.clone(), shutdown())),
        Task::new("prune", keep_pruning(store.clone(), clock.clone(), config.lifetimes.audit_retention, shutdown())),
        Task::new("audit events", storing_events),
    ];
    if clients.has_file() {
        tasks.push(Task::new("file of clients", clients.clone().follow_file(shutdown())));
        let revoking = clients.clone().keep_revoking_grants_of_removed(shutdown());
        tasks.push(Task::new("grants of removed clients", revoking));
    }
    if mail.is_on() {
        tasks.push(Task::new("mail", mail.clone().drain(shutdown())));
        tasks.push(Task::once("password service", mail.passwords.clone().probe(shutdown())));
    }
    tasks
}
