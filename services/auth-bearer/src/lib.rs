//! OIDC access tokens. The README beside this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

mod authenticator;
pub mod cache;
mod config;
pub mod issuer;
pub mod jwt;
pub mod keys;

use std::sync::Arc;

use authn::{Authenticator, BoxError, Directory, Groups};
use runtime::config::Identity;
use runtime::{App, Context, Listeners};

pub use authenticator::Bearer;
pub use config::{AuthProviders, Config, Oidc};

/// The service.
pub struct AuthBearer;

impl runtime::Service for AuthBearer {
    const IDENTITY: Identity = Identity { name: "auth-bearer", prefix: "AUTH_BEARER" };
    const ABOUT: &'static str = "Authenticates by OpenID Connect access tokens";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: None, mtls: None }
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let directory = runtime::directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls, &context)?;
        Ok(app(authenticator(&config, directory, &context)?))
    }
}

/// The authenticator, over any directory. The issuer is not asked before the first token comes.
///
/// # Errors
/// When the issuer's address is none.
pub fn authenticator(
    config: &Config,
    directory: Arc<dyn Directory>,
    context: &Context,
) -> Result<Arc<dyn Authenticator>, issuer::IssuerError> {
    let oidc = config.auth_providers.oidc.clone();
    let issuer = issuer::Issuer::new(&oidc.issuer, oidc.insecure)?;
    let keys = cache::KeyCache::new(issuer, context.clock.clone());
    let groups = if config.skip_user_groups_in_token { Groups::Skip } else { Groups::Include };
    Ok(Arc::new(Bearer::new(oidc, keys, directory, groups, context.clock.clone())))
}

/// The service that answers with this authenticator.
pub fn app(authenticator: Arc<dyn Authenticator>) -> App {
    App::grpc(tonic::service::Routes::new(authn::provider::serve(authenticator)))
}
