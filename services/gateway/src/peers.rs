//! The services behind the gateway.

use std::{collections::BTreeMap, sync::Arc};

use authn::{AuthError, Authenticator, BoxError, Channel, Directory, kind, provider};
use proto::cs3::auth::applications::v1beta1::applications_api_client::ApplicationsApiClient;
use runtime::{Context, client};
use tonic::body::Body;
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::Config;

/// An `ApplicationsAPI`, in this process or another.
pub type Applications =
    ApplicationsApiClient<BoxCloneSyncService<http::Request<Body>, http::Response<Body>, CallError>>;

/// A call of an [`Applications`] that came to no answer.
#[derive(Debug, thiserror::Error)]
#[error("auth-app cannot be called")]
pub struct CallError(#[source] BoxError);

/// Makes an [`Applications`] of a channel or of a generated server of this process.
pub fn applications<S>(service: S) -> Applications
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    ApplicationsApiClient::new(BoxCloneSyncService::new(service.map_err(|error| CallError(error.into()))))
}

/// An authenticator, and where it is for those who ask the registry.
pub struct Provider {
    /// Answers.
    pub authenticator: Arc<dyn Authenticator>,
    /// Its address, as an endpoint.
    pub address: String,
}

/// The services behind the gateway: each by one seam, whether it is in this process or another.
#[derive(Default)]
pub struct Peers {
    /// The one authenticator for each type.
    pub providers: BTreeMap<&'static str, Provider>,
    /// The people.
    pub directory: Option<Arc<dyn Directory>>,
    /// The app passwords.
    pub applications: Option<Applications>,
    /// The gateway that answers everything else.
    pub upstream: Option<Channel>,
    /// The service that has tenants, unless the upstream is asked.
    pub tenants: Option<Channel>,
    /// The settings service, which knows users' roles.
    pub settings: Option<Channel>,
}

impl Peers {
    /// Reaches every peer by its endpoint. Connections are made when they are first needed.
    ///
    /// # Errors
    /// When an endpoint is none.
    pub fn remote(config: &Config, context: &Context) -> Result<Self, BoxError> {
        let endpoints = &config.endpoints;
        let channel = |endpoint: &str| -> Result<Option<Channel>, BoxError> {
            if endpoint.is_empty() {
                return Ok(None);
            }
            Ok(Some(client::channel(endpoint, &config.grpc_client_tls, context)?))
        };
        let mut peers = Self::default();
        for (kind, name, endpoint) in [
            (kind::APP, "auth-app", &endpoints.auth_app),
            (kind::BASIC, "auth-basic", &endpoints.auth_basic),
            (kind::BEARER, "auth-bearer", &endpoints.auth_bearer),
            (kind::MACHINE, "auth-machine", &endpoints.auth_machine),
            (kind::SERVICE, "auth-service", &endpoints.auth_service),
        ] {
            if let Some(channel) = channel(endpoint)? {
                let authenticator = Arc::new(provider::Remote::new(name, channel));
                peers.providers.insert(kind, Provider { authenticator, address: endpoint.clone() });
            }
        }
        peers.applications = channel(&endpoints.auth_app)?.map(applications);
        peers.directory =
            channel(&endpoints.users)?.map(|channel| Arc::new(authn::directory::Remote::users(channel)) as Arc<_>);
        peers.upstream = upstream(config, context)?;
        peers.tenants = match channel(&endpoints.tenants)? {
            None if peers.upstream.is_none() => channel(&endpoints.users)?,
            tenants => tenants,
        };
        peers.settings = channel(&endpoints.settings)?;
        Ok(peers)
    }

    /// The upstream, if it is the one to ask about credentials of this type: none of our own, whether that is switched on or off.
    pub(crate) fn upstream_for(&self, kind: &str) -> Option<Channel> {
        let is_foreign = !kind.is_empty() && !kind::ALL.contains(&kind);
        self.upstream.clone().filter(|_| is_foreign)
    }

    /// The one authenticator of a type.
    pub(crate) fn provider(&self, kind: &str) -> Result<&Provider, AuthError> {
        if kind.is_empty() {
            return Err(AuthError::Malformed("the authentication type is empty"));
        }
        self.providers.get(kind).ok_or_else(|| AuthError::UnknownType {
            name: kind.chars().take(32).collect(),
            enabled: self.providers.keys().copied().collect::<Vec<_>>().join(", "),
        })
    }
}

/// The gateway that answers what this one does not, if one is configured.
///
/// # Errors
/// When its endpoint is none.
pub fn upstream(config: &Config, context: &Context) -> Result<Option<Channel>, BoxError> {
    let endpoint = &config.endpoints.upstream;
    if endpoint.is_empty() {
        return Ok(None);
    }
    // How long its calls may take is between its clients and it.
    Ok(Some(client::channel_within(endpoint, &config.grpc_client_tls, None, context)?))
}
