//! The CS3 gateway. The crate's README follows one request through it and lists its settings.

mod authenticate;
mod config;
mod foreign_authenticate;
mod forward;
mod homes;
mod multi_instance;
pub mod peers;
mod pending_calls;
mod reuse;
mod roles;
mod service;
mod tenants;
mod transactions;
mod upstream;

use std::sync::Arc;

pub use self::config::{Config, Endpoints};
use ::config::{Identity, ListenAddr, WorkloadPolicy};
use async_trait::async_trait;
use authn::gateway::{Identified, IssuedTransaction, TransactionKeySet, TransactionWanted};
use authn::{AllowedCallers, AuthError, BoxError, Caller, Credentials, kind};
use prometheus_client::metrics::counter::Counter;
use proto::cs3::{
    auth::registry::v1beta1::registry_api_server::RegistryApiServer,
    gateway::v1beta1::gateway_api_server::GatewayApiServer,
};
use proto::doorward::gateway::v1::transaction_tokens_server::TransactionTokensServer;
use runtime::{App, Authentications, Context, Listeners, Misconfigured, Service};
use token::{Minter, Verifier};
use tonic::service::Routes;

pub use crate::peers::Peers;
use crate::{
    authenticate::Core,
    homes::{Homes, Quotas},
    reuse::Minted,
    roles::Roles,
    service::GatewayService,
    transactions::{Policies, TransactionService, Transactions},
    upstream::WithUpstream,
};

/// The largest request that the gateway reads itself, in bytes; what it forwards is bounded by the upstream.
const REQUEST_LIMIT: usize = 64 * 1024;

/// The service.
pub struct Gateway;

impl Service for Gateway {
    const IDENTITY: Identity = Identity { name: "gateway", prefix: "GATEWAY" };
    const ABOUT: &'static str = "Routes credentials to their authenticator and mints the internal token";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, http, .. } = config;
        // one that listens nowhere needs no certificate of the HTTP services
        let http = Some(http).filter(|http| http.addr != ListenAddr::Off);
        Listeners { log, tracing, debug, grpc: Some(grpc), http, mtls: None }
    }

    fn check_files(config: &Config) -> Result<Vec<String>, Misconfigured> {
        if let Some(file) = &config.transaction_policy_file {
            Policies::read(file, config.transactions.lifetime).map_err(Misconfigured::new)?;
        }
        if config.grpc.tls.client_spiffe {
            workload::Workloads::check(&WorkloadPolicy::default(), &config.spiffe)?;
        }
        Ok(Vec::new())
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        let peers = Peers::remote(&config, &context)?;
        Ok(open(&config, peers, &context)?.app())
    }
}

/// The state of the gateway, before it is served. Clones share it.
#[derive(Clone)]
pub struct InProcessGateway(Arc<Core>);

/// The gateway in front of these peers.
///
/// # Errors
/// When a secret, the name of a caller, the policy of transaction tokens, or a trust bundle cannot be used.
pub fn open(config: &Config, peers: Peers, context: &Context) -> Result<InProcessGateway, BoxError> {
    let keys = runtime::key_ring::<Gateway>(config, |config| config.token_manager.clone(), context)?;
    let random = context.random.clone();
    let minter = Minter::new(keys.clone(), config.token_manager.expires, config.skip_user_groups_in_token)
        .with_max_groups_size(config.max_groups_size);
    let reusable = Minted::new(keys.clone(), config.cache_size);
    context.metrics.cache("minted_tokens", reusable.lookups());
    let verifier = Verifier::new(keys);
    let transactions = Transactions::open(config, verifier.clone(), context)?.map(Arc::new);
    let (service, shows_svids) = (Gateway::IDENTITY.name, config.grpc.tls.client_spiffe);
    let client_authorities = || workload::client_authorities(&config.spiffe, service, context);
    Ok(InProcessGateway(Arc::new(Core {
        client_authorities: shows_svids.then(client_authorities).transpose()?,
        homes: Homes::new(peers.upstream.clone(), Quotas::parse(&config.role_quotas)?),
        roles: Roles::new(peers.settings.clone()),
        peers,
        minter: minter.with_identifiers(move || random.bytes()),
        minted: reusable,
        callers: [
            (kind::MACHINE, AllowedCallers::parse(&config.machine_callers)?),
            (kind::SERVICE, AllowedCallers::parse(&config.service_callers)?),
        ],
        authentications: Authentications::new(&context.metrics, Gateway::IDENTITY.name, &kind::ALL),
        forwarded: context.metrics.counter(
            "doorward_forwarded_authentications",
            "Authentications of types that are not ours, which the upstream gateway answers",
            Counter::default(),
        ),
        verifier,
        transactions,
        clock: context.clock.clone(),
        life: config.token_manager.expires,
        skips_groups: config.skip_user_groups_in_token,
        is_multi_instance: config.multi_instance_enabled,
        is_multi_tenant: config.multi_tenant_enabled,
        message_limit: config.grpc.max_received_message_size.unwrap_or(REQUEST_LIMIT),
    })))
}

impl InProcessGateway {
    /// The service around it.
    pub fn app(&self) -> App {
        let service = GatewayService(self.0.clone());
        let registry = RegistryApiServer::new(service.clone()).max_decoding_message_size(self.0.message_limit);
        let own = GatewayApiServer::new(service).max_decoding_message_size(self.0.message_limit);
        let transactions = self.0.transactions.clone();
        let http = transactions.as_ref().map(|transactions| transactions.router().into());
        let transactions = TransactionTokensServer::new(TransactionService(transactions));
        let transactions = transactions.max_decoding_message_size(self.0.message_limit);
        let streaming = self.0.peers.upstream.is_some();
        let gateway = WithUpstream { own, core: Arc::clone(&self.0) };
        let routes = Routes::new(gateway).add_service(registry).add_service(transactions);
        let client_authorities = self.0.client_authorities.clone();
        App { streaming, http, client_authorities, ..App::grpc(routes) }
    }

    fn transactions(&self) -> Result<&Transactions, AuthError> {
        self.0.transactions.as_deref().ok_or_else(transactions::unavailable)
    }
}

#[async_trait]
impl authn::Gateway for InProcessGateway {
    async fn token(&self, kind: &str, credentials: &Credentials) -> Result<Identified, AuthError> {
        if let Some(upstream) = self.0.foreign_upstream(kind) {
            return self.0.authenticate_at(upstream, kind, credentials).await;
        }
        let (token, answer) = self.0.authenticate(kind, credentials).await?;
        Ok(Identified { token, user: answer.user })
    }

    async fn transaction(
        &self,
        internal_token: &str,
        wanted: &TransactionWanted,
        caller: &Caller,
    ) -> Result<IssuedTransaction, AuthError> {
        let minted = self.transactions()?.mint_for_edge(internal_token, wanted, caller)?;
        Ok(IssuedTransaction { token: minted.token.into(), transaction: minted.claims.transaction })
    }

    async fn transaction_keys(&self) -> Result<TransactionKeySet, AuthError> {
        Ok(self.transactions()?.key_set_of_domain())
    }
}
