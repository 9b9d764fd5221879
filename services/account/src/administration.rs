//! The services behind the administration pages. Each of them decides by the administrator's own internal token what it does; the pages
//! only leave out what is not there.

mod deletion;
pub(crate) mod health;
mod invitations;
pub(crate) mod service_accounts;
pub(crate) mod tokens;
pub(crate) mod users;

use authn::BoxError;
use proto::doorward::apptokens::v1::app_tokens_api_client::AppTokensApiClient;
use proto::doorward::idp::v1::account_admin_api_client::AccountAdminApiClient;
use proto::doorward::idp::v1::factors_api_client::FactorsApiClient;
use proto::doorward::idp::v1::idp_admin_api_client::IdpAdminApiClient;
use proto::doorward::idp::v1::invitations_api_client::InvitationsApiClient;
use proto::doorward::idp::v1::keys_api_client::KeysApiClient;
use proto::doorward::passwords::v1::passwords_api_client::PasswordsApiClient;
use proto::doorward::serviceaccounts::v1::service_accounts_api_client::ServiceAccountsApiClient;
use proto::doorward::users::v1::profiles_api_client::ProfilesApiClient;
use proto::doorward::users::v1::users_admin_api_client::UsersAdminApiClient;
use runtime::{Context, RunningServices};
use tonic::body::Body;
use tower::Service;

use crate::config::Config;
use crate::transport::{Transport, remote, transport};
pub use deletion::{AccountPart, DeletionError};

/// The services by which administrators see and change what is not their own. A page without its service does not exist.
#[derive(Clone, Default)]
pub struct Administration {
    /// Users and groups, at users.
    pub users: Option<UsersAdminApiClient<Transport>>,
    /// The profiles of users, at users.
    pub profiles: Option<ProfilesApiClient<Transport>>,
    /// The passwords of users, at auth-basic.
    pub passwords: Option<PasswordsApiClient<Transport>>,
    /// The app tokens of users, at auth-app.
    pub tokens: Option<AppTokensApiClient<Transport>>,
    /// The service accounts, at auth-service.
    pub service_accounts: Option<ServiceAccountsApiClient<Transport>>,
    /// The clients of the provider, at idp.
    pub clients: Option<IdpAdminApiClient<Transport>>,
    /// The signing keys, at idp.
    pub keys: Option<KeysApiClient<Transport>>,
    /// The sessions, connected applications and events of users, at idp.
    pub accounts: Option<AccountAdminApiClient<Transport>>,
    /// The second factors of users, at idp.
    pub factors: Option<FactorsApiClient<Transport>>,
    /// Invitations of users, at idp.
    pub invitations: Option<InvitationsApiClient<Transport>>,
    /// The services of this process, for their health.
    pub(crate) running: RunningServices,
    /// The services in other processes by their names, for their health.
    pub(crate) remote: Vec<(&'static str, Transport)>,
}

impl Administration {
    /// With users: its generated servers in this process, or a channel.
    #[must_use]
    pub fn with_users<S>(self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        let transport = transport("users", service);
        Self {
            users: Some(UsersAdminApiClient::new(transport.clone())),
            profiles: Some(ProfilesApiClient::new(transport)),
            ..self
        }
    }

    /// With auth-basic, in the same way.
    #[must_use]
    pub fn with_auth_basic<S>(self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self { passwords: Some(PasswordsApiClient::new(transport("auth-basic", service))), ..self }
    }

    /// With auth-app, in the same way.
    #[must_use]
    pub fn with_auth_app<S>(self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self { tokens: Some(AppTokensApiClient::new(transport("auth-app", service))), ..self }
    }

    /// With auth-service, in the same way.
    #[must_use]
    pub fn with_auth_service<S>(self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        let transport = transport("auth-service", service);
        Self { service_accounts: Some(ServiceAccountsApiClient::new(transport)), ..self }
    }

    /// With idp, in the same way.
    #[must_use]
    pub fn with_idp<S>(self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        let transport = transport("idp", service);
        Self {
            clients: Some(IdpAdminApiClient::new(transport.clone())),
            keys: Some(KeysApiClient::new(transport.clone())),
            accounts: Some(AccountAdminApiClient::new(transport.clone())),
            factors: Some(FactorsApiClient::new(transport.clone())),
            invitations: Some(InvitationsApiClient::new(transport)),
            ..self
        }
    }

    /// With a service in another process, to ask for its health.
    pub(crate) fn with_health_of<S>(mut self, name: &'static str, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        self.remote.push((name, transport(name, service)));
        self
    }

    /// Services in other processes, by their endpoints, in place of those that are absent; and the health of the services of this
    /// process.
    ///
    /// # Errors
    /// If an endpoint is invalid.
    pub fn or_remote(mut self, config: &Config, context: &Context) -> Result<Self, BoxError> {
        self.running = context.running.clone();
        if self.users.is_none()
            && let Some(channel) = remote(&config.users_endpoint, config, context)?
        {
            self = self.with_health_of("users", channel.clone()).with_users(channel);
        }
        if self.passwords.is_none()
            && let Some(channel) = remote(&config.auth_basic_endpoint, config, context)?
        {
            self = self.with_health_of("auth-basic", channel.clone()).with_auth_basic(channel);
        }
        if self.tokens.is_none()
            && let Some(channel) = remote(&config.auth_app_endpoint, config, context)?
        {
            self = self.with_health_of("auth-app", channel.clone()).with_auth_app(channel);
        }
        if self.service_accounts.is_none()
            && let Some(channel) = remote(&config.auth_service_endpoint, config, context)?
        {
            self = self.with_auth_service(channel);
        }
        if self.accounts.is_none()
            && let Some(channel) = remote(&config.idp_endpoint, config, context)?
        {
            self = self.with_health_of("idp", channel.clone()).with_idp(channel);
        }
        Ok(self)
    }
}
