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
mod metrics;
pub mod provision;
mod remote;
pub mod results;
pub mod sessions;
pub mod user_directory;

use std::sync::Arc;

use ::config::Identity;
use authn::{Authenticator, BoxError, Directory, EndedSessions, Groups, kind};
use outbound::{Authorities, ClientIdentity};
use runtime::{App, Context, FileSetting, FileValue, Listeners, Misconfigured, ProviderSessions, Reading, client};
use tonic::service::Routes;

use crate::issuer::{Calls, Issuers};
use crate::provision::{Provisioner, Transport, transport};
use crate::user_directory::UserDirectory;

pub use self::config::{AuthProviders, AutoProvision, Config, FileError, Minting, Oidc, Outbound, RoleAssignment};
pub use authenticator::Bearer;

/// The default address of the users service.
const DEFAULT_USERS: &str = "127.0.0.1:9144";

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
        let app = app(&open(&config, directory, users, ended, &context)?, &config, &context);
        Ok(App { tasks: task.flatten().into_iter().collect(), ..app })
    }
}

/// The transport to a users service in another process.
///
/// # Errors
/// When its endpoint is malformed.
pub fn administration(config: &Config, context: &Context) -> Result<Transport, BoxError> {
    let endpoint = if config.users_endpoint.is_empty() { DEFAULT_USERS } else { &config.users_endpoint };
    Ok(transport(client::channel(endpoint, &config.grpc_client_tls, context)?))
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

/// The authenticator, over any directory, with the administration of its users, and with the ended sessions of our own provider if
/// they are known. It contacts no issuer before the first token.
///
/// # Errors
/// When the configuration of the issuers is invalid, or the token secret cannot be used.
pub fn open(
    config: &Config,
    directory: Arc<dyn Directory>,
    users: Transport,
    ended_sessions: Option<Arc<dyn EndedSessions>>,
    context: &Context,
) -> Result<Arc<Bearer>, BoxError> {
    let issuers = issuers(config, context)?;
    let provisioner = if config.may_write_users() {
        let keys = runtime::key_ring::<AuthBearer>(config, |config| config.minting.token_manager(), context)?;
        Some(Provisioner::new(users, keys, context.clock.clone(), context.random.clone()))
    } else {
        None
    };
    let groups = if config.skip_user_groups_in_token { Groups::Skip } else { Groups::Include };
    let users = UserDirectory::new(directory, groups, provisioner);
    let bearer = Bearer::new(issuers, users, ended_sessions, context.clock.clone());
    context.metrics.cache("verified_tokens", bearer.lookups());
    Ok(Arc::new(bearer))
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

/// The service that answers with this authenticator.
pub fn app(bearer: &Arc<Bearer>, config: &Config, context: &Context) -> App {
    let authenticator = authenticator(bearer, context);
    let http = Some(logout::router(Arc::clone(bearer)).into());
    App { http, ..App::grpc(Routes::new(authn::provider::serve(authenticator, config.grpc.max_received_message_size))) }
}
