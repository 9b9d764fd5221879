//! How the command line reaches the users: the running family by gRPC, or the databases of a stopped one through the
//! very same services, called in this process. Commands cannot tell which.

use std::sync::Arc;

use account::Administration;
use authn::{BoxError, Directory, directory};
use proto::doorward::{
    passwords::v1::passwords_api_client::PasswordsApiClient,
    users::v1::{profiles_api_client::ProfilesApiClient, users_admin_api_client::UsersAdminApiClient},
};
use runtime::{Context, client, operator_token, running};
use tonic::{
    Request,
    body::Body,
    metadata::{Ascii, MetadataValue},
};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

use crate::services::Settings;

/// The transport to a service: a connection, or the service itself in this process.
pub(crate) type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>;

/// Administers users and passwords.
pub(crate) struct Admin {
    /// Users and groups.
    pub(crate) users: UsersAdminApiClient<Transport>,
    /// The profiles of users.
    pub(crate) profiles: ProfilesApiClient<Transport>,
    /// Passwords.
    pub(crate) passwords: PasswordsApiClient<Transport>,
    /// What removes users with what the services have of them: users and auth-basic, and of the others those that run.
    pub(crate) administration: Administration,
    pub(crate) token: MetadataValue<Ascii>,
}

impl Admin {
    /// Reaches the users. The token is minted here: whoever can read the secret is the operator.
    pub(crate) async fn connect(settings: &Settings, context: &Context) -> Result<Self, BoxError> {
        let token = operator_token(&settings.gateway.token_manager, context)?;
        let tls = &settings.gateway.grpc_client_tls;
        let (users, directory) = if let Some(address) = running(&settings.users.grpc.addr) {
            let channel = client::channel(&address, tls, context)?;
            let directory: Arc<dyn Directory> = Arc::new(directory::Remote::users(channel.clone()));
            (transport(channel), directory)
        } else {
            let opened = users::open(&settings.users, context).await?;
            (in_process(users::app(&opened, &settings.users, context)?)?, opened.directory.clone())
        };
        let passwords = if let Some(address) = running(&settings.auth_basic.grpc.addr) {
            transport(client::channel(&address, tls, context)?)
        } else {
            let opened = auth_basic::open(&settings.auth_basic, directory, context).await?;
            in_process(auth_basic::app(&opened, &settings.auth_basic, context)?)?
        };
        let mut administration = Administration::default().with_users(users.clone()).with_auth_basic(passwords.clone());
        if let Some(address) = running(&settings.auth_app.grpc.addr) {
            administration = administration.with_auth_app(client::channel(&address, tls, context)?);
        }
        if let Some(address) = running(&settings.idp.grpc.addr) {
            administration = administration.with_idp(client::channel(&address, tls, context)?);
        }
        Ok(Self {
            users: UsersAdminApiClient::new(users.clone()),
            profiles: ProfilesApiClient::new(users),
            passwords: PasswordsApiClient::new(passwords),
            administration,
            token,
        })
    }

    /// A request of the operator.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, self.token.clone());
        request
    }
}

/// The gRPC of a service in this process.
pub(crate) fn in_process(app: runtime::App) -> Result<Transport, BoxError> {
    app.grpc.map(transport).ok_or_else(|| "the service has no gRPC".into())
}

/// The transport over a connection or a server.
pub(crate) fn transport<S>(service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    BoxCloneSyncService::new(service.map_err(Into::into))
}
