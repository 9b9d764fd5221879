//! The family that is measured.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use authn::BoxError;
use testkit::free_address;

use crate::server::Server;

/// Keys that live as long as the run.
pub(crate) const MACHINE_KEY: &str = "bench-machine-key-0123456789abcdef0123";
pub(crate) const SERVICE_ACCOUNT: &str = "bench-account";
pub(crate) const SERVICE_SECRET: &str = "bench-service-secret-0123456789abcdef";
pub(crate) const JWT_SECRET: &str = "bench-jwt-secret-0123456789abcdef012345";
pub(crate) const TOKEN_KEY: &str = "bench-token-key-0123456789abcdef0123456";
/// How often a start is tried, each time on other addresses: another process may take a free port in between.
const ATTEMPTS: usize = 3;

/// The family in one process, with a data folder of its own. It outlives its process and can be started again.
pub(crate) struct Family {
    binary: PathBuf,
    environment: Vec<(&'static str, String)>,
    /// Settings that take the place of those of every family.
    settings: Vec<(&'static str, String)>,
    /// Where the directory answers gRPC, since the last start.
    pub(crate) users: String,
    /// Where the edge answers HTTP and gRPC, since the last start.
    pub(crate) edge: [String; 2],
    folder: tempfile::TempDir,
}

impl Family {
    /// A family that has never run.
    pub(crate) fn new() -> Result<Self, BoxError> {
        let binary = std::env::current_exe()?.with_file_name("doorward");
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("routes.yaml"), "")?;
        Ok(Self {
            binary,
            environment: Vec::new(),
            settings: Vec::new(),
            users: String::new(),
            edge: Default::default(),
            folder,
        })
    }

    /// The file of auth-app's store.
    pub(crate) fn token_store(&self) -> PathBuf {
        self.folder.path().join("data/auth-app.db")
    }

    /// Starts everything that is measured.
    pub(crate) fn start(&mut self) -> Result<Server, BoxError> {
        let mut outcome = self.start_once();
        for _ in 1..ATTEMPTS {
            if outcome.is_ok() {
                break;
            }
            outcome = self.start_once();
        }
        outcome
    }

    fn start_once(&mut self) -> Result<Server, BoxError> {
        let gateway = free_address().to_string();
        self.users = free_address().to_string();
        self.edge = [free_address().to_string(), free_address().to_string()];
        self.environment = environment(self.folder.path(), &gateway, &self.users);
        let [http, grpc] = &self.edge;
        self.environment.extend([("PROXY_HTTP_ADDR", http.clone()), ("PROXY_GRPC_ADDR", grpc.clone())]);
        // browsers sign in by the name: cookies and issuers are those of a site
        let port = http.rsplit_once(':').map(|(_, port)| port).unwrap_or_default();
        self.environment.push(("OCIS_URL", format!("http://localhost:{port}")));
        self.environment.extend(self.settings.iter().cloned());
        let variables = self.environment.iter().map(|(name, value)| (name, value));
        Server::launch(Command::new(&self.binary).arg("server").env_clear().envs(variables), gateway)
    }

    /// Adds a setting from the next start on.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.settings.push((name, value.into()));
    }

    /// The last value of a setting at its start.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.environment.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A file in its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file with the routes of the edge; what is written there counts from the next start on.
    pub(crate) fn routes(&self) -> PathBuf {
        self.folder.path().join("routes.yaml")
    }

    /// A command of the operator, with the settings of the last start.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        let variables = self.environment.iter().map(|(name, value)| (name, value));
        command.args(arguments).env_clear().envs(variables);
        command
    }

    /// Creates an app token for a user, as an operator does.
    pub(crate) fn app_token(&self, login: &str) -> Result<String, BoxError> {
        let output = self.command(&["user", "token", "-u", login, "-e", "1h", "-q"]).output()?;
        if !output.status.success() {
            return Err(format!("no app token: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Adds a user, as an operator does.
    pub(crate) fn add_user(&self, login: &str, password: &str) -> Result<(), BoxError> {
        let mut child = self
            .command(&["user", "add", login, "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        child.stdin.take().ok_or("no standard input")?.write_all(password.as_bytes())?;
        if child.wait()?.success() { Ok(()) } else { Err(format!("{login} could not be added").into()) }
    }
}

fn environment(folder: &Path, gateway: &str, users: &str) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("OCIS_BASE_DATA_PATH", folder.join("data").display().to_string()),
        ("OCIS_CONFIG_DIR", folder.join("config").display().to_string()),
        ("OCIS_ADD_RUN_SERVICES", "auth-app".to_owned()),
        ("OCIS_JWT_SECRET", JWT_SECRET.to_owned()),
        ("OCIS_MACHINE_AUTH_API_KEY", MACHINE_KEY.to_owned()),
        ("OCIS_SERVICE_ACCOUNT_ID", SERVICE_ACCOUNT.to_owned()),
        ("OCIS_SERVICE_ACCOUNT_SECRET", SERVICE_SECRET.to_owned()),
        ("AUTH_APP_TOKEN_KEY", TOKEN_KEY.to_owned()),
        ("AUTH_APP_MAX_TOKENS_PER_USER", "0".to_owned()),
        // What is measured is hashing, not remembering that a password was right a moment ago.
        ("AUTH_BASIC_CACHE_TTL", "0s".to_owned()),
        // Audit events go to a file, as they would in earnest, and not into the table.
        ("OCIS_LOG_FILE", folder.join("log").display().to_string()),
        ("PROXY_TLS", "false".to_owned()),
        ("PROXY_VERIFY_PROXY", "nginx".to_owned()),
        ("PROXY_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ("GATEWAY_GRPC_ADDR", gateway.to_owned()),
        ("OCIS_REVA_GATEWAY", gateway.to_owned()),
    ];
    let basic = free_address().to_string();
    environment.push(("USERS_GRPC_ADDR", users.to_owned()));
    environment.push(("GATEWAY_USERS_ENDPOINT", users.to_owned()));
    environment.push(("PROXY_ROUTES_FILE", folder.join("routes.yaml").display().to_string()));
    environment.push(("AUTH_BASIC_GRPC_ADDR", basic.clone()));
    environment.push(("GATEWAY_AUTH_BASIC_ENDPOINT", basic));
    for name in [
        "AUTH_MACHINE_GRPC_ADDR",
        "AUTH_SERVICE_GRPC_ADDR",
        "AUTH_APP_GRPC_ADDR",
        "AUTH_APP_HTTP_ADDR",
        "AUTH_BEARER_GRPC_ADDR",
        "AUTH_BEARER_HTTP_ADDR",
        "ACCOUNT_HTTP_ADDR",
        "GATEWAY_DEBUG_ADDR",
        "USERS_DEBUG_ADDR",
        "AUTH_BASIC_DEBUG_ADDR",
        "AUTH_MACHINE_DEBUG_ADDR",
        "AUTH_SERVICE_DEBUG_ADDR",
        "AUTH_APP_DEBUG_ADDR",
        "AUTH_BEARER_DEBUG_ADDR",
        "ACCOUNT_DEBUG_ADDR",
        "IDP_GRPC_ADDR",
        "IDP_HTTP_ADDR",
        "IDP_DEBUG_ADDR",
        "PROXY_DEBUG_ADDR",
    ] {
        environment.push((name, free_address().to_string()));
    }
    environment
}
