//! The API server, etcd, and a family that they ask.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::workloads;
use crate::interop::Session;
use crate::interop::certificates::secret;
use crate::interop::family::Family;
use crate::interop::openid::add_public_client;
use crate::interop::processes::{Running, get, wait_until};
use crate::interop::report::Scenarios;
use crate::tools::{self, Outcome};

/// The audience of the API server.
pub(super) const AUDIENCE: &str = "https://kubernetes.default.svc";
/// The client whose ID tokens the API server accepts.
pub(super) const CLIENT_ID: &str = "kubectl";
/// The audience of tokens of service accounts for our gateway.
pub(super) const WORKLOAD_AUDIENCE: &str = "doorward";
/// What the names of users and groups begin with that come from ID tokens.
pub(super) const PREFIX: &str = "oidc:";

/// An API server that runs.
pub(super) struct Cluster<'a> {
    kubectl: PathBuf,
    /// Its URL.
    pub(super) url: String,
    authority: String,
    administrator: [String; 2],
    configuration: PathBuf,
    cache: PathBuf,
    session: &'a Session<'a>,
    api_server: ApiServer,
    /// Ends before its database does.
    running: Option<Running<'a>>,
    _database: Running<'a>,
}

/// How the API server is started.
struct ApiServer {
    binary: PathBuf,
    address: SocketAddr,
    database: SocketAddr,
    webhook: PathBuf,
    certificates: PathBuf,
    log: PathBuf,
}

impl<'a> Cluster<'a> {
    /// Starts etcd, the family and the API server.
    pub(super) fn start(
        session: &'a Session<'a>,
        scenarios: &Scenarios<'_>,
        (etcd, binary, kubectl): (&Path, PathBuf, PathBuf),
    ) -> Outcome<(Family<'a>, Self)> {
        let database = session.processes.address()?;
        let running_database = start_etcd(session, scenarios, etcd, database)?;
        let mut family = Family::prepare(session, "kubernetes", scenarios)?;
        let webhook = token_review(&mut family)?;
        let address = session.processes.address()?;
        let url = format!("https://localhost:{}", address.port());
        trust(&mut family, &url)?;
        workloads::allow(&mut family, &url)?;
        family.run()?;
        add_public_client(&family, CLIENT_ID)?;
        add_public_client(&family, "another-client")?;
        family.certificates.sign("administrator", "/O=system:masters/CN=administrator", None)?;
        family.certificates.sign("accounts", "/CN=accounts", None)?;
        let certificates = session.processes.folder("apiserver")?;
        let log = scenarios.log("kube-apiserver");
        let path = |name| family.certificates.path(name);
        let mut cluster = Self {
            kubectl,
            url,
            authority: path("ca.pem"),
            administrator: [path("administrator.pem"), path("administrator.key")],
            configuration: session.processes.scratch.join("no-kubeconfig"),
            cache: session.processes.folder("kubectl")?,
            session,
            api_server: ApiServer { binary, address, database, webhook, certificates, log },
            running: None,
            _database: running_database,
        };
        cluster.restart(&family, &["accounts"])?;
        Ok((family, cluster))
    }

    /// Starts the API server, which ends before if it runs. It accepts tokens of service accounts by these keys of the family's
    /// certificates, and signs with the last one.
    pub(super) fn restart(&mut self, family: &Family<'_>, keys: &[&str]) -> Outcome {
        self.stop();
        let ApiServer { address, log, .. } = &self.api_server;
        let mut command = server(&self.api_server, family, keys);
        command.arg(format!("--service-account-issuer={}", self.url));
        command.arg(format!("--service-account-jwks-uri={}/openid/v1/jwks", self.url));
        let mut running = self.session.processes.start(&mut command, log)?;
        running.wait_for("the API server listens", 300, || TcpStream::connect(address).is_ok())?;
        self.running = Some(running);
        let is_ready = || Ok(self.admin(&["get", "--raw", "/readyz"], "").is_ok_and(|said| said == "ok"));
        wait_until("the API server is ready", 120, is_ready)
    }

    /// Ends the API server.
    pub(super) fn stop(&mut self) {
        self.running = None;
    }

    /// What kubectl prints, as an administrator of the cluster; with its warnings as errors.
    pub(super) fn admin(&self, arguments: &[&str], input: &str) -> Outcome<String> {
        let [certificate, key] = &self.administrator;
        let who = [format!("--client-certificate={certificate}"), format!("--client-key={key}")];
        self.call(&[&who[0], &who[1]], arguments, input)
    }

    /// What kubectl prints, with a token.
    pub(super) fn with_token(&self, token: &str, arguments: &[&str]) -> Outcome<String> {
        self.call(&[&format!("--token={token}")], arguments, "")
    }

    /// What `kubectl kustomize` prints, which needs no server.
    pub(super) fn kustomize(&self, folder: &Path) -> Outcome<String> {
        tools::output(Command::new(&self.kubectl).arg("kustomize").arg(folder))
    }

    fn call(&self, who: &[&str], arguments: &[&str], input: &str) -> Outcome<String> {
        let mut command = Command::new(&self.kubectl);
        command.args(["--server", &self.url, "--certificate-authority", &self.authority]).args(who).args(arguments);
        command.env("KUBECONFIG", &self.configuration).env("KUBECACHEDIR", &self.cache);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("kubectl: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // a command that reads nothing may have closed it
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| format!("kubectl: {error}"))?;
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() || complaint.contains("Warning:") {
            return Err(complaint);
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Starts an etcd with one member.
pub(in crate::interop) fn start_etcd<'a>(
    session: &'a Session<'a>,
    scenarios: &Scenarios<'_>,
    etcd: &Path,
    address: SocketAddr,
) -> Outcome<Running<'a>> {
    let peers = format!("http://{}", session.processes.address()?);
    let clients = format!("http://{address}");
    let mut command = Command::new(etcd);
    command.arg("--data-dir").arg(session.processes.folder(&format!("etcd-{}", address.port()))?);
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("default={peers}")]);
    let mut running = session.processes.start(&mut command, &scenarios.log("etcd"))?;
    running.wait_for("etcd is ready", 60, || get(address, "/health").is_ok_and(|(_, said)| said.contains("true")))?;
    Ok(running)
}

/// Lets the edge answer the API server, and writes the file by which it finds it, as docs/kubernetes-tokenreview.md shows.
fn token_review(family: &mut Family<'_>) -> Outcome<PathBuf> {
    let file = family.file("token-review", "")?;
    secret(&file)?;
    family.set("PROXY_TOKEN_REVIEW_SECRET_FILE", file.display());
    family.set("PROXY_TOKEN_REVIEW_AUDIENCES", AUDIENCE);
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n  - name: doorward\n    cluster:\n      server: {}/tokenreview\n      \
         certificate-authority: {}\nusers:\n  - name: api-server\n    user:\n      tokenFile: {}\ncontexts:\n  - name: webhook\n    \
         context: {{ cluster: doorward, user: api-server }}\ncurrent-context: webhook\n",
        family.url,
        family.certificates.path("ca.pem"),
        file.display()
    );
    family.file("webhook.yaml", &text)
}

/// Lets tokens of the cluster's service accounts be the users of the same names.
fn trust(family: &mut Family<'_>, issuer: &str) -> Outcome {
    let claim = r"kubernetes\.io.serviceaccount.name";
    let text = format!(
        "issuers:\n  - issuer: {issuer}\n    audience: [{WORKLOAD_AUDIENCE}]\n    \
         people: !directory {{claim: '{claim}', by: username}}\n"
    );
    let file = family.file("issuers.yaml", &text)?;
    family.set("AUTH_BEARER_OIDC_ISSUERS_FILE", file.display());
    Ok(())
}

fn server(api_server: &ApiServer, family: &Family<'_>, keys: &[&str]) -> Command {
    let ApiServer { binary, address, database, webhook, certificates, .. } = api_server;
    let path = |name: &str| family.certificates.path(name);
    let mut command = Command::new(binary);
    command.args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"]);
    command.args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.99.0.0/24"]);
    // there is no controller that makes the accounts of namespaces
    command.arg("--disable-admission-plugins=ServiceAccount");
    command.arg(format!("--secure-port={}", address.port())).arg(format!("--etcd-servers=http://{database}"));
    command.arg(format!("--cert-dir={}", certificates.display()));
    command.arg(format!("--tls-cert-file={}", path("server.pem")));
    command.arg(format!("--tls-private-key-file={}", path("server.key")));
    command.arg(format!("--client-ca-file={}", path("ca.pem"))).arg(format!("--api-audiences={AUDIENCE}"));
    for key in keys {
        command.arg(format!("--service-account-key-file={}", path(&format!("{key}.pem"))));
    }
    let signing = keys.last().map(|key| path(&format!("{key}.key"))).unwrap_or_default();
    command.arg(format!("--service-account-signing-key-file={signing}"));
    command.arg(format!("--authentication-token-webhook-config-file={}", webhook.display()));
    command.args(["--authentication-token-webhook-version=v1", "--authentication-token-webhook-cache-ttl=1s"]);
    command.arg(format!("--oidc-issuer-url={}", family.url)).arg(format!("--oidc-client-id={CLIENT_ID}"));
    command.arg(format!("--oidc-ca-file={}", path("ca.pem"))).arg("--oidc-username-claim=preferred_username");
    command.arg(format!("--oidc-username-prefix={PREFIX}")).arg("--oidc-groups-claim=groups");
    command.arg(format!("--oidc-groups-prefix={PREFIX}"));
    command
}
