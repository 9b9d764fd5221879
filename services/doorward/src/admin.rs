//! How the command line reaches the people: the running family by gRPC, or the databases of a stopped one through the
//! very same services, called in this process. Commands cannot tell which.

use std::{
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    sync::Arc,
    time::Duration,
};

use authn::{Authenticated, BoxError, Directory, User, UserId, UserType, directory, role};
use proto::doorward::{
    passwords::v1::passwords_api_client::PasswordsApiClient, users::v1::users_admin_api_client::UsersAdminApiClient,
};
use runtime::{
    Context, client,
    config::{ListenAddr, Secret},
};
use secrecy::SecretString;
use token::{KeyRing, Minter};
use tonic::{
    Request,
    body::Body,
    metadata::{Ascii, MetadataValue},
};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

use crate::settings::Settings;

/// How long a command may use its token.
const LIFETIME: Duration = Duration::from_mins(1);

type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>;

/// Administers people and passwords.
pub(crate) struct Admin {
    /// People and groups.
    pub(crate) users: UsersAdminApiClient<Transport>,
    /// Passwords.
    pub(crate) passwords: PasswordsApiClient<Transport>,
    token: MetadataValue<Ascii>,
}

impl Admin {
    /// Reaches the people. The token is minted here: whoever can read the secret is the operator.
    pub(crate) async fn connect(settings: &Settings, context: &Context) -> Result<Self, BoxError> {
        let token = mint(&settings.gateway.token_manager.jwt_secret, context)?;
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
        Ok(Self { users: UsersAdminApiClient::new(users), passwords: PasswordsApiClient::new(passwords), token })
    }

    /// A request of the operator.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, self.token.clone());
        request
    }
}

/// The endpoint of a service, if it answers right now.
fn running(address: &ListenAddr) -> Option<String> {
    let endpoint = runtime::endpoint_of(address);
    let reached = match address {
        ListenAddr::Off => false,
        ListenAddr::Unix(path) => UnixStream::connect(path).is_ok(),
        ListenAddr::Tcp { .. } => {
            let reaches = |address| TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok();
            endpoint.to_socket_addrs().is_ok_and(|mut addresses| addresses.any(reaches))
        }
    };
    reached.then_some(endpoint)
}

fn in_process(app: runtime::App) -> Result<Transport, BoxError> {
    app.grpc.map(transport).ok_or_else(|| "the service has no gRPC".into())
}

fn transport<S>(service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    BoxCloneSyncService::new(service.map_err(Into::into))
}

/// A token of the operator, for one command.
fn mint(secret: &Secret, context: &Context) -> Result<MetadataValue<Ascii>, BoxError> {
    let keys = KeyRing::new(&SecretString::from(secret.expose().to_owned()), None)?;
    let id = UserId { opaque_id: "doorward-cli".to_owned(), kind: UserType::Service, ..UserId::default() };
    let operator =
        User { id, username: "doorward-cli".to_owned(), roles: vec![role::ADMIN.to_owned()], ..User::default() };
    let answer = Authenticated::full(Arc::new(operator), "operator");
    let token = Minter::new(Arc::new(keys), LIFETIME, false).mint(context.clock.now(), &answer)?;
    let mut value = MetadataValue::try_from(token)?;
    value.set_sensitive(true);
    Ok(value)
}
