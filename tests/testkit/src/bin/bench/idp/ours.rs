//! idp, with the directory and the passwords behind it as processes of their own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use authn::{BoxError, role};
use testkit::free_address;
use uuid::Uuid;

use super::{
    CLIENT_SECRET, REDIRECT_URI,
    work::{Endpoints, Side},
};
use crate::{family::JWT_SECRET, http, server::Server, tokens::Owner, users};

/// Where idp answers what.
pub(super) const ENDPOINTS: Endpoints = Endpoints {
    side: Side::Ours,
    discovery: "/.well-known/openid-configuration",
    jwks: "/konnect/v1/jwks.json",
    token: "/konnect/v1/token",
    introspection: "/konnect/v1/introspect",
    authorization: "/signin/v1/identifier/_/authorize",
};
/// The password of all users.
pub(crate) const PASSWORD: &str = "a passphrase of the load tool";
/// How many users sign in, in turn.
pub(crate) const USERS: usize = 16;
const ENCRYPTION_SECRET: &str = "bench-encryption-0123456789abcdef012345";

/// The login name of a user.
pub(crate) fn login(number: usize) -> String {
    format!("person-{}", number % USERS)
}

/// Everything that idp needs. It outlives its process and can be started again.
pub(super) struct Ours {
    binary: PathBuf,
    address: String,
    environment: Vec<(&'static str, String)>,
    behind: [Server; 2],
    /// It holds the databases.
    _folder: tempfile::TempDir,
}

impl Ours {
    /// Starts what is behind idp, with users in it, and writes the clients.
    pub(super) async fn prepare() -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let [address, users, passwords] = std::array::from_fn(|_| free_address().to_string());
        let clients = folder.path().join("clients.yaml");
        std::fs::write(&clients, clients_file())?;
        let behind = [
            Server::launch(&mut program("users", &users_environment(folder.path(), &users))?, users.clone())?,
            Server::launch(
                &mut program("auth-basic", &passwords_environment(folder.path(), &passwords, &users))?,
                passwords.clone(),
            )?,
        ];
        let person = |number| Owner { id: Uuid::from_u64_pair(1, number as u64), login: login(number) };
        let users_added: Vec<_> = (0..USERS).map(person).collect();
        users::add(&users, role::USER, users_added.iter()).await?;
        users::set_password(&passwords, &users_added, PASSWORD).await?;

        let port = address.rsplit_once(':').ok_or("an address has a port")?.1;
        let mut environment = shared(folder.path(), "idp");
        environment.extend([
            ("IDP_HTTP_ADDR", address.clone()),
            ("IDP_GRPC_ADDR", free_address().to_string()),
            ("IDP_DEBUG_ADDR", free_address().to_string()),
            ("IDP_ISS", format!("http://localhost:{port}")),
            ("IDP_ENCRYPTION_SECRET", ENCRYPTION_SECRET.to_owned()),
            ("IDP_USERS_ENDPOINT", users),
            ("IDP_AUTH_BASIC_ENDPOINT", passwords),
            ("IDP_CLIENTS_FILE", clients.display().to_string()),
        ]);
        Ok(Self { binary: binary("idp")?, address, environment, behind, _folder: folder })
    }

    /// Starts idp, and waits until it answers.
    pub(super) fn start(&self) -> Result<Server, BoxError> {
        let mut command = Command::new(&self.binary);
        let variables = self.environment.iter().map(|(name, value)| (name, value));
        command.arg("server").env_clear().envs(variables);
        Server::launch_until(&mut command, self.address.clone(), http::is_ready)
    }

    /// The processes that idp asks.
    pub(super) fn behind(&self) -> &[Server] {
        &self.behind
    }
}

/// A binary in the folder of the load tool.
fn binary(name: &str) -> Result<PathBuf, BoxError> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

fn program(name: &str, environment: &[(&'static str, String)]) -> Result<Command, BoxError> {
    let mut command = Command::new(binary(name)?);
    command.arg("server").env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

fn shared(folder: &Path, name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("OCIS_BASE_DATA_PATH", folder.join("data").display().to_string()),
        ("OCIS_CONFIG_DIR", folder.join("config").display().to_string()),
        ("OCIS_JWT_SECRET", JWT_SECRET.to_owned()),
        // Audit events go to a file, as they would in earnest, and not into the table.
        ("OCIS_LOG_FILE", folder.join(format!("{name}.log")).display().to_string()),
    ]
}

fn users_environment(folder: &Path, users: &str) -> Vec<(&'static str, String)> {
    let mut environment = shared(folder, "users");
    environment.extend([("USERS_GRPC_ADDR", users.to_owned()), ("USERS_DEBUG_ADDR", free_address().to_string())]);
    environment
}

/// A password that was verified is remembered, and the hash is the cheapest there is: the peer verifies none.
fn passwords_environment(folder: &Path, passwords: &str, users: &str) -> Vec<(&'static str, String)> {
    let mut environment = shared(folder, "auth-basic");
    environment.extend([
        ("AUTH_BASIC_GRPC_ADDR", passwords.to_owned()),
        ("AUTH_BASIC_DEBUG_ADDR", free_address().to_string()),
        ("AUTH_BASIC_USERS_ENDPOINT", users.to_owned()),
        ("AUTH_BASIC_CACHE_TTL", "1m".to_owned()),
        ("AUTH_BASIC_ARGON2_MEMORY", "8".to_owned()),
        ("AUTH_BASIC_ARGON2_ITERATIONS", "1".to_owned()),
    ]);
    environment
}

/// The same clients as the peer's.
fn clients_file() -> String {
    let machine = |id: &str, format: &str| {
        format!("  - id: {id}\n    secret: {CLIENT_SECRET}\n    grant_types: [client_credentials]\n    {format}\n")
    };
    let jwt = |algorithm: &str| format!("access_token_format: jwt\n    access_token_signed_response_alg: {algorithm}");
    let code = format!(
        "  - id: bench-code\n    secret: {CLIENT_SECRET}\n    grant_types: [authorization_code]\n    \
         redirect_uris: [{REDIRECT_URI:?}]\n    consent: trusted\n    access_token_format: opaque\n"
    );
    [
        "clients:\n".to_owned(),
        machine("bench-opaque", "access_token_format: opaque"),
        machine("bench-es256", &jwt("ES256")),
        machine("bench-eddsa", &jwt("EdDSA")),
        machine("bench-rs256", &jwt("RS256")),
        code,
    ]
    .concat()
}
