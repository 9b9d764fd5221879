//! The pages on which users see their account, and the API behind them. The README of this crate follows one request through it and lists its settings.

mod administration;
mod api;
pub mod applications;
mod config;
mod form_keys;
mod http;
mod own_account;
mod own_tokens;
mod remote_health;
mod self_service;
mod sign_in;
mod state;
#[cfg(test)]
mod stub_service;
mod transport;

use std::sync::Arc;

use ::config::Identity;
use authn::{BoxError, Directory};
use axum::Router;
use runtime::{App, Context, Listeners, Misconfigured, Service};
use token::Verifier;
use web::page::{Assets, Installation};

pub use self::config::{Config, SECURITY_URL};
pub use administration::{AccountPart, Administration, DeletionError};
pub use api::openapi_document;
pub use own_account::OwnAccount;
pub use own_tokens::OwnTokens;
pub use self_service::{Passwords, Profiles, SelfService};
pub use transport::{OnBehalfOf, ServiceUnreachable};

use form_keys::FormKeys;
use state::{AccountState, Parts};

/// The service.
pub struct Account;

impl Service for Account {
    const IDENTITY: Identity = Identity { name: "account", prefix: "ACCOUNT" };
    const ABOUT: &'static str = "Shows users their account, applications, app tokens and sessions";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, http, .. } = config;
        Listeners { log, tracing, debug, grpc: None, http: Some(http), mtls: None }
    }

    fn check_files(config: &Config) -> Result<Vec<String>, Misconfigured> {
        applications::read(config.applications_file.as_deref()).map(|_| Vec::new()).map_err(Misconfigured::new)
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        let tokens = own_tokens(&config, &context)?;
        let account = own_account(&config, &context)?;
        let self_service = SelfService::default().or_remote(&config, &context)?;
        let administration = Administration::default().or_remote(&config, &context)?;
        app(&config, directory, (tokens, account), self_service, administration, &context)
    }
}

/// auth-app in another process; `None` if the configuration names none.
///
/// # Errors
/// If its endpoint is invalid.
pub fn own_tokens(config: &Config, context: &Context) -> Result<Option<OwnTokens>, BoxError> {
    Ok(transport::remote(&config.auth_app_endpoint, config, context)?.map(OwnTokens::new))
}

/// idp in another process; `None` if the configuration names none.
///
/// # Errors
/// If its endpoint is invalid.
pub fn own_account(config: &Config, context: &Context) -> Result<Option<OwnAccount>, BoxError> {
    Ok(transport::remote(&config.idp_endpoint, config, context)?.map(OwnAccount::new))
}

/// The pages over any directory. Without `own_tokens` there are none for app tokens, without `own_account` none for sessions,
/// connected applications and activity, and each service that `self_service` or `administration` lacks has no page.
///
/// # Errors
/// If the secret of the internal token is too short, or the file with the applications cannot be used.
pub fn app(
    config: &Config,
    directory: Arc<dyn Directory>,
    (own_tokens, own_account): (Option<OwnTokens>, Option<OwnAccount>),
    self_service: SelfService,
    administration: Administration,
    context: &Context,
) -> Result<App, BoxError> {
    let keys = runtime::key_ring::<Account>(config, |config| config.token_manager.clone(), context)?;
    let assets = Assets::new(config.root(), &config.pages);
    let state = AccountState::new(Parts {
        installation: Installation::new(&config.pages, &assets),
        applications: applications::follow(config.applications_file.as_deref(), context).map_err(Misconfigured::new)?,
        verifier: Verifier::new(keys),
        form_keys: FormKeys::new(&config.token_manager),
        clock: context.clock.clone(),
        random: context.random.clone(),
        config: config.clone(),
        directory,
        own_tokens,
        own_account,
        self_service,
        administration,
    });
    Ok(App { http: Some(router(state).into()), ..App::default() })
}

/// The pages, and the API behind them.
fn router(state: AccountState) -> Router {
    http::router(state.clone()).merge(api::router(state))
}
