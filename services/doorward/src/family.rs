//! The family in one process: every service with its own listeners, and function calls where there would be gRPC.

use std::{net::SocketAddr, sync::Arc};

use authn::{Authenticator, BoxError, Directory, EndedSessions, kind};
use config::ListenAddr;
use gateway::peers::{Peers, Provider};
use runtime::{App, Context, Metrics, ProviderSessions, Running};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::running::RunningService;
use crate::services::{EnabledServices, ServiceId, Settings, backends};

/// The running family.
#[derive(Debug)]
pub struct Family {
    /// In the order they started.
    services: Vec<(ServiceId, Running)>,
    /// The process's.
    shutdown: CancellationToken,
}

impl Family {
    /// Starts the enabled services, each after those that it calls.
    ///
    /// # Errors
    /// When the service manager passes a socket that none of these services listens on, a service cannot be built or an address
    /// cannot be bound; the services that were started are stopped again.
    pub async fn start(settings: &Settings, enabled: &EnabledServices, context: &Context) -> Result<Self, BoxError> {
        let mut builder = Builder {
            settings,
            context,
            directory: None,
            administration: None,
            passwords: None,
            peers: Peers::default(),
            gateway: None,
            ended_sessions: None,
            own_tokens: None,
            own_account: None,
            self_service: account::SelfService::default(),
            account_administration: account::Administration::default(),
        };
        let services = enabled.iter().map(|service| (service.identity(), settings.listeners(service)));
        runtime::check_inherited(services, context)?;
        let mut family = Self { services: Vec::new(), shutdown: context.shutdown.clone() };
        for service in enabled.iter() {
            // Each service counts for itself: its debug server shows nothing of its siblings.
            let context = Context { metrics: Metrics::default(), ..context.clone() };
            let (identity, listeners) = (service.identity(), settings.listeners(service));
            // it holds the configurations that a service is built from
            let started = Box::pin(runtime::launch(
                identity,
                listeners,
                settings.shown(service),
                |context| builder.build(service, enabled, context),
                &context,
            ))
            .await;
            match started {
                Ok(running) => family.services.push((service, running)),
                Err(error) => {
                    family.stop().await;
                    return Err(format!("{}: {error}", service.name()).into());
                }
            }
        }
        Ok(family)
    }

    /// Where a service answers gRPC.
    pub fn address(&self, service: ServiceId) -> Option<SocketAddr> {
        self.services.iter().find(|(running, _)| *running == service).and_then(|(_, running)| running.grpc)
    }

    /// Its services, and where each answers for its health.
    pub(crate) fn running(&self, settings: &Settings) -> Vec<RunningService> {
        let debug = |service: ServiceId, running: &Running| match running.debug {
            // the port may be one that the system has chosen
            Some(addr) => ListenAddr::Tcp { host: addr.ip().to_string(), port: addr.port() },
            None => settings.listeners(service).debug.addr.clone(),
        };
        let services = self.services.iter();
        services
            .map(|(service, running)| RunningService {
                name: service.name().to_owned(),
                debug: debug(*service, running),
                debug_tls: settings.listeners(*service).debug.tls.enabled,
            })
            .collect()
    }

    /// Stops every service once the context's `shutdown` is cancelled, and returns when all have ended.
    pub async fn wait(self) {
        self.shutdown.cancelled().await;
        self.stop().await;
    }

    /// Stops every service, those first that ask others, once what is in flight is answered: requests that the edge has accepted
    /// find the services behind it open. None is ready from the beginning.
    pub async fn stop(self) {
        for (_, running) in &self.services {
            running.drain();
        }
        for (_, running) in self.services.into_iter().rev() {
            running.stop().await;
        }
    }
}

/// Builds the services one after the other, handing each what was built before it.
struct Builder<'a> {
    settings: &'a Settings,
    context: &'a Context,
    directory: Option<Arc<dyn Directory>>,
    /// The administration of these users, as it is served.
    administration: Option<Routes>,
    /// auth-basic, as it is served.
    passwords: Option<idp::Passwords>,
    peers: Peers,
    gateway: Option<gateway::InProcessGateway>,
    /// The sessions of idp.
    ended_sessions: Option<Arc<dyn EndedSessions>>,
    /// The app tokens of signed-in users, for the account pages.
    own_tokens: Option<account::OwnTokens>,
    /// The sessions and connected applications of signed-in users, for the account pages.
    own_account: Option<account::OwnAccount>,
    /// The profiles and passwords of signed-in users, for the account pages.
    self_service: account::SelfService,
    /// The services of this process behind the administration pages.
    account_administration: account::Administration,
}

/// The edge's configuration, without the routes to services of this process that do not run.
fn edge(config: &proxy::Config, settings: &Settings, enabled: &EnabledServices) -> proxy::Config {
    let mut config = config.clone();
    let Settings { idp, auth_app, auth_bearer, account, .. } = settings;
    let here = backends(&idp.http, &auth_app.http, &auth_bearer.http, account);
    for (service, backend, here) in [
        (ServiceId::Idp, &mut config.backends.idp, here.idp),
        (ServiceId::AuthApp, &mut config.backends.auth_app, here.auth_app),
        (ServiceId::AuthBearer, &mut config.backends.auth_bearer, here.auth_bearer),
        (ServiceId::Account, &mut config.backends.account, here.account),
    ] {
        if *backend == here && !enabled.contains(service) {
            backend.clear();
        }
    }
    config
}

/// Whether service accounts of this process are clients of the token endpoint. A client shows no certificate of a caller that the settings
/// could list (`docs/security-requirements.md#m11`).
fn are_clients(settings: &Settings) -> bool {
    let Settings { idp, auth_service, gateway, .. } = settings;
    idp.service_account_clients && auth_service.callers.is_empty() && gateway.service_callers.is_empty()
}

impl Builder<'_> {
    async fn build(
        &mut self,
        service: ServiceId,
        enabled: &EnabledServices,
        context: Context,
    ) -> Result<App, BoxError> {
        let (settings, context) = (self.settings, &context);
        match service {
            ServiceId::Users => {
                let opened = users::open(&settings.users, context).await?;
                self.directory = Some(opened.directory.clone());
                let app = users::app(&opened, &settings.users, context)?;
                self.administration.clone_from(&app.grpc);
                self.self_service.profiles = app.grpc.clone().map(account::Profiles::new);
                self.administer(&app, account::Administration::with_users);
                Ok(app)
            }
            ServiceId::AuthBasic => {
                let config = &settings.auth_basic;
                let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
                let opened = auth_basic::open(config, directory, context).await?;
                self.provide(kind::BASIC, service, opened.authenticator.clone());
                let app = auth_basic::app(&opened, config, context)?;
                self.self_service.passwords = app.grpc.clone().map(account::Passwords::new);
                self.administer(&app, account::Administration::with_auth_basic);
                self.passwords = app.grpc.clone().map(|routes| idp::Passwords {
                    authenticator: opened.authenticator.clone(),
                    transport: idp::password_service::transport(routes),
                });
                Ok(app)
            }
            ServiceId::AuthMachine => {
                let config = &settings.auth_machine;
                let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
                let opened = auth_machine::open(config, directory, context)?;
                self.provide(kind::MACHINE, service, opened.authenticator.clone());
                auth_machine::app(&opened, config)
            }
            ServiceId::AuthService => self.auth_service(context).await,
            ServiceId::AuthApp => {
                let config = &settings.auth_app;
                let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
                let opened = auth_app::open(config, directory, context).await?;
                self.provide(kind::APP, service, opened.authenticator.clone());
                self.peers.applications =
                    Some(gateway::peers::applications(auth_app::grpc::applications::serve(opened.api.clone(), None)));
                let own_tokens = auth_app::grpc::own_tokens::serve(opened.own_tokens.clone(), None);
                self.own_tokens = Some(account::OwnTokens::new(own_tokens));
                let app = auth_app::app(&opened);
                self.administer(&app, account::Administration::with_auth_app);
                Ok(app)
            }
            ServiceId::AuthBearer => self.auth_bearer(context).await,
            ServiceId::Idp => {
                let config = &settings.idp;
                let directory = match &self.directory {
                    Some(here) => here.clone(),
                    None => idp::directory(config, context)?,
                };
                let passwords = match self.passwords.take() {
                    Some(here) => here,
                    None => idp::passwords(config, context)?,
                };
                let service_accounts = match self.peers.providers.get(kind::SERVICE) {
                    Some(_) if !are_clients(settings) => None,
                    Some(here) => Some(Arc::clone(&here.authenticator)),
                    None => idp::service_accounts(config, context)?,
                };
                let opened = idp::open(config, directory, (passwords, service_accounts), context).await?;
                self.ended_sessions = Some(Arc::new(opened.provider.clone()));
                let own_account = idp::grpc::account::serve(opened.provider.clone(), None);
                self.own_account = Some(account::OwnAccount::new(own_account));
                let app = idp::app(&opened)?;
                self.administer(&app, account::Administration::with_idp);
                Ok(app)
            }
            ServiceId::Account => self.account(context),
            ServiceId::Gateway => {
                let opened = gateway::open(&settings.gateway, self.peers(enabled)?, context)?;
                self.gateway = Some(opened.clone());
                Ok(opened.app())
            }
            ServiceId::Proxy => {
                let config = edge(&settings.proxy, settings, enabled);
                let gateway: Arc<dyn authn::Gateway> = match self.gateway.take() {
                    Some(here) => Arc::new(here),
                    None => proxy::gateway(&config, context)?,
                };
                let sessions = self.sessions(|| proxy::provider_sessions(&config, context))?;
                proxy::app(&config, gateway, sessions, context).await
            }
        }
    }

    /// Service accounts; the administration pages have them where they are stored.
    async fn auth_service(&mut self, context: &Context) -> Result<App, BoxError> {
        let config = &self.settings.auth_service;
        let opened = auth_service::open(config, context).await?;
        self.provide(kind::SERVICE, ServiceId::AuthService, opened.authenticator.clone());
        let app = auth_service::app(&opened, config, context)?;
        if opened.administration.is_some() {
            self.administer(&app, account::Administration::with_auth_service);
        }
        Ok(app)
    }

    async fn auth_bearer(&mut self, context: &Context) -> Result<App, BoxError> {
        let config = &self.settings.auth_bearer;
        let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
        // the users of this process and their tenants, even if the settings name a gateway as the directory
        let users = match &self.administration {
            Some(here) => auth_bearer::UsersService::from(auth_bearer::transport::transport(here.clone())),
            None => auth_bearer::administration(config, context)?,
        };
        let sessions = self.sessions(|| auth_bearer::provider_sessions(config, context))?;
        let (ended, task) = sessions.map(|sessions| (sessions.ended, sessions.task)).unzip();
        let logouts = auth_bearer::logouts(config, context).await?;
        let bearer = auth_bearer::open(config, directory, users, (logouts, ended), context)?;
        self.provide(kind::BEARER, ServiceId::AuthBearer, auth_bearer::authenticator(&bearer, context));
        let mut app = auth_bearer::app(&bearer, config, context);
        app.tasks.extend(task.flatten());
        Ok(app)
    }

    /// The sessions of idp: in this process, or in another one.
    fn sessions(
        &self,
        elsewhere: impl FnOnce() -> Result<Option<ProviderSessions>, BoxError>,
    ) -> Result<Option<ProviderSessions>, BoxError> {
        match &self.ended_sessions {
            Some(here) => Ok(Some(ProviderSessions { ended: Arc::clone(here), task: None })),
            None => elsewhere(),
        }
    }

    /// Adds the gRPC of a service of this process to what the administration pages call.
    fn administer(&mut self, app: &App, with: fn(account::Administration, Routes) -> account::Administration) {
        if let Some(routes) = app.grpc.clone() {
            self.account_administration = with(std::mem::take(&mut self.account_administration), routes);
        }
    }

    /// The account pages, over what of their services is in this process, and the configured endpoints of the others.
    fn account(&mut self, context: &Context) -> Result<App, BoxError> {
        let config = &self.settings.account;
        let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
        let own_tokens = match self.own_tokens.take() {
            Some(here) => Some(here),
            None => account::own_tokens(config, context)?,
        };
        let own_account = match self.own_account.take() {
            Some(here) => Some(here),
            None => account::own_account(config, context)?,
        };
        let self_service = std::mem::take(&mut self.self_service).or_remote(config, context)?;
        let administration = std::mem::take(&mut self.account_administration).or_remote(config, context)?;
        account::app(config, directory, (own_tokens, own_account), self_service, administration, context)
    }

    /// The user directory: in this process, or at the configured endpoint.
    fn directory(
        &self,
        endpoint: &str,
        reva: &config::Reva,
        tls: &config::GrpcClientTls,
    ) -> Result<Arc<dyn Directory>, BoxError> {
        match &self.directory {
            Some(directory) => Ok(directory.clone()),
            None => Ok(runtime::directory(endpoint, reva, tls, self.context)?),
        }
    }

    /// Makes an authenticator of this process the gateway's for a type of credentials. Its address is for clients of the registry.
    fn provide(&mut self, kind: &'static str, service: ServiceId, authenticator: Arc<dyn Authenticator>) {
        let listener = self.settings.listeners(service).grpc;
        let address = listener.map(|grpc| runtime::endpoint_of(&grpc.addr)).unwrap_or_default();
        self.peers.providers.insert(kind, Provider { authenticator, address });
    }

    /// The gateway's peers: those of this process, and of the others only those with a configured endpoint. A service that
    /// is neither is switched off, and the gateway does not wait for it.
    fn peers(&mut self, enabled: &EnabledServices) -> Result<Peers, BoxError> {
        let mut peers = std::mem::take(&mut self.peers);
        let mut config = self.settings.gateway.clone();
        let standard: gateway::Endpoints = config::defaults();
        let endpoints = &mut config.endpoints;
        for (service, endpoint, default) in [
            (ServiceId::AuthApp, &mut endpoints.auth_app, standard.auth_app),
            (ServiceId::AuthBasic, &mut endpoints.auth_basic, standard.auth_basic),
            (ServiceId::AuthBearer, &mut endpoints.auth_bearer, standard.auth_bearer),
            (ServiceId::AuthMachine, &mut endpoints.auth_machine, standard.auth_machine),
            (ServiceId::AuthService, &mut endpoints.auth_service, standard.auth_service),
            (ServiceId::Users, &mut endpoints.users, standard.users),
        ] {
            if enabled.contains(service) || *endpoint == default {
                endpoint.clear();
            }
        }
        let remote = Peers::remote(&config, self.context)?;
        for (kind, provider) in remote.providers {
            peers.providers.entry(kind).or_insert(provider);
        }
        peers.applications = peers.applications.or(remote.applications);
        peers.directory = self.directory.clone().or(remote.directory);
        peers.upstream = remote.upstream;
        peers.settings = remote.settings;
        let users = self.administration.clone().filter(|_| peers.upstream.is_none());
        peers.tenants = remote.tenants.or_else(|| users.map(authn::Channel::new));
        Ok(peers)
    }
}

#[cfg(test)]
mod tests {
    use config::Environment;
    use runtime::Random;

    use super::*;
    use crate::secrets::Secrets;

    /// Row [M11](../../../docs/security-requirements.md#m11).
    #[test]
    fn service_accounts_are_clients_unless_their_callers_are_listed_or_they_are_switched_off() {
        let with = |more: &[(&str, &str)]| {
            let tls = [("OCIS_GRPC_TLS_ENABLED", "true"), ("OCIS_GRPC_TLS_CLIENT_CA", "/etc/tls/ca.pem")];
            let variables = tls.iter().chain(more);
            let environment: Environment =
                variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            are_clients(&Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read"))
        };
        let name = "spiffe://example.org/backup";
        assert!(with(&[]));
        assert!(
            with(&[("GATEWAY_MACHINE_CALLERS", name), ("AUTH_MACHINE_CALLERS", name)]),
            "lists for the machine key"
        );
        for variable in [
            ("GATEWAY_SERVICE_CALLERS", name),
            ("AUTH_SERVICE_CALLERS", name),
            ("IDP_SERVICE_ACCOUNT_CLIENTS", "false"),
        ] {
            assert!(!with(&[variable]), "{variable:?}");
        }
    }
}
