//! A `PostgreSQL` cluster for one test: made by `initdb`, reached by a socket in its own folder, gone with the test.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::{Paused, Pooler, TestDatabase};
use crate::{Database, Options};

/// Ends the server when the test's process ends, however that happens: then nothing is left at the other end of stdin.
const WATCHED: &str = r#""$0/postgres" -D "$1/data" -k "$1" -h "$2" -p "$3" -c fsync=off -c full_page_writes=off -c max_connections=200 >"$1/log" 2>&1 &
server=$!; read -r _; kill -QUIT "$server"; wait "$server""#;

/// The port of a server that listens at its socket only.
const SOCKET_PORT: u16 = 5432;

/// A running `PostgreSQL` server with trust authentication on a socket that only this account and root reach.
pub struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    /// Whose the server is, if not this process's account.
    account: Option<(u32, u32)>,
    /// Where it answers by TLS on 127.0.0.1, if it does.
    port: Option<u16>,
    watcher: Child,
    databases: AtomicU32,
}

impl Cluster {
    /// Starts one. `None` if there is no `PostgreSQL` and `DOORWARD_TEST_REDUCED=1` says that this is known.
    ///
    /// # Panics
    /// If there is none and the environment does not allow for that, or if it does not start.
    pub async fn start() -> Option<Self> {
        Self::start_at(None, |_, _| ()).await
    }

    /// Starts one that also answers by TCP and TLS on 127.0.0.1, with this certificate and its key (PEM).
    ///
    /// # Panics
    /// As of [`start`](Self::start).
    pub async fn start_with_tls(certificate: &str, key: &str) -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        Self::start_at(Some(port), |data, account| write_certificate(data, account, certificate, key)).await
    }

    /// Starts one whose data folder `prepare` may change, for its account.
    async fn start_at(port: Option<u16>, prepare: impl FnOnce(&Path, Option<(u32, u32)>)) -> Option<Self> {
        let Some(programs) = programs() else {
            report_missing("PostgreSQL", "postgresql");
            return None;
        };
        let (folder, account) = place();
        initialise(&programs, folder.path(), account);
        prepare(&folder.path().join("data"), account);
        let watcher = serve(&programs, folder.path(), account, port);
        let cluster = Self { programs, folder, account, port, watcher, databases: AtomicU32::new(0) };
        cluster.ready().await;
        Some(cluster)
    }

    /// Another server that follows this one, which from now on confirms a transaction when both of them have it.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn standby(&self) -> Self {
        let (folder, account) = place();
        let mut copy = self.program("pg_basebackup");
        copy.current_dir(folder.path()).args(["-U", "doorward", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-h"]);
        copy.arg(self.folder.path()).arg("-D").arg(folder.path().join("data"));
        assert!(as_account(&mut copy, account).status().expect("pg_basebackup starts").success(), "it copies");
        let watcher = serve(&self.programs, folder.path(), account, None);
        let databases = AtomicU32::new(self.databases.load(Ordering::Relaxed));
        let standby = Self { programs: self.programs.clone(), folder, account, port: None, watcher, databases };
        standby.ready().await;
        self.streams().await;
        self.set("synchronous_standby_names", "'*'");
        standby
    }

    /// Makes a standby the server that takes writes, as is done when the first one is lost.
    ///
    /// # Panics
    /// If it is none.
    pub fn promote(&self) {
        let mut promote = self.program("pg_ctl");
        promote.args(["promote", "-s", "-w", "-D"]).arg(self.folder.path().join("data"));
        let status = as_account(promote.current_dir(self.folder.path()), self.account).status();
        assert!(status.expect("pg_ctl starts").success(), "the standby is promoted");
    }

    /// Ends the server at once, as a crash of all its processes does.
    pub fn crash(&mut self) {
        drop(self.watcher.stdin.take());
        // nothing to be done about a failure
        let _ = self.watcher.wait();
    }

    /// Starts the server again after a crash.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn recover(&mut self) {
        self.watcher = serve(&self.programs, self.folder.path(), self.account, self.port);
        self.ready().await;
    }

    /// Lets all processes of the server hang until the result is dropped.
    ///
    /// # Panics
    /// If they do not stop.
    pub fn pause(&self) -> Paused {
        let file = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).expect("the server runs");
        Paused::with_children(file.lines().next().and_then(|line| line.parse().ok()).expect("a process"))
    }

    /// Has transactions of all sessions, also those that there are, refuse to write, or write again.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn refuse_writes(&self, refuses: bool) {
        self.set("default_transaction_read_only", if refuses { "on" } else { "off" });
    }

    /// Waits until a standby receives what this server writes: only then can it confirm a transaction.
    async fn streams(&self) {
        let began = Instant::now();
        while !self.is_followed() {
            assert!(began.elapsed() < Duration::from_mins(1), "the standby does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn is_followed(&self) -> bool {
        let sql = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name <> 'pg_basebackup'";
        let mut psql = self.program("psql");
        psql.args(["-XtA", "-U", "doorward", "-d", "postgres", "-c", sql, "-h"]).arg(self.folder.path());
        let output = psql.stderr(Stdio::inherit()).output().expect("psql starts");
        assert!(output.status.success(), "{sql}");
        !output.stdout.trim_ascii().is_empty()
    }

    /// Changes a setting of the running server.
    fn set(&self, name: &str, value: &str) {
        // one after the other: the first is not possible in a transaction
        for sql in [&*format!("ALTER SYSTEM SET {name} = {value}"), "SELECT pg_reload_conf()"] {
            let mut psql = self.program("psql");
            psql.args(["-q", "-U", "doorward", "-d", "postgres", "-c", sql, "-h"]).arg(self.folder.path());
            let psql = psql.env("PGOPTIONS", "-c default_transaction_read_only=off").stdout(Stdio::null());
            assert!(psql.status().expect("psql starts").success(), "{sql}");
        }
    }

    /// An empty database of its own.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn fresh_database(&self) -> TestDatabase {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let options = Options { statement_timeout: Duration::from_mins(1), ..Options::default() };
        let server = Database::connect(&self.url("postgres"), &options).await.expect("the server answers");
        let create = format!("CREATE DATABASE {name}");
        server.connection().execute_unprepared(&create).await.expect("the server makes a database");
        TestDatabase { url: self.url(&name), _folder: None, _removal: None }
    }

    /// A `PgBouncer` in front of it, in transaction mode, with more settings. `None` if there is none and
    /// `DOORWARD_TEST_REDUCED=1` says that this is known.
    ///
    /// # Panics
    /// If there is none and nothing says so, or if it does not start.
    pub async fn pooler(&self, settings: &str) -> Option<Pooler> {
        Pooler::start(self.folder.path(), self.account, settings).await
    }

    /// The URL of the database that every server has.
    pub fn server_url(&self) -> String {
        self.url("postgres")
    }

    /// The URL of the same database by TCP and TLS, for a server that was started so; `host` is 127.0.0.1 or a name of it.
    ///
    /// # Panics
    /// If it was not.
    pub fn tls_url(&self, host: &str) -> String {
        format!("postgres://doorward@{host}:{}/postgres", self.port.expect("it answers by TLS"))
    }

    fn url(&self, database: &str) -> String {
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        format!("postgres://doorward@localhost{port}/{database}?host={}", self.folder.path().display())
    }

    async fn ready(&self) {
        let options = Options { patience: Duration::from_mins(1), ..Options::default() };
        if let Err(error) = Database::connect(&self.url("postgres"), &options).await {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            panic!("PostgreSQL does not start: {error}\n{log}");
        }
    }

    /// One of the server's other programs, which some packages install elsewhere.
    fn program(&self, name: &str) -> Command {
        let file = self.programs.join(name);
        Command::new(if file.is_file() { file } else { name.into() })
    }

    /// The folder with its socket.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // the folder is removed after this
        self.crash();
    }
}

/// A folder for a server, and whose it is.
fn place() -> (TempDir, Option<(u32, u32)>) {
    // a socket's path may have 107 bytes: a long TMPDIR would not do
    let folder = tempfile::Builder::new().prefix("doorward-pg-").tempdir_in("/tmp").expect("a temporary folder");
    let account = unprivileged(folder.path());
    (folder, account)
}

/// Starts a server, which ends with the result's standard input. Without a port it listens at its socket only.
fn serve(programs: &Path, folder: &Path, account: Option<(u32, u32)>, port: Option<u16>) -> Child {
    let address = if port.is_some() { "127.0.0.1" } else { "" };
    let mut watcher = Command::new("sh");
    watcher.args(["-c", WATCHED]).arg(programs).arg(folder).arg(address);
    watcher.arg(port.unwrap_or(SOCKET_PORT).to_string()).current_dir(folder).stdin(Stdio::piped());
    as_account(&mut watcher, account).spawn().expect("sh starts")
}

#[expect(clippy::disallowed_methods, reason = "tests find their programs through the environment of the process")]
pub(super) fn of_environment(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_default()
}

/// Fails a test whose program is not installed, unless `DOORWARD_TEST_REDUCED=1` says that this is known.
pub(super) fn report_missing(program: &str, package: &str) {
    assert!(
        of_environment("DOORWARD_TEST_REDUCED") == "1",
        "this test needs {program}: install the package {package} (Debian), or set DOORWARD_TEST_REDUCED=1 to go without"
    );
}

/// The folders that programs are looked for in.
pub(super) fn on_path() -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(&of_environment("PATH")).collect::<Vec<_>>().into_iter()
}

/// The folder of `initdb` and `postgres`: from `PATH`, or the newest that Debian installs outside it.
fn programs() -> Option<PathBuf> {
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    on_path()
        .chain(debian.into_iter().rev())
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// `PostgreSQL` refuses to run as root: then the account `postgres` of the package does it, in a folder that it owns.
fn unprivileged(folder: &Path) -> Option<(u32, u32)> {
    let owner = std::fs::metadata(folder).expect("the folder is there").uid();
    if owner != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").expect("there are accounts");
    let account = accounts.lines().find(|line| line.starts_with("postgres:")).expect("there is an account postgres");
    let mut numbers = account.split(':').skip(2).map(|number| number.parse().expect("a number"));
    let (user, group) = (numbers.next().expect("a user number"), numbers.next().expect("a group number"));
    chown(folder, Some(user), Some(group)).expect("root may give a folder away");
    Some((user, group))
}

pub(super) fn as_account(command: &mut Command, account: Option<(u32, u32)>) -> &mut Command {
    match account {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}

fn initialise(programs: &Path, folder: &Path, account: Option<(u32, u32)>) {
    let mut initdb = Command::new(programs.join("initdb"));
    initdb.current_dir(folder).args(["-U", "doorward", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D"]);
    initdb.arg(folder.join("data")).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = as_account(&mut initdb, account).spawn().expect("initdb starts");
    let mut problem = String::new();
    running.stderr.take().expect("stderr is piped").read_to_string(&mut problem).expect("initdb speaks UTF-8");
    assert!(running.wait().expect("initdb ends").success(), "initdb failed: {problem}");
}

/// Has the server of this data folder use TLS.
fn write_certificate(data: &Path, account: Option<(u32, u32)>, certificate: &str, key: &str) {
    for (name, text) in [("server.crt", certificate), ("server.key", key)] {
        let file = data.join(name);
        std::fs::write(&file, text).expect("the data folder can be written");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("sets the mode");
        if let Some((user, group)) = account {
            chown(&file, Some(user), Some(group)).expect("root may give a file away");
        }
    }
    let settings = data.join("postgresql.auto.conf");
    std::fs::write(settings, "ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n").expect("writes");
}
