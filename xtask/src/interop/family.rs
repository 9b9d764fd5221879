//! The services, each in a process of its own.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Session;
use super::certificates::{Certificates, secret};
use super::processes::{self, Running, write};
use super::report::Scenarios;
use crate::tools::{self, Outcome};

/// The user of the scenarios, in the group [`GROUP`].
pub(super) const USER: &str = "einstein";
/// The password of [`USER`].
pub(super) const PASSWORD: &str = "interop-passw0rd-Zq81";
/// The mail address of [`USER`].
pub(super) const MAIL: &str = "einstein@example.org";
/// The name of the group.
const GROUP: &str = "physicists";

/// The services, and for each the services that call it, with the name of the setting that has its address.
const SERVICES: [(&str, &[&str]); 10] = [
    ("users", &["AUTH_BASIC", "AUTH_MACHINE", "AUTH_APP", "AUTH_BEARER", "IDP", "ACCOUNT", "GATEWAY"]),
    ("auth-basic", &["GATEWAY", "IDP", "ACCOUNT"]),
    ("auth-app", &["GATEWAY", "ACCOUNT"]),
    ("auth-bearer", &["GATEWAY"]),
    ("auth-machine", &["GATEWAY"]),
    ("auth-service", &["GATEWAY", "ACCOUNT"]),
    ("idp", &["ACCOUNT", "AUTH_BEARER", "PROXY"]),
    ("account", &[]),
    ("gateway", &["PROXY"]),
    ("proxy", &[]),
];

/// A family that runs.
pub(super) struct Family<'a> {
    session: &'a Session<'a>,
    settings: BTreeMap<String, String>,
    debug: Vec<(&'static str, SocketAddr)>,
    running: Vec<Running<'a>>,
    folder: PathBuf,
    logs: PathBuf,
    /// Certificates of this machine.
    pub(super) certificates: Certificates,
    /// Where the edge listens.
    pub(super) edge: SocketAddr,
    /// The URL of the edge, which is the issuer too.
    pub(super) url: String,
}

impl<'a> Family<'a> {
    /// Chooses addresses and makes secrets; nothing is started yet.
    pub(super) fn prepare(session: &'a Session<'a>, name: &str, scenarios: &Scenarios<'_>) -> Outcome<Self> {
        let folder = session.processes.folder(name)?;
        let logs = scenarios.logs.join(name);
        fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
        let certificates = Certificates::make(&folder)?;
        let edge = session.processes.address()?;
        let mut family = Self {
            session,
            settings: BTreeMap::new(),
            debug: Vec::new(),
            running: Vec::new(),
            url: format!("https://localhost:{}", edge.port()),
            edge,
            certificates,
            folder,
            logs,
        };
        family.set("PROXY_HTTP_ADDR", edge);
        family.set_secrets()?;
        family.set_addresses()?;
        Ok(family)
    }

    /// As [`Self::prepare`], with nothing to add.
    pub(super) fn start(session: &'a Session<'a>, name: &str, scenarios: &Scenarios<'_>) -> Outcome<Self> {
        let mut family = Self::prepare(session, name, scenarios)?;
        family.run()?;
        Ok(family)
    }

    /// Sets a variable of the environment.
    pub(super) fn set(&mut self, name: &str, value: impl Display) {
        self.settings.insert(name.to_owned(), value.to_string());
    }

    /// Lets the edge have another name, and no certificate: it has to obtain one.
    pub(super) fn without_certificate(&mut self, host: &str) {
        for name in ["PROXY_TRANSPORT_TLS_CERT", "PROXY_TRANSPORT_TLS_KEY"] {
            self.settings.remove(name);
        }
        self.set_url(format!("https://{host}:{}", self.edge.port()));
    }

    fn set_url(&mut self, url: String) {
        for name in ["OCIS_URL", "OCIS_OIDC_ISSUER", "AUTH_BEARER_OIDC_OWN_ISSUERS"] {
            self.set(name, &url);
        }
        self.url = url;
    }

    fn set_secrets(&mut self) -> Outcome {
        for name in [
            "OCIS_JWT_SECRET",
            "OCIS_MACHINE_AUTH_API_KEY",
            "OCIS_SERVICE_ACCOUNT_SECRET",
            "AUTH_APP_TOKEN_KEY",
            "IDP_ENCRYPTION_SECRET",
            "PROXY_SESSION_SECRET",
        ] {
            let file = self.folder.join(name);
            secret(&file)?;
            self.set(&format!("{name}_FILE"), file.display());
        }
        Ok(())
    }

    fn set_addresses(&mut self) -> Outcome {
        for (service, callers) in SERVICES {
            let prefix = prefix(service);
            let debug = self.session.processes.address()?;
            self.set(&format!("{prefix}_DEBUG_ADDR"), debug);
            self.debug.push((service, debug));
            if ["auth-app", "auth-bearer", "idp", "account"].contains(&service) {
                let address = self.session.processes.address()?;
                self.set(&format!("{prefix}_HTTP_ADDR"), address);
                self.set(&format!("PROXY_{prefix}_BACKEND"), format!("http://{address}"));
            }
            if ["account", "proxy"].contains(&service) {
                continue;
            }
            let address = self.session.processes.address()?;
            self.set(&format!("{prefix}_GRPC_ADDR"), address);
            for caller in callers {
                self.set(&format!("{caller}_{prefix}_ENDPOINT"), address);
            }
            if service == "gateway" {
                self.set("OCIS_REVA_GATEWAY", address);
            }
        }
        self.set_url(self.url.clone());
        let data = self.folder.join("data");
        self.set("OCIS_BASE_DATA_PATH", data.display());
        let configuration = self.session.processes.folder("configuration")?;
        self.set("OCIS_CONFIG_DIR", configuration.display());
        self.set("OCIS_LOG_LEVEL", "info");
        self.set("OCIS_SERVICE_ACCOUNT_ID", "jobs");
        self.set("PROXY_TRANSPORT_TLS_CERT", self.certificates.path("server.pem"));
        self.set("PROXY_TRANSPORT_TLS_KEY", self.certificates.path("server.key"));
        // what services call by HTTPS has a certificate of the run's authority
        self.set("SSL_CERT_FILE", self.certificates.path("ca.pem"));
        Ok(())
    }

    /// Starts the services, waits until all are ready, and adds the user and the group.
    pub(super) fn run(&mut self) -> Outcome {
        for (service, _) in SERVICES {
            let running = self.serve(service)?;
            self.running.push(running);
        }
        for ((service, address), running) in self.debug.iter().zip(&mut self.running) {
            let is_ready = || processes::get(*address, "/readyz").is_ok_and(|(status, _)| status == 200);
            running.wait_for(&format!("{service} is ready"), 120, is_ready)?;
        }
        self.doorward(&["group", "add", GROUP], "")?;
        let user = ["user", "add", USER, "--mail", MAIL, "--group", GROUP, "--password-stdin"];
        self.doorward(&user, PASSWORD).map(drop)
    }

    /// Starts a service, which need not be ready yet.
    fn serve(&self, service: &str) -> Outcome<Running<'a>> {
        let log = self.logs.join(format!("{service}.log"));
        self.session.processes.start(self.command(service).arg("server"), &log)
    }

    /// Stops a service and starts it again.
    pub(super) fn restart(&mut self, service: &str) -> Outcome {
        let known = self.debug.iter().copied().zip(0..).find(|((name, _), _)| *name == service);
        let ((_, address), index) = known.ok_or_else(|| format!("there is no service {service}"))?;
        // its ports are free once the former one has ended
        drop(self.running.remove(index));
        let mut running = self.serve(service)?;
        let is_ready = || processes::get(address, "/readyz").is_ok_and(|(status, _)| status == 200);
        running.wait_for(&format!("{service} is ready"), 120, is_ready)?;
        self.running.insert(index, running);
        Ok(())
    }

    /// Runs a command of `doorward` with the environment of the services; what it prints.
    pub(super) fn doorward(&self, arguments: &[&str], input: &str) -> Outcome<String> {
        self.doorward_with(&[], arguments, input)
    }

    /// The same with other values of some variables.
    pub(super) fn doorward_with(&self, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Outcome<String> {
        let mut command = self.command("doorward");
        command.envs(variables.iter().copied());
        let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("doorward: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // a command that reads nothing may have closed it
            let _ = writeln!(stdin, "{input}");
        }
        let output = child.wait_with_output().map_err(|error| format!("doorward: {error}"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("doorward {}: {complaint}", arguments.join(" ")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A new app token of the user.
    pub(super) fn app_token(&self) -> Outcome<String> {
        self.doorward(&["auth-app", "create", "--user-name", USER, "--quiet"], "")
    }

    /// The identifier of the group, which claims and `TokenReview` have.
    pub(super) fn group_id(&self) -> Outcome<String> {
        let list = self.doorward(&["group", "list"], "")?;
        let line = list.lines().find(|line| line.contains(GROUP)).ok_or_else(|| format!("no group {GROUP}: {list}"))?;
        let id = line.split_whitespace().find(|word| word.len() == 36 && word.matches('-').count() == 4);
        id.map(str::to_owned).ok_or_else(|| format!("no identifier of {GROUP}: {line}"))
    }

    /// What `curl` gets from a path at the edge: the status, and the body.
    pub(super) fn request(&self, path: &str, arguments: &[&str]) -> Outcome<(u16, String)> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--write-out", "\n%{http_code}"]);
        curl.args(["--cacert", &self.certificates.path("ca.pem")]).args(arguments).arg(format!("{}{path}", self.url));
        let said = tools::output(&mut curl)?;
        let (body, status) = said.rsplit_once('\n').unwrap_or_default();
        Ok((status.parse().map_err(|_| format!("{path}: {said}"))?, body.to_owned()))
    }

    /// The client of the scenarios as a command, which reads the issuer and the user from its environment.
    pub(super) fn client(&self, client: &Path, command: &str) -> Command {
        let mut call = Command::new(client);
        call.arg(command).env("ISSUER", &self.url).env("USERNAME", USER).env("PASSWORD", PASSWORD);
        call.env("SSL_CERT_FILE", self.certificates.path("ca.pem"));
        call
    }

    /// The addresses of the debug servers.
    pub(super) fn debug_servers(&self) -> &[(&'static str, SocketAddr)] {
        &self.debug
    }

    /// The path of a file in the data folder of the services.
    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name)
    }

    /// The path of a file of the family.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file of the family.
    pub(super) fn file(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.path(name);
        write(&path, text)?;
        Ok(path)
    }

    fn command(&self, binary: &str) -> Command {
        let mut command = Command::new(self.session.binaries.join(binary));
        command.env_clear().envs(&self.settings);
        command
    }
}

fn prefix(service: &str) -> String {
    service.replace('-', "_").to_uppercase()
}
