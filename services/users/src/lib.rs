//! People and groups. The README of this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

mod administration;
mod cache;
mod change_sync;
mod config;
mod directory;
mod error;
mod ldap_directory;
mod migration;
mod person;
mod profile;
mod rules;
mod service;
mod store;

use std::sync::Arc;
use std::time::Duration;

use ::config::{Environment, Identity};
use authn::directory::{MayLookUp, MaySearch, Searchable};
use authn::{Access, BoxError, Directory};
use runtime::{App, Check, Clock, Context, Listeners, Service, Task};
use token::{KeyRing, Verifier};
use tonic::service::Routes;

use ::store::transfer::no_credentials;
use ::store::{Database, Migrations, Options, ServiceState, StoreError};

pub use self::config::Config;
pub use administration::Administration;
pub use error::PeopleError;
pub use person::{
    Author, Change, Expected, Group, GroupName, GroupRef, NewPerson, Page, PageRequest, Person, PersonRef, role_name,
};
pub use profile::ProfileChange;

use cache::Cache;
use change_sync::ChangeSync;
use directory::SqlDirectory;
use ldap_directory::LdapDirectory;
use store::{LdapPasswordChanges, UserStore};

/// How long another process may take to let go of the `SQLite` file, as when one instance replaces another.
const HANDOVER: Duration = Duration::from_secs(3);

/// The service.
pub struct Users;

impl Service for Users {
    const IDENTITY: Identity = Identity { name: "users", prefix: "USERS" };
    const ABOUT: &'static str = "Knows the people and the groups";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: None, mtls: None }
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        app(&open(&config, &context).await?, &config, &context)
    }
}

/// The people, opened by this process.
#[derive(Clone)]
pub struct Components {
    /// Looks users up.
    pub directory: Arc<dyn Directory>,
    /// Administers people and groups; `None` where they are administered elsewhere, in LDAP.
    pub administration: Option<Arc<Administration>>,
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Sql(Database, Arc<ChangeSync>),
    Ldap(LdapDirectory, Option<Database>),
}

/// Opens the people that the configuration names: connects, and brings the schema up to date. A `SQLite` file can be open
/// once at a time, as its people are kept in memory: hand [`Components`] on instead of opening again.
///
/// # Errors
/// When the database cannot be reached or opened, or another process has it open.
pub async fn open(config: &Config, context: &Context) -> Result<Components, BoxError> {
    if config.is_ldap() {
        return open_ldap(config, context).await;
    }
    let listen_url = config.database_listen_url.clone();
    let options = Options { listen_url, ..config.database_pool.options(&context.environment) };
    let (url, claim) = (config.database(&context.environment), (Users::IDENTITY.name, HANDOVER));
    let database = Database::open_claimed::<migration::Migrator>(&url, &options, &context.metrics, claim).await?;
    Ok(over(database, config, context).await?)
}

/// The state of this service, for commands that work with the state of all services. With users in LDAP, it is the times of password
/// changes.
pub fn state(config: &Config, environment: &Environment) -> ServiceState {
    ServiceState {
        service: Users::IDENTITY.name,
        url: config.database(environment),
        options: config.database_pool.options(environment),
        migrations: Migrations::of::<migration::Migrator>(),
        end_credentials: no_credentials,
    }
}

/// Users and groups are in LDAP; the database has the times of password changes only.
async fn open_ldap(config: &Config, context: &Context) -> Result<Components, BoxError> {
    let database = match ldap_database(config, context).await {
        Ok(database) => Some(database),
        // an operator who names a database means it
        Err(error) if !config.database_url.is_empty() => return Err(error),
        Err(error) => {
            tracing::warn!(
                %error,
                "sessions and tokens outlive a changed password: the file users.db, which has the times of changes, cannot be opened; make the data folder (OCIS_BASE_DATA_PATH) writable, or set USERS_DATABASE_URL"
            );
            None
        }
    };
    let changes = database.clone().map(LdapPasswordChanges::new);
    let ldap = ldap::Directory::new(&config.ldap, &context.environment, &context.reload);
    let directory = LdapDirectory::new(ldap, changes, context.clock.clone());
    let backend = Backend::Ldap(directory.clone(), database);
    Ok(Components { directory: Arc::new(directory), administration: None, backend })
}

/// Not claimed, as nothing of it is kept in memory for longer than a moment: several processes may use one file.
async fn ldap_database(config: &Config, context: &Context) -> Result<Database, BoxError> {
    let (url, options) = (config.database(&context.environment), config.database_pool.options(&context.environment));
    Ok(Database::open::<migration::Migrator>(&url, &options, &context.metrics).await?)
}

/// The people in a database that is claimed and migrated.
async fn over(database: Database, config: &Config, context: &Context) -> Result<Components, StoreError> {
    let (people, cache) = (Arc::new(UserStore::new(database)), Arc::new(Cache::new(config.cache_size)));
    let change_sync = ChangeSync::open(Arc::clone(&people), Arc::clone(&cache)).await?;
    Ok(components(people, cache, change_sync, config, context))
}

fn components(
    people: Arc<UserStore>,
    cache: Arc<Cache>,
    change_sync: ChangeSync,
    config: &Config,
    context: &Context,
) -> Components {
    context.metrics.cache("users", cache.lookups());
    let (database, change_sync) = (people.database().clone(), Arc::new(change_sync));
    let administration = Arc::new(Administration {
        people,
        cache,
        change_sync: Arc::clone(&change_sync),
        clock: context.clock.clone(),
        random: context.random.clone(),
        may_users_change_mail: config.self_service_attributes.iter().any(|name| name == profile::MAIL),
    });
    Components {
        directory: Arc::new(SqlDirectory::new(Arc::clone(&administration), config.issuers())),
        administration: Some(administration),
        backend: Backend::Sql(database, change_sync),
    }
}

/// The service that answers with these people.
///
/// # Errors
/// When the token secret cannot be used.
pub fn app(opened: &Components, config: &Config, context: &Context) -> Result<App, BoxError> {
    let keys = runtime::key_ring::<Users>(config, |config| config.token_manager.clone(), context)?;
    Ok(assemble(opened, keys, config, context))
}

fn assemble(opened: &Components, keys: Arc<KeyRing>, config: &Config, context: &Context) -> App {
    let limit = config.grpc.max_received_message_size;
    let verifier = Verifier::new(keys);
    let permissions = permissions(&verifier, &context.clock, config.ldap.multi_tenant_enabled);
    let mut routes = Routes::new(authn::directory::serve(Arc::clone(&opened.directory), permissions, limit));
    let authority = service::Authority { verifier, clock: context.clock.clone() };
    let group_names = match (&opened.administration, &opened.backend) {
        (Some(administration), _) => Some(service::profiles::GroupNames::Sql(Arc::clone(administration))),
        (None, Backend::Ldap(directory, _)) => Some(service::profiles::GroupNames::Ldap(directory.ldap.clone())),
        (None, Backend::Sql(..)) => None,
    };
    let profiles = service::profiles::Profiles {
        directory: Arc::clone(&opened.directory),
        group_names,
        administration: opened.administration.clone(),
        self_service: config.self_service_attributes.clone(),
        authority: authority.clone(),
    };
    routes = routes.add_service(service::profiles::serve(profiles, limit));
    routes = match (&opened.administration, &opened.backend) {
        (Some(administration), _) => routes.add_service(service::serve(Arc::clone(administration), authority, limit)),
        (None, Backend::Ldap(directory, _)) => {
            let (directory, settings) = (directory.clone(), config.tenants.clone());
            let tenants =
                service::tenants::Tenants { directory: directory.ldap.clone(), settings, authority: authority.clone() };
            let routes = routes.add_service(service::tenants::serve(tenants, limit));
            routes.add_service(service::read_only::serve(directory, authority, limit))
        }
        (None, Backend::Sql(..)) => routes,
    };
    App { checks: checks(&opened.backend), tasks: tasks(&opened.backend, context), ..App::grpc(routes) }
}

/// Which users the bearers of internal tokens may search and look up (`docs/security-requirements.md#d43`).
fn permissions(verifier: &Verifier, clock: &Clock, is_multi_tenant: bool) -> (MaySearch, MayLookUp) {
    let (verifier, clock) = (verifier.clone(), clock.clone());
    let claims_of = move |token: &str| verifier.verify_caller(clock.now(), token).ok();
    let of_searcher = claims_of.clone();
    // not by a credential that is for something else, like one folder
    let may_search: MaySearch = Arc::new(move |token: &str| {
        let claims = of_searcher(token)?;
        let searchable = if is_multi_tenant { Searchable::by(&claims.user) } else { Searchable::All };
        claims.scopes.allow(&Access::Other).then_some(searchable)
    });
    let may_look_up: MayLookUp = Arc::new(move |token: &str| {
        if !is_multi_tenant {
            return Some(Searchable::All);
        }
        claims_of(token).map(|claims| Searchable::by(&claims.user))
    });
    (may_search, may_look_up)
}

fn tasks(backend: &Backend, context: &Context) -> Vec<Task> {
    match backend {
        Backend::Sql(_, change_sync) if change_sync.has_other_writers() => {
            let (following, pruning) = (Arc::clone(change_sync), Arc::clone(change_sync));
            let [stop_following, stop_pruning] = [(); 2].map(|()| context.shutdown.clone());
            vec![
                Task::new("changes", async move { following.follow(stop_following).await }),
                Task::new("prune", async move { pruning.keep_pruning(stop_pruning).await }),
            ]
        }
        Backend::Sql(..) | Backend::Ldap(..) => Vec::new(),
    }
}

fn checks(backend: &Backend) -> Vec<Check> {
    let (directory, database) = match backend {
        Backend::Sql(database, _) => return vec![database.check()],
        Backend::Ldap(directory, database) => (directory.ldap.clone(), database),
    };
    let ldap = Check::new("ldap", move || {
        let directory = directory.clone();
        async move { directory.check().await.map_err(|error| error.to_string()) }
    });
    std::iter::once(ldap).chain(database.as_ref().map(Database::check)).collect()
}
