//! The HTTP edge. The README beside this crate follows one request through it and lists its settings; it is not repeated here,
//! as its table is generated.

pub mod admission;
pub mod asked;
mod config;
pub mod credential;
pub mod edge;
pub mod headers;
pub mod identity;
pub mod path;
pub mod rules;
pub mod verdict;

use std::sync::Arc;

use authn::{BoxError, Gateway};
use runtime::{App, Context, Listeners, Service, config::Identity};
use token::Verifier;

use crate::admission::Admission;
pub use crate::config::{Config, Public};
use crate::edge::Edge;
use crate::rules::Rules;

/// The service.
pub struct Proxy;

impl Service for Proxy {
    const IDENTITY: Identity = Identity { name: "proxy", prefix: "PROXY" };
    const ABOUT: &'static str = "Asks everybody who they are, and passes requests on to backends";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, http, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: Some(&http.0), mtls: None }
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let channel = runtime::client::channel(&config.gateway, &config.grpc_client_tls, &context)?;
        app(&config, Arc::new(authn::gateway::Remote::new(channel)), &context)
    }
}

/// The edge before this gateway.
///
/// # Errors
/// When the token secret cannot be used.
pub fn app(config: &Config, gateway: Arc<dyn Gateway>, context: &Context) -> Result<App, BoxError> {
    let keys = runtime::key_ring::<Proxy>(config, |config| &config.token_manager, context)?;
    let admission = Admission { gateway, verifier: Verifier::new(keys), clock: context.clock.clone() };
    let _edge = Arc::new(Edge { admission, rules: Rules::default() });
    Ok(App { streaming: true, ..App::default() })
}
