//! The proxies that call Doorward, each with the configuration of its page.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::{Server, report_missing};

use crate::front_proxies::lists;
use crate::front_proxies::page::Page;

/// Where `cargo xtask test` installs those that Debian does not have.
const ENVIRONMENT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../doors");

/// A proxy, and its way to call Doorward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    Nginx,
    /// nginx that passes on every header but those of a file.
    NginxInclude,
    Caddy,
    Traefik,
    HaProxy,
    EnvoyGrpc,
    EnvoyHttp,
}

/// The addresses of the servers.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The edge's HTTP listener.
    pub(crate) edge: SocketAddr,
    /// The edge's gRPC listener.
    pub(crate) edge_grpc: SocketAddr,
    /// The application.
    pub(crate) backend: SocketAddr,
    /// The proxy.
    pub(crate) front: SocketAddr,
}

impl Front {
    pub(crate) const ALL: [Self; 7] =
        [Self::Nginx, Self::NginxInclude, Self::Caddy, Self::Traefik, Self::HaProxy, Self::EnvoyGrpc, Self::EnvoyHttp];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxInclude => "nginx, file",
            Self::Caddy => "Caddy",
            Self::Traefik => "Traefik",
            Self::HaProxy => "HAProxy",
            Self::EnvoyGrpc => "Envoy, gRPC",
            Self::EnvoyHttp => "Envoy, HTTP",
        }
    }

    /// Its page.
    pub(crate) fn page(self) -> Page {
        Page::read(match self {
            Self::Nginx | Self::NginxInclude => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::HaProxy => "haproxy",
            Self::EnvoyGrpc | Self::EnvoyHttp => "envoy",
        })
    }

    /// Where it is, or should be.
    pub(crate) fn program(self) -> PathBuf {
        match self {
            Self::Nginx | Self::NginxInclude => in_path("nginx"),
            Self::HaProxy => in_path("haproxy"),
            Self::Caddy => Path::new(ENVIRONMENT).join("programs/caddy"),
            Self::Traefik => Path::new(ENVIRONMENT).join("programs/traefik"),
            Self::EnvoyGrpc | Self::EnvoyHttp => Path::new(ENVIRONMENT).join("programs/envoy"),
        }
    }

    /// Which version it is.
    pub(crate) fn version(self) -> String {
        let argument = match self {
            Self::Nginx | Self::NginxInclude | Self::HaProxy => "-v",
            Self::Caddy | Self::Traefik => "version",
            Self::EnvoyGrpc | Self::EnvoyHttp => "--version",
        };
        let output =
            Command::new(self.program()).arg(argument).output().expect("a proxy that is there tells its version");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // the first word or part of one that begins with a digit and has a dot
        let mut parts = said.split(|c: char| c.is_whitespace() || c == '/' || c == 'v');
        let version = parts.find(|part| part.starts_with(|c: char| c.is_ascii_digit()) && part.contains('.'));
        version.unwrap_or_else(|| panic!("{} tells no version: {said}", self.name())).to_owned()
    }

    /// Starts it with its page's configuration, in a folder of its own.
    pub(crate) fn start(self, places: &Places, folder: &Path) -> Server {
        let mut command = Command::new(self.program());
        match self {
            Self::Nginx | Self::NginxInclude => nginx(self, places, folder, &mut command),
            Self::Caddy => caddy(places, folder, &mut command),
            Self::Traefik => traefik(places, folder, &mut command),
            Self::HaProxy => haproxy(places, folder, &mut command),
            Self::EnvoyGrpc | Self::EnvoyHttp => envoy(self, places, folder, &mut command),
        }
        let log = fs::File::create(folder.join("log")).expect("a log can be written");
        let errors = log.try_clone().expect("a file can be shared");
        command.current_dir(folder).env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
        Server::run(self.name(), command.stdout(log).stderr(errors).stdin(Stdio::null()))
    }
}

/// Where one of the distribution's programs is, or should be.
pub(crate) fn in_path(name: &str) -> PathBuf {
    let folders = ["/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| Path::new("/usr/sbin").join(name))
}

/// Whether all programs are there. If one is not, that is a failure, unless `DOORWARD_TEST_REDUCED=1` says that it is known.
pub(crate) fn are_there(programs: &[PathBuf]) -> bool {
    let Some(missing) = programs.iter().find(|program| !program.exists()) else { return true };
    report_missing(&missing.display().to_string(), "cargo xtask test --only packages installs it");
    false
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("the folder can be written to");
    path.display().to_string()
}

fn nginx(front: Front, places: &Places, folder: &Path, command: &mut Command) {
    let own = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {own}/{what};"))
        .join(" ");
    let page = front.page();
    let mut config = page.block("nginx", 0);
    if front == Front::NginxInclude {
        let file = lists::nginx_file().display().to_string();
        let location = page.block("nginx", 1).put("/etc/nginx/doorward-headers.conf", file);
        config = config.put_part(&location, "location = /doorward-verify");
    }
    let config = config
        .put("127.0.0.1:9200", places.edge.to_string())
        .put("127.0.0.1:8080", places.backend.to_string())
        .put("listen 80;", format!("listen {};", places.front))
        .put("\nhttp {", format!("\nhttp {{ access_log off; {temporary}"));
    let config = write(folder, "nginx.conf", config.text());
    // with a master process its workers would outlive it
    let process = format!("daemon off; master_process off; pid {own}/pid;");
    command.args(["-e", "stderr", "-c", &config, "-p"]).arg(folder).args(["-g", &process]);
}

fn caddy(places: &Places, folder: &Path, command: &mut Command) {
    let config = Front::Caddy.page().block("caddyfile", 0);
    let config = config
        .put("cloud.example.org {", format!("http://:{} {{", places.front.port()))
        .put("127.0.0.1:9200", places.edge.to_string())
        .put("127.0.0.1:8080", places.backend.to_string())
        .between("{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n", "");
    let config = write(folder, "Caddyfile", config.text());
    command.args(["run", "--adapter", "caddyfile", "--config", &config]);
}

fn traefik(places: &Places, folder: &Path, command: &mut Command) {
    let page = Front::Traefik.page();
    let dynamic = page.block("yaml", 1);
    let dynamic =
        dynamic.put("127.0.0.1:9200", places.edge.to_string()).put("127.0.0.1:8080", places.backend.to_string());
    let dynamic = write(folder, "doorward.yaml", dynamic.text());
    let fixed = page.block("yaml", 0);
    let fixed = fixed
        .put("\":80\"", format!("\"{}\"", places.front))
        .put("/etc/traefik/doorward.yaml", dynamic)
        .between("global: { checkNewVersion: false, sendAnonymousUsage: false }\n", "");
    command.arg(format!("--configFile={}", write(folder, "traefik.yaml", fixed.text())));
}

fn haproxy(places: &Places, folder: &Path, command: &mut Command) {
    let page = Front::HaProxy.page();
    let lua = page.block("lua", 0).put("127.0.0.1:9200", places.edge.to_string());
    let lua = write(folder, "doorward.lua", lua.text());
    let config = page.block("haproxy", 0);
    let config = config
        .put("/etc/haproxy/doorward.lua", lua)
        .put("bind :80", format!("bind {}", places.front))
        .put("127.0.0.1:8080", places.backend.to_string());
    // in the foreground, without a master
    command.args(["-db", "-f", &write(folder, "haproxy.cfg", config.text())]);
}

fn envoy(front: Front, places: &Places, folder: &Path, command: &mut Command) {
    let page = front.page();
    let mut config = page.block("yaml", 0);
    if front == Front::EnvoyHttp {
        config = config.put_part(&page.block("yaml", 1), "envoy.filters.http.router");
    }
    let port = |address: SocketAddr| format!("port_value: {} ", address.port());
    let config = config
        .put("address: 0.0.0.0, port_value: 80 ", format!("address: 127.0.0.1, {}", port(places.front)))
        .put("port_value: 8080 ", port(places.backend))
        .put("port_value: 9201 ", port(places.edge_grpc))
        .put("port_value: 9200 ", port(places.edge));
    // without a restart that hands over: it would share memory with others of the machine
    command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
    command.args(["-c", &write(folder, "envoy.yaml", config.text())]);
}
