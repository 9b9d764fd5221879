//! The servers that are measured, each a process of its own so that its CPU time and memory can be read.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use authn::BoxError;
use testkit::free_address;

/// Keys that live as long as the run.
pub(crate) const MACHINE_KEY: &str = "bench-machine-key-0123456789abcdef0123";
pub(crate) const SERVICE_ACCOUNT: &str = "bench-account";
pub(crate) const SERVICE_SECRET: &str = "bench-service-secret-0123456789abcdef";
const JWT_SECRET: &str = "bench-jwt-secret-0123456789abcdef012345";
const TOKEN_KEY: &str = "bench-token-key-0123456789abcdef0123456";

/// A server's process; ended when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it answers gRPC.
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts the echo.
    pub(crate) fn echo() -> Result<Self, BoxError> {
        let address = free_address().to_string();
        let child = Command::new(std::env::current_exe()?).args(["echo", &address]).spawn()?;
        let server = Self { child, address };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// CPU time so far, user and system, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> Result<f64, BoxError> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field behind it (proc(5)).
        let fields: Vec<&str> =
            stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?.1.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(ticks * 10.0)
    }

    /// The most memory it ever had, and what it has now, in MiB.
    pub(crate) fn memory_mib(&self) -> Result<(u64, u64), BoxError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> Result<u64, BoxError> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("no memory in /proc/PID/status")?;
            Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<u64>()? / 1024)
        };
        Ok((field("VmHWM:")?, field("VmRSS:")?))
    }

    fn wait_until_it_listens(&self) -> Result<(), BoxError> {
        let address: SocketAddr = self.address.parse()?;
        let start = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err() {
            if start.elapsed() > Duration::from_secs(20) {
                return Err(format!("{address} does not answer").into());
            }
            std::thread::yield_now();
        }
        Ok(())
    }
}

/// The family in one process, with a data folder of its own.
pub(crate) struct Family {
    /// The process.
    pub(crate) server: Server,
    /// How long it took from the start until the gateway listened.
    pub(crate) start: Duration,
    binary: PathBuf,
    environment: Vec<(&'static str, String)>,
    _folder: tempfile::TempDir,
}

impl Family {
    /// Starts everything that is measured.
    pub(crate) fn start() -> Result<Self, BoxError> {
        let binary = std::env::current_exe()?.with_file_name("doorward");
        let folder = tempfile::tempdir()?;
        let address = free_address().to_string();
        let environment = environment(folder.path(), &address);
        let begin = Instant::now();
        let child = Command::new(&binary)
            .arg("server")
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let server = Server { child, address };
        server.wait_until_it_listens()?;
        Ok(Self { server, start: begin.elapsed(), binary, environment, _folder: folder })
    }

    /// Adds a person, as an operator would.
    pub(crate) fn add_person(&self, login: &str, password: &str) -> Result<(), BoxError> {
        let mut child = Command::new(&self.binary)
            .args(["user", "add", login, "--password-stdin"])
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        child.stdin.take().ok_or("no standard input")?.write_all(password.as_bytes())?;
        if child.wait()?.success() { Ok(()) } else { Err(format!("{login} could not be added").into()) }
    }
}

fn environment(folder: &std::path::Path, gateway: &str) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("OCIS_BASE_DATA_PATH", folder.join("data").display().to_string()),
        ("OCIS_CONFIG_DIR", folder.join("config").display().to_string()),
        ("OCIS_ADD_RUN_SERVICES", "auth-app".to_owned()),
        ("OCIS_JWT_SECRET", JWT_SECRET.to_owned()),
        ("OCIS_MACHINE_AUTH_API_KEY", MACHINE_KEY.to_owned()),
        ("OCIS_SERVICE_ACCOUNT_ID", SERVICE_ACCOUNT.to_owned()),
        ("OCIS_SERVICE_ACCOUNT_SECRET", SERVICE_SECRET.to_owned()),
        ("AUTH_APP_TOKEN_KEY", TOKEN_KEY.to_owned()),
        // What is measured is hashing, not remembering that a password was right a moment ago.
        ("AUTH_BASIC_CACHE_TTL", "0s".to_owned()),
        // Audit events go to a file, as they would in earnest, and not into the table.
        ("OCIS_LOG_FILE", folder.join("log").display().to_string()),
        ("GATEWAY_GRPC_ADDR", gateway.to_owned()),
        ("OCIS_REVA_GATEWAY", gateway.to_owned()),
    ];
    let users = free_address().to_string();
    let basic = free_address().to_string();
    environment.push(("USERS_GRPC_ADDR", users.clone()));
    environment.push(("GATEWAY_USERS_ENDPOINT", users));
    environment.push(("AUTH_BASIC_GRPC_ADDR", basic.clone()));
    environment.push(("GATEWAY_AUTH_BASIC_ENDPOINT", basic));
    for name in [
        "AUTH_MACHINE_GRPC_ADDR",
        "AUTH_SERVICE_GRPC_ADDR",
        "AUTH_APP_GRPC_ADDR",
        "GATEWAY_DEBUG_ADDR",
        "USERS_DEBUG_ADDR",
        "AUTH_BASIC_DEBUG_ADDR",
        "AUTH_MACHINE_DEBUG_ADDR",
        "AUTH_SERVICE_DEBUG_ADDR",
        "AUTH_APP_DEBUG_ADDR",
    ] {
        environment.push((name, free_address().to_string()));
    }
    environment
}
