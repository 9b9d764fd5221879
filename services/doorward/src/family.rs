//! The family in one process: every service with its own listeners, and function calls where there would be gRPC.

use std::{net::SocketAddr, sync::Arc};

use authn::{Authenticator, BoxError, Directory, EndedSessions, kind};
use gateway::peers::{Peers, Provider};
use runtime::{App, Context, Metrics, Running, Service};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    selection::{Member, Selection},
    settings::{Settings, defaults},
};

/// The running family.
#[derive(Debug)]
pub struct Family {
    /// In the order they started.
    services: Vec<(Member, Running)>,
    /// The process's.
    shutdown: CancellationToken,
}

impl Family {
    /// Starts the selected services, those first that others ask.
    ///
    /// # Errors
    /// When a service cannot be built or an address not be had; what was started is stopped again.
    pub async fn start(settings: &Settings, selection: &Selection, context: &Context) -> Result<Self, BoxError> {
        let mut builder = Builder {
            settings,
            context,
            directory: None,
            administration: None,
            peers: Peers::default(),
            gateway: None,
            ended_sessions: None,
        };
        let mut family = Self { services: Vec::new(), shutdown: context.shutdown.clone() };
        for member in selection.members() {
            // Each service counts for itself: its debug server shows nothing of its siblings.
            let context = Context { metrics: Metrics::default(), ..context.clone() };
            let (identity, listeners) = (member.identity(), settings.listeners(member));
            // it holds the configurations that a service is built from
            let started = Box::pin(runtime::launch(
                identity,
                listeners,
                |context| builder.build(member, selection, context),
                &context,
            ))
            .await;
            match started {
                Ok(running) => family.services.push((member, running)),
                Err(error) => {
                    family.stop().await;
                    return Err(format!("{}: {error}", member.name()).into());
                }
            }
        }
        Ok(family)
    }

    /// Where a service answers gRPC.
    pub fn address(&self, member: Member) -> Option<SocketAddr> {
        self.services.iter().find(|(running, _)| *running == member).and_then(|(_, running)| running.grpc)
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

impl Member {
    /// The service's name and prefix.
    pub fn identity(self) -> config::Identity {
        match self {
            Self::Users => users::Users::IDENTITY,
            Self::AuthBasic => auth_basic::AuthBasic::IDENTITY,
            Self::AuthMachine => auth_machine::AuthMachine::IDENTITY,
            Self::AuthService => auth_service::AuthService::IDENTITY,
            Self::AuthApp => auth_app::AuthApp::IDENTITY,
            Self::AuthBearer => auth_bearer::AuthBearer::IDENTITY,
            Self::Idp => idp::Idp::IDENTITY,
            Self::Gateway => gateway::Gateway::IDENTITY,
            Self::Proxy => proxy::Proxy::IDENTITY,
        }
    }
}

/// Builds the services one after the other, handing each what was built before it.
struct Builder<'a> {
    settings: &'a Settings,
    context: &'a Context,
    directory: Option<Arc<dyn Directory>>,
    /// The administration of these people, as it is served.
    administration: Option<Routes>,
    peers: Peers,
    gateway: Option<gateway::Opened>,
    /// The sessions of idp.
    ended_sessions: Option<Arc<dyn EndedSessions>>,
}

/// The edge's configuration, without the routes to services of this process that do not run.
fn edge(config: &proxy::Config, settings: &Settings, selection: &Selection) -> proxy::Config {
    let mut config = config.clone();
    let Settings { idp, auth_app, auth_bearer, .. } = settings;
    let here = defaults::backends(&idp.http, &auth_app.http, &auth_bearer.http);
    for (member, backend, here) in [
        (Member::Idp, &mut config.backends.idp, here.idp),
        (Member::AuthApp, &mut config.backends.auth_app, here.auth_app),
        (Member::AuthBearer, &mut config.backends.auth_bearer, here.auth_bearer),
    ] {
        if *backend == here && !selection.contains(member) {
            backend.clear();
        }
    }
    config
}

impl Builder<'_> {
    async fn build(&mut self, member: Member, selection: &Selection, context: Context) -> Result<App, BoxError> {
        let (settings, context) = (self.settings, &context);
        match member {
            Member::Users => {
                let opened = users::open(&settings.users, context).await?;
                self.directory = Some(opened.directory.clone());
                let app = users::app(&opened, &settings.users, context)?;
                self.administration.clone_from(&app.grpc);
                Ok(app)
            }
            Member::AuthBasic => {
                let config = &settings.auth_basic;
                let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
                let opened = auth_basic::open(config, directory, context).await?;
                self.provide(kind::BASIC, opened.authenticator.clone());
                auth_basic::app(&opened, config, context)
            }
            Member::AuthMachine => {
                let config = &settings.auth_machine;
                let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
                let authenticator = auth_machine::authenticator(config, directory, context)?;
                self.provide(kind::MACHINE, authenticator.clone());
                Ok(auth_machine::app(authenticator, config))
            }
            Member::AuthService => {
                let config = &settings.auth_service;
                let accounts = auth_service::authenticator(config, context)?;
                self.provide(kind::SERVICE, accounts.clone());
                Ok(auth_service::app(&accounts, config.clone(), context))
            }
            Member::AuthApp => {
                let config = &settings.auth_app;
                let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
                let opened = auth_app::open(config, directory, context).await?;
                self.provide(kind::APP, opened.authenticator.clone());
                self.peers.applications =
                    Some(gateway::peers::applications(auth_app::grpc::applications::serve(opened.api.clone(), None)));
                Ok(auth_app::app(&opened))
            }
            Member::AuthBearer => {
                let config = &settings.auth_bearer;
                let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
                let administration = match &self.administration {
                    Some(here) => auth_bearer::provision::transport(here.clone()),
                    None => auth_bearer::administration(config, context)?,
                };
                let bearer = auth_bearer::open(config, directory, administration, context)?;
                self.provide(kind::BEARER, bearer.clone());
                Ok(auth_bearer::app(&bearer, config))
            }
            Member::Idp => {
                let config = &settings.idp;
                let directory = self.directory(&config.users_endpoint, &config.reva, &config.grpc_client_tls)?;
                let here = self.peers.providers.get(kind::BASIC).map(|provider| provider.authenticator.clone());
                let passwords = match here {
                    Some(passwords) => passwords,
                    None => idp::passwords(config, context)?,
                };
                let opened = idp::open(config, directory, passwords, context).await?;
                self.ended_sessions = Some(Arc::new(opened.provider.clone()));
                idp::app(&opened)
            }
            Member::Gateway => {
                let opened = gateway::open(&settings.gateway, self.peers(selection)?, context)?;
                self.gateway = Some(opened.clone());
                Ok(opened.app())
            }
            Member::Proxy => {
                let config = edge(&settings.proxy, settings, selection);
                let gateway: Arc<dyn authn::Gateway> = match self.gateway.take() {
                    Some(here) => Arc::new(here),
                    None => proxy::gateway(&config, context)?,
                };
                proxy::app(&config, gateway, self.ended_sessions.take(), context).await
            }
        }
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

    fn provide(&mut self, kind: &'static str, authenticator: Arc<dyn Authenticator>) {
        self.peers.providers.insert(kind, Provider { authenticator, address: String::new() });
    }

    /// The gateway's peers: those of this process, and of the others only those that were given an endpoint. A service
    /// that is neither is switched off, rather than waited for.
    fn peers(&mut self, selection: &Selection) -> Result<Peers, BoxError> {
        let mut peers = std::mem::take(&mut self.peers);
        let mut config = self.settings.gateway.clone();
        let standard: gateway::Endpoints = config::defaults();
        let endpoints = &mut config.endpoints;
        for (member, endpoint, default) in [
            (Member::AuthApp, &mut endpoints.auth_app, standard.auth_app),
            (Member::AuthBasic, &mut endpoints.auth_basic, standard.auth_basic),
            (Member::AuthBearer, &mut endpoints.auth_bearer, standard.auth_bearer),
            (Member::AuthMachine, &mut endpoints.auth_machine, standard.auth_machine),
            (Member::AuthService, &mut endpoints.auth_service, standard.auth_service),
            (Member::Users, &mut endpoints.users, standard.users),
        ] {
            if selection.contains(member) || *endpoint == default {
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
        for (kind, provider) in &mut peers.providers {
            if provider.address.is_empty() {
                provider.address = runtime::endpoint_of(self.address_of(kind));
            }
        }
        Ok(peers)
    }

    /// Where the service that answers for a type listens, for those who ask the registry.
    fn address_of(&self, kind: &str) -> &config::ListenAddr {
        let settings = self.settings;
        match kind {
            kind::APP => &settings.auth_app.grpc.addr,
            kind::BASIC => &settings.auth_basic.grpc.addr,
            kind::BEARER => &settings.auth_bearer.grpc.addr,
            kind::MACHINE => &settings.auth_machine.grpc.addr,
            _ => &settings.auth_service.grpc.addr,
        }
    }
}
