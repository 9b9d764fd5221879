//! The HTTP edge. The README of this crate follows one request through it and lists its settings.

mod acme;
pub mod authentication;
pub mod authorizer;
mod builtin_routes;
mod config;
pub mod credential;
mod csp;
mod database;
pub mod destination;
mod endpoint;
pub mod entrypoint;
pub mod ext_authz;
pub mod forward;
pub mod forward_auth;
pub mod headers;
pub mod identity;
pub mod identity_headers;
pub mod links;
pub mod multi_factor;
mod pages;
pub mod path;
pub mod path_scopes;
pub mod pattern;
mod policies_file;
mod policy_selector;
pub mod protected_resource;
pub mod refusal;
mod request_body;
mod request_head;
pub mod request_info;
mod resource_metadata;
pub mod route_metrics;
pub mod route_resource;
pub mod routes;
pub mod routes_file;
pub mod routing;
mod routing_file;
pub mod rules;
mod service;
pub mod session;
pub mod sign_in;
pub mod signed_url;
mod signing_key;
pub mod site;
mod store;
pub mod token_review;
mod transactions;
mod user_agents;
pub mod verdict;

use std::sync::Arc;

use ::config::Identity;
use authn::{BoxError, Gateway};
use proto::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use runtime::{App, Context, HttpService, Listeners, Misconfigured, ProviderSessions, Service};
use token::Verifier;
use tonic::service::Routes;

use crate::acme::Acme;
pub use crate::acme::report::{AcmeCertificate, AcmeFailures, AcmeReport, acme_report};
use crate::authentication::{Authentication, CredentialTypes};
use crate::authorizer::Authorizer;
pub use crate::config::{
    Acme as AcmeSettings, Backends, Config, ContentSecurityPolicy, Doors, LinkSettings, MultiFactor, ProfilePicture,
    ProtectedResource, ProxyYaml, Public, Session, Unsupported,
};
use crate::csp::SecurityHeaders;
pub use crate::database::state;
use crate::entrypoint::Entrypoint;
use crate::ext_authz::ExtAuthz;
use crate::forward::{Clients, Forwarder};
use crate::forward_auth::{ForwardAuth, RequestSource};
use crate::identity_headers::IdentityHeaders;
use crate::links::Links;
use crate::pages::Pages;
use crate::path::Leniency;
use crate::refusal::Challenges;
use crate::service::{Edge, EdgeService};
use crate::session::Sessions;
use crate::signed_url::SignedUrls;
use crate::token_review::TokenReviewer;
use crate::transactions::{TransactionHeader, Transactions};

/// The default limit for a request of Envoy, in bytes: it may hold the beginning of a body.
const EXT_AUTHZ_LIMIT: usize = 4 * 1024 * 1024;
/// The name of no route in metrics and the access log.
const NO_ROUTE: &str = "none";

/// The service.
pub struct Proxy;

impl Service for Proxy {
    const IDENTITY: Identity = Identity { name: "proxy", prefix: "PROXY" };
    const ABOUT: &'static str = "Authenticates HTTP requests, and forwards them to backends";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc, http, .. } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: Some(&http.0), mtls: None }
    }

    fn check_files(config: &Config) -> Result<Vec<String>, Misconfigured> {
        acme::check_files(config).map_err(Misconfigured::new)?;
        csp::check(config)?;
        routing_file::check(config)
    }

    async fn build(config: Config, context: Context) -> Result<App, BoxError> {
        app(&config, gateway(&config, &context)?, provider_sessions(&config, &context)?, &context).await
    }
}

/// The gateway in another process.
///
/// # Errors
/// If its endpoint is invalid.
pub fn gateway(config: &Config, context: &Context) -> Result<Arc<dyn Gateway>, BoxError> {
    let channel = runtime::client::channel(&config.gateway, &config.grpc_client_tls, context)?;
    Ok(Arc::new(authn::gateway::Remote::new(channel)))
}

/// The sessions of our own provider in another process, if its endpoint is set.
///
/// # Errors
/// If its endpoint is invalid, or the token secret cannot be used.
pub fn provider_sessions(config: &Config, context: &Context) -> Result<Option<ProviderSessions>, BoxError> {
    if config.idp_endpoint.is_empty() {
        return Ok(None);
    }
    let keys = runtime::key_ring::<Proxy>(config, |config| config.token_manager.clone(), context)?;
    let caller = (<Proxy as Service>::IDENTITY.name, keys);
    Ok(Some(runtime::ended_sessions(&config.idp_endpoint, &config.grpc_client_tls, caller, context)?))
}

/// The edge in front of this gateway, with the sessions of our own provider if they are known.
///
/// # Errors
/// If the token secret, the file with routes, a certificate or the database cannot be used.
pub async fn app(
    config: &Config,
    gateway: Arc<dyn Gateway>,
    provider_sessions: Option<ProviderSessions>,
    context: &Context,
) -> Result<App, BoxError> {
    let (ended_sessions, following) = provider_sessions.map(|sessions| (sessions.ended, sessions.task)).unzip();
    let keys = runtime::key_ring::<Proxy>(config, |config| config.token_manager.clone(), context)?;
    let metrics = route_metrics::Metrics::new(&context.metrics);
    let routing = routing_file::follow(config, metrics.clone(), context)?;
    let types = CredentialTypes::of(config);
    let transactions = Arc::new(Transactions::new(Arc::clone(&gateway), context.clock.clone()));
    let authentication = Authentication::new(gateway, Verifier::new(keys), context.clock.clone(), types);
    context.metrics.cache("identities", authentication.lookups());
    let database = Box::pin(database::open(config, context)).await?;
    let acme = Box::pin(Acme::open(config, database.as_ref(), context)).await?;
    let sessions = match &database {
        Some(database) => Sessions::open(database, config, ended_sessions.clone(), context)?,
        None => None,
    };
    let signed_urls = database.as_ref().map(|database| SignedUrls::open(database, config, context)).transpose()?;
    let signed_urls = signed_urls.flatten().map(|signed_urls| signed_urls.with_ended_sessions(ended_sessions));
    let mut tasks = sessions.as_ref().map(|sessions| sessions.tasks(context)).unwrap_or_default();
    tasks.extend(following.flatten());
    let certificate = acme.as_ref().map(Acme::certificate);
    tasks.extend(acme.map(|acme| acme.task(context)));
    tasks.extend(signed_urls.as_ref().map(|urls| urls.task(context.clock.clone(), context.shutdown.clone())));
    let entrypoint = Arc::new(Entrypoint {
        authorizer: Authorizer {
            authentication,
            signed_urls,
            multi_factor: multi_factor::MultiFactor::new(
                &config.mfa,
                sessions.clone(),
                config.session.leeway,
                context.clock.clone(),
            ),
            links: Links::new(config),
            sessions,
        },
        routing,
        challenges: Challenges { basic: types.basic || types.app, bearer: !config.issuer.is_empty() },
        leniency: Leniency { semicolons: config.allow_semicolons },
        filter: Arc::new(config.request_filter()?),
        is_https: config.is_https(),
    });
    let identity_headers = Arc::new(IdentityHeaders::parse(&config.doors.verify_headers)?);
    let transaction_header = TransactionHeader::new(&transactions, &config.doors.transaction_scope)?;
    let tokens = (transactions, transaction_header.clone());
    let edge = edge(config, &entrypoint, (&identity_headers, tokens), &metrics, context)?;
    let ext_authz = ExtAuthz { entrypoint, identity_headers, transaction_header };
    let limit = config.grpc.max_received_message_size.unwrap_or(EXT_AUTHZ_LIMIT);
    let ext_authz = AuthorizationServer::new(ext_authz).max_decoding_message_size(limit);
    let checks = database.iter().map(::store::Database::check).collect();
    let http = Some(HttpService::new(EdgeService(Arc::new(edge))));
    let grpc = App::grpc(Routes::new(ext_authz));
    Ok(App { http, tasks, checks, streaming: true, certificate, redirect_port: config.public_port(), ..grpc })
}

/// The HTTP service.
fn edge(
    config: &Config,
    entrypoint: &Arc<Entrypoint>,
    (identity_headers, tokens): (&Arc<IdentityHeaders>, (Arc<Transactions>, TransactionHeader)),
    metrics: &route_metrics::Metrics,
    context: &Context,
) -> Result<Edge, BoxError> {
    let (transactions, transaction_header) = tokens;
    let forwarder = Arc::new(Forwarder {
        entrypoint: Arc::clone(entrypoint),
        unmatched: metrics.of_route(NO_ROUTE),
        clients: Clients::follow(config, context)?,
        security_headers: SecurityHeaders::follow(config, context)?,
        pages: Arc::new(Pages::new(&config.pages)),
        transactions,
        shutdown: context.shutdown.clone(),
    });
    let forward_auth = RequestSource::of(&config.doors.verify_proxy).map(|source| {
        let (entrypoint, identity_headers) = (Arc::clone(entrypoint), Arc::clone(identity_headers));
        Arc::new(ForwardAuth { entrypoint, source, identity_headers, transaction_header })
    });
    let token_review = (!config.doors.token_review_secret.is_empty()).then(|| {
        Arc::new(TokenReviewer {
            entrypoint: Arc::clone(entrypoint),
            audiences: config.doors.token_review_audiences.clone(),
            secret: config.doors.token_review_secret.expose().into(),
        })
    });
    Ok(Edge { entrypoint: Arc::clone(entrypoint), forward_auth, token_review, forwarder })
}
