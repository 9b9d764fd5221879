//! The issuer's process, and the service that accepts its tokens.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use auth_bearer::transport::transport;
use auth_bearer::{AuthProviders, Bearer, Config, Oidc};
use authn::testing::{MemoryDirectory, refusal_reason, user};
use authn::{AuthError, Authenticated, Authenticator, Credentials, Reason};
use config::Environment;
use runtime::{Clock, Context};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::report_missing;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance/peer");

/// The process of the issuer; dropping this ends it.
pub(crate) struct Issuer {
    address: String,
    _process: Child,
}

impl Issuer {
    /// Starts it; it notifies this address of sign-outs. `None` if it is not installed and `DOORWARD_TEST_REDUCED=1` says that
    /// this is known.
    async fn start(logout: &str) -> Option<Self> {
        if !std::path::Path::new(PEER).join("node_modules/oidc-provider").exists() {
            report_missing("oidc-provider", "npm ci --prefix tests/conformance/peer (cargo xtask test does it)");
            return None;
        }
        let mut process = Command::new("node")
            .args(["issuer.mjs", logout])
            .current_dir(PEER)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is not installed; install nodejs and npm");
        let mut lines = BufReader::new(process.stdout.take().expect("is piped")).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.expect("is text") {
                if let Some(address) = line.strip_prefix("http://") {
                    return address.to_owned();
                }
            }
            panic!("the issuer has ended; its output is above");
        };
        let address = tokio::time::timeout(Duration::from_mins(1), ready).await.expect("the issuer starts");
        Some(Self { address, _process: process })
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An access token of the client `web`.
    pub(crate) async fn mint(&self, format: &str, account: &str, session: Option<&str>) -> String {
        let message = json!({"format": format, "account": account, "client": "web", "session": session});
        self.ask("mint", message).await
    }

    /// Calls its control interface; returns the body of the response.
    pub(crate) async fn ask(&self, what: &str, message: Value) -> String {
        let body = message.to_string();
        let request = format!(
            "POST /control/{what} HTTP/1.0\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).await.expect("the issuer listens");
        stream.write_all(request.as_bytes()).await.expect("asks");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.contains(" 200 "), "{what}: {answer}");
        body.to_owned()
    }
}

/// The service, from this moment on at a time of its own.
pub(crate) struct Service {
    pub(crate) clock: Clock,
    bearer: Arc<Bearer>,
    _folder: TempDir,
}

/// The service and its issuer, which notifies it of sign-outs; `None` as [`Issuer::start`].
pub(crate) async fn service(change: impl FnOnce(&mut Oidc)) -> Option<(Service, Issuer)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
    let address = listener.local_addr().expect("has an address");
    let issuer = Issuer::start(&format!("http://{address}{}", auth_bearer::logout::PATH)).await?;
    let mut oidc = Oidc { issuer: issuer.name(), ..Oidc::default() };
    change(&mut oidc);
    let config = Config { auth_providers: AuthProviders { oidc, ..AuthProviders::default() }, ..Config::default() };
    // the issuer's clock is that of the system
    let clock = Clock::manual(Clock::system().now());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let environment = Environment::from([("OCIS_BASE_DATA_PATH", folder.path().display().to_string())]);
    let context = Context { clock: clock.clone(), ..Context::new(environment) };
    let logouts = auth_bearer::logouts(&config, &context).await.expect("is opened");
    let users = transport(tonic::service::Routes::default());
    let directory = MemoryDirectory::new([user("einstein")]);
    let bearer = auth_bearer::open(&config, directory, users, (logouts, None), &context).expect("is opened");
    let app = auth_bearer::logout::router(bearer.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
    Some((Service { clock, bearer, _folder: folder }, issuer))
}

impl Service {
    pub(crate) async fn authenticate(&self, token: &str) -> Result<Authenticated, AuthError> {
        self.bearer.authenticate(&Credentials::new("", token.to_owned())).await
    }

    pub(crate) async fn refusal(&self, token: &str) -> Reason {
        refusal_reason(self.authenticate(token).await)
    }
}
