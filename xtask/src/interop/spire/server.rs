//! Servers of trust domains, and an agent on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interop::Session;
use crate::interop::family::Family;
use crate::interop::processes::{Running, wait_until, write};
use crate::interop::report::Scenarios;
use crate::tools::{self, Outcome};

/// The path of the agent, under which workloads are registered.
const HOST: &str = "/host";

/// A server that runs.
pub(super) struct Server<'a> {
    binary: PathBuf,
    domain: &'static str,
    socket: PathBuf,
    port: u16,
    endpoint: u16,
    _running: Running<'a>,
}

impl<'a> Server<'a> {
    /// Starts the server of a trust domain, with a bundle endpoint.
    pub(super) fn start(
        session: &'a Session<'a>,
        scenarios: &Scenarios<'_>,
        binary: &Path,
        domain: &'static str,
        family: &Family<'_>,
    ) -> Outcome<Self> {
        let folder = session.processes.folder(domain)?;
        let [port, endpoint] = [session.processes.address()?.port(), session.processes.address()?.port()];
        let socket = folder.join("api.sock");
        let [certificate, key] = ["server.pem", "server.key"].map(|name| family.certificates.path(name));
        let text = format!(
            r#"server {{
    bind_address = "127.0.0.1"
    bind_port = {port}
    socket_path = "{}"
    trust_domain = "{domain}"
    data_dir = "{}"
    log_level = "INFO"
    ca_ttl = "1h"
    default_jwt_svid_ttl = "5m"
    default_x509_svid_ttl = "10m"
    federation {{
        bundle_endpoint {{
            address = "127.0.0.1"
            port = {endpoint}
            refresh_hint = "10s"
            profile "https_web" {{
                serving_cert_file {{
                    cert_file_path = "{certificate}"
                    key_file_path = "{key}"
                    file_sync_interval = "1h"
                }}
            }}
        }}
    }}
}}
plugins {{
    DataStore "sql" {{
        plugin_data {{
            database_type = "sqlite3"
            connection_string = "{}"
        }}
    }}
    NodeAttestor "join_token" {{
        plugin_data {{}}
    }}
    KeyManager "memory" {{
        plugin_data {{}}
    }}
}}
"#,
            socket.display(),
            folder.display(),
            folder.join("datastore.sqlite3").display()
        );
        let file = folder.join("server.conf");
        write(&file, &text)?;
        let mut command = Command::new(binary);
        command.args(["run", "-config"]).arg(&file);
        let mut running = session.processes.start(&mut command, &scenarios.log(&format!("spire-server-{domain}")))?;
        let is_alive = || tools::output(Command::new(binary).args(["healthcheck", "-socketPath"]).arg(&socket)).is_ok();
        running.wait_for("the SPIRE server is ready", 120, is_alive)?;
        Ok(Self { binary: binary.to_owned(), domain, socket, port, endpoint, _running: running })
    }

    /// The URL of its bundle endpoint.
    pub(super) fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.endpoint)
    }

    /// Its trust bundle, in this format.
    pub(super) fn bundle(&self, format: &str) -> Outcome<String> {
        self.call(&["bundle", "show", "-format", format])
    }

    /// Lets processes of this user be the workload of this path.
    pub(super) fn register(&self, path: &str) -> Outcome {
        let user = tools::output(Command::new("id").arg("-u"))?;
        let (selector, parent, id) = (format!("unix:uid:{}", user.trim()), self.id(HOST), self.id(path));
        self.call(&["entry", "create", "-parentID", &parent, "-spiffeID", &id, "-selector", &selector]).map(drop)
    }

    /// A JWT-SVID that the server signs itself.
    pub(super) fn svid(&self, path: &str, audience: &str, lifetime: &str) -> Outcome<String> {
        let id = self.id(path);
        token(&self.call(&["jwt", "mint", "-spiffeID", &id, "-audience", audience, "-ttl", lifetime])?)
    }

    /// A token by which an agent joins once.
    fn join_token(&self) -> Outcome<String> {
        member(&self.call(&["token", "generate", "-spiffeID", &self.id(HOST)])?, "Token: ")
    }

    /// The key that signs JWT-SVIDs.
    pub(super) fn active_key(&self) -> Outcome<String> {
        let said = self.call(&["localauthority", "jwt", "show"])?;
        let active = said.split_once("Active").map_or(said.as_str(), |(_, active)| active);
        member(active, "Authority ID: ")
    }

    /// Adds a key to the bundle, which does not sign yet.
    pub(super) fn prepare(&self) -> Outcome<String> {
        member(&self.call(&["localauthority", "jwt", "prepare"])?, "Authority ID: ")
    }

    /// Signs with a prepared key from now on.
    pub(super) fn activate(&self, key: &str) -> Outcome {
        self.call(&["localauthority", "jwt", "activate", "-authorityID", key]).map(drop)
    }

    /// Removes a former key from the bundle.
    pub(super) fn revoke(&self, key: &str) -> Outcome {
        self.call(&["localauthority", "jwt", "taint", "-authorityID", key])?;
        self.call(&["localauthority", "jwt", "revoke", "-authorityID", key]).map(drop)
    }

    /// Signs X.509-SVIDs by a new authority from now on. The former one stays in the bundle.
    pub(super) fn replace_certificate_authority(&self) -> Outcome {
        let next = member(&self.call(&["localauthority", "x509", "prepare"])?, "Authority ID: ")?;
        self.call(&["localauthority", "x509", "activate", "-authorityID", &next]).map(drop)
    }

    /// Writes an X.509-SVID that the server signs itself; the files of the certificate and of its key.
    pub(super) fn x509_svid(&self, session: &Session<'_>, path: &str) -> Outcome<[PathBuf; 2]> {
        let folder = session.processes.folder("minted")?;
        let target = folder.display().to_string();
        self.call(&["x509", "mint", "-spiffeID", &self.id(path), "-ttl", "5m", "-write", &target])?;
        Ok(["svid.pem", "key.pem"].map(|name| folder.join(name)))
    }

    fn id(&self, path: &str) -> String {
        format!("spiffe://{}{path}", self.domain)
    }

    fn call(&self, arguments: &[&str]) -> Outcome<String> {
        tools::output(Command::new(&self.binary).args(arguments).arg("-socketPath").arg(&self.socket))
    }
}

/// The value of a line that begins like this.
fn member(said: &str, name: &str) -> Outcome<String> {
    let value = said.lines().find_map(|line| line.trim().strip_prefix(name));
    value.map(|value| value.trim().to_owned()).ok_or_else(|| format!("no {name:?} in {said:?}"))
}

/// The first JWT in what a command prints.
fn token(said: &str) -> Outcome<String> {
    let mut words = said.split(|sign: char| sign.is_whitespace() || sign == '"');
    let jwt = words.find(|word| word.starts_with("eyJ") && word.matches('.').count() == 2);
    jwt.map(str::to_owned).ok_or_else(|| format!("no token in {said:?}"))
}

/// An agent that runs.
pub(super) struct Agent<'a> {
    session: &'a Session<'a>,
    binary: PathBuf,
    configuration: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    running: Option<Running<'a>>,
}

impl<'a> Agent<'a> {
    /// Starts an agent of this server.
    pub(super) fn start(
        session: &'a Session<'a>,
        scenarios: &Scenarios<'_>,
        binary: &Path,
        server: &Server<'_>,
    ) -> Outcome<Self> {
        let folder = session.processes.folder("agent")?;
        let (socket, bundle) = (folder.join("api.sock"), folder.join("bootstrap.pem"));
        write(&bundle, &server.bundle("pem")?)?;
        let text = format!(
            r#"agent {{
    data_dir = "{}"
    log_level = "INFO"
    server_address = "127.0.0.1"
    server_port = {}
    socket_path = "{}"
    trust_bundle_path = "{}"
    trust_domain = "{}"
}}
plugins {{
    NodeAttestor "join_token" {{
        plugin_data {{}}
    }}
    KeyManager "memory" {{
        plugin_data {{}}
    }}
    WorkloadAttestor "unix" {{
        plugin_data {{}}
    }}
}}
"#,
            folder.display(),
            server.port,
            socket.display(),
            bundle.display(),
            server.domain
        );
        let configuration = folder.join("agent.conf");
        write(&configuration, &text)?;
        let log = scenarios.log("spire-agent");
        let mut agent = Self { session, binary: binary.to_owned(), configuration, socket, log, running: None };
        agent.restart(server)?;
        Ok(agent)
    }

    /// Starts it again, with the present bundle of the server.
    pub(super) fn restart(&mut self, server: &Server<'_>) -> Outcome {
        self.stop();
        let joining = server.join_token()?;
        let mut command = Command::new(&self.binary);
        command.args(["run", "-joinToken", &joining, "-config"]).arg(&self.configuration);
        let mut running = self.session.processes.start(&mut command, &self.log)?;
        let (binary, socket) = (&self.binary, &self.socket);
        let is_alive = || tools::output(Command::new(binary).args(["healthcheck", "-socketPath"]).arg(socket)).is_ok();
        running.wait_for("the SPIRE agent is ready", 120, is_alive)?;
        self.running = Some(running);
        Ok(())
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        self.running = None;
    }

    /// Writes the X.509-SVID for a process of this user; the files of the certificate and of its key.
    pub(super) fn x509_svid(&self) -> Outcome<[PathBuf; 2]> {
        let folder = self.session.processes.folder("svid")?;
        let mut command = Command::new(&self.binary);
        command.args(["api", "fetch", "x509", "-write"]).arg(&folder).arg("-socketPath").arg(&self.socket);
        tools::output(&mut command)?;
        Ok(["svid.0.pem", "svid.0.key"].map(|name| folder.join(name)))
    }

    /// The socket of the Workload API.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// A JWT-SVID for a process of this user, once the agent has its registration.
    pub(super) fn svid(&self, audience: &str) -> Outcome<String> {
        let mut fetched = Err("not asked".to_owned());
        let is_issued = || {
            let mut command = Command::new(&self.binary);
            command.args(["api", "fetch", "jwt", "-audience", audience, "-socketPath"]).arg(&self.socket);
            fetched = tools::output(&mut command).and_then(|said| token(&said));
            Ok(fetched.is_ok())
        };
        wait_until("an identity of the agent", 60, is_issued)?;
        fetched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_tokens_are_read() {
        let said = "Active JWT authority:\n  Authority ID: abc\n  Expires at: 2030-01-01 00:00:00 +0000 UTC\n";
        assert_eq!(member(said, "Authority ID: "), Ok("abc".to_owned()));
        assert!(member(said, "Token: ").is_err());
        let said = "token(spiffe://example.org/indexer):\n\teyJh.eyJz.c2ln\nbundle(spiffe://example.org):\n\t{}\n";
        assert_eq!(token(said), Ok("eyJh.eyJz.c2ln".to_owned()));
        assert_eq!(token("{\"svid\":\"eyJh.eyJz.c2ln\"}"), Ok("eyJh.eyJz.c2ln".to_owned()));
        assert!(token("eyJh").is_err());
    }
}
