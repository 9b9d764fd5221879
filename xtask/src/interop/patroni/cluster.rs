//! Two PostgreSQL servers under Patroni, and the pooler that follows the one that takes writes.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::VERSION;
use crate::interop::Session;
use crate::interop::kubernetes::start_etcd;
use crate::interop::processes::{Running, get, wait_until, write};
use crate::interop::report::{Scenarios, Trouble};
use crate::python;
use crate::tools::{self, Outcome};

/// Where Debian has programs of PostgreSQL that are not on the search path.
const POSTGRESQL: &str = "/usr/lib/postgresql";
const POOLERS: [&str; 2] = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];

/// Called by Patroni with the event and the role of the server whose port is the first argument: the pooler connects to the one that
/// takes writes.
const FOLLOW: &str = r#"#!/bin/sh
folder=$1 port=$2 role=$4
case $role in
    primary | master | promoted) ;;
    *) exit 0 ;;
esac
sed "s/@PORT@/$port/" "$folder/pgbouncer.template" > "$folder/pgbouncer.ini.$port"
mv "$folder/pgbouncer.ini.$port" "$folder/pgbouncer.ini"
[ ! -f "$folder/pgbouncer.pid" ] || kill -HUP "$(cat "$folder/pgbouncer.pid")"
"#;

/// The programs of others.
pub(super) struct Programs {
    patroni: PathBuf,
    /// The folder of those of PostgreSQL.
    postgresql: PathBuf,
    pooler: PathBuf,
    /// What commands begin with that may not run as root.
    prefix: Vec<String>,
}

impl Programs {
    /// Those of the machine, and Patroni as a Python package.
    pub(super) fn find(session: &Session<'_>) -> Result<Self, Trouble> {
        let postgresql = postgresql().ok_or_else(|| Trouble::Missing("there is no PostgreSQL".to_owned()))?;
        let pooler = POOLERS.iter().map(PathBuf::from).find(|path| path.is_file());
        let pooler = pooler.ok_or_else(|| Trouble::Missing("there is no PgBouncer".to_owned()))?;
        let folder = session.folder.join(format!("patroni-{VERSION}"));
        let patroni = folder.join("bin/patroni");
        if !patroni.is_file() {
            if !session.builds {
                return Err(Trouble::Missing("Patroni is not installed".to_owned()));
            }
            let wanted = format!("patroni[etcd3,psycopg3]=={VERSION}");
            let installed = python::environment(session.workspace, &folder, &[&wanted]);
            installed.map_err(|failure| Trouble::Missing(format!("it cannot be installed: {failure}")))?;
        }
        let prefix = unprivileged(&session.processes.scratch)?;
        Ok(Self { patroni, postgresql, pooler, prefix })
    }

    /// A call as an account that is not root.
    fn call(&self, program: &Path) -> Command {
        let Some((first, rest)) = self.prefix.split_first() else { return Command::new(program) };
        let mut command = Command::new(first);
        command.args(rest).arg(program);
        command
    }
}

/// The newest of the machine.
fn postgresql() -> Option<PathBuf> {
    let mut versions: Vec<_> = fs::read_dir(POSTGRESQL).ok()?.flatten().map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    versions.into_iter().rev().find(|folder| folder.join("initdb").is_file())
}

/// PostgreSQL and `PgBouncer` refuse to run as root: then they run in a user namespace of their own, as the account `postgres`, to
/// whom the files of this process's account belong there.
fn unprivileged(scratch: &Path) -> Result<Vec<String>, Trouble> {
    let owner = fs::metadata(scratch).map_err(|error| format!("{}: {error}", scratch.display()))?.uid();
    if owner != 0 {
        return Ok(Vec::new());
    }
    let number =
        |flag| tools::output(Command::new("id").args([flag, "postgres"])).map(|number| number.trim().to_owned());
    let user = format!("--map-user={}", number("-u")?);
    let group = format!("--map-group={}", number("-g")?);
    if !tools::answers("unshare", &["--user", &user, &group, "true"]) {
        return Err(Trouble::Missing("root needs a user namespace for PostgreSQL, and gets none".to_owned()));
    }
    Ok(vec!["unshare".to_owned(), "--user".to_owned(), user, group])
}

/// One of the servers.
struct Member<'a> {
    name: &'static str,
    /// Where Patroni answers.
    patroni: SocketAddr,
    database: SocketAddr,
    folder: PathBuf,
    running: Option<Running<'a>>,
}

/// The servers, etcd and the pooler.
pub(super) struct Cluster<'a> {
    session: &'a Session<'a>,
    logs: PathBuf,
    programs: Programs,
    pooler: SocketAddr,
    // they end in this order
    members: Vec<Member<'a>>,
    _pooler: Running<'a>,
    _etcd: Running<'a>,
}

impl<'a> Cluster<'a> {
    /// Starts everything, and waits until the second server is a synchronous standby.
    pub(super) fn start(
        session: &'a Session<'a>,
        scenarios: &Scenarios<'_>,
        etcd: &Path,
        programs: Programs,
    ) -> Outcome<Self> {
        let coordinator = session.processes.address()?;
        let etcd = start_etcd(session, scenarios, etcd, coordinator)?;
        let pooler = session.processes.address()?;
        let folder = session.processes.folder("patroni-servers")?;
        write(&folder.join("pgbouncer.template"), &template(&folder, pooler))?;
        let follow = folder.join("follow");
        write(&follow, FOLLOW)?;
        let executable = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&follow, executable).map_err(|error| format!("{}: {error}", follow.display()))?;
        let mut members = Vec::new();
        for name in ["a", "b"] {
            let own = session.processes.folder(&format!("patroni-servers/{name}"))?;
            let mut member = Member {
                name,
                patroni: session.processes.address()?,
                database: session.processes.address()?,
                folder: own,
                running: None,
            };
            write(&member.folder.join("patroni.yaml"), &member.configuration(&programs, &folder, coordinator))?;
            member.start(session, &programs, &scenarios.logs)?;
            let (role, what) = if name == "a" {
                ("/primary", "the first server takes writes")
            } else {
                ("/sync", "the second server is a synchronous standby")
            };
            member.wait_for(what, role)?;
            members.push(member);
        }
        let first = members.first().map(|member| member.database).ok_or("there is no server")?;
        for statement in ["CREATE ROLE doorward LOGIN", "CREATE DATABASE doorward OWNER doorward"] {
            sql(&programs, first, "postgres", "postgres", statement)?;
        }
        wait_until("Patroni tells the pooler", 60, || Ok(folder.join("pgbouncer.ini").is_file()))?;
        let mut command = programs.call(&programs.pooler);
        let mut running =
            session.processes.start(command.arg(folder.join("pgbouncer.ini")), &scenarios.log("pgbouncer"))?;
        let answers = || sql(&programs, pooler, "doorward", "doorward", "SELECT 1").is_ok();
        running.wait_for("the pooler answers", 60, answers)?;
        let logs = scenarios.logs.clone();
        Ok(Self { session, logs, programs, pooler, members, _pooler: running, _etcd: etcd })
    }

    /// The database by way of the pooler.
    pub(super) fn url(&self) -> String {
        format!("postgres://doorward@{}/doorward", self.pooler)
    }

    /// Whether the database, by way of the pooler, is one that takes writes.
    pub(super) fn is_writable(&self) -> bool {
        let said = sql(&self.programs, self.pooler, "doorward", "doorward", "SELECT pg_is_in_recovery()");
        said.is_ok_and(|said| said.trim() == "f")
    }

    /// Kills the server that takes writes, with its Patroni, as when its machine fails.
    pub(super) fn crash(&mut self) -> Outcome {
        let member = self.members.first_mut().ok_or("there is no server")?;
        let running = member.running.take().ok_or("the server does not run")?;
        let file = member.folder.join("data/postmaster.pid");
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let server = text.lines().next().unwrap_or_default();
        running.signal("-KILL")?;
        // its children notice that it is gone, and end at once
        tools::run(Command::new("kill").args(["-KILL", server]))
    }

    /// Starts the server that has failed; it has to become a standby of the other.
    pub(super) fn rejoined(&mut self) -> Outcome {
        let member = self.members.first_mut().ok_or("there is no server")?;
        member.start(self.session, &self.programs, &self.logs)?;
        member.wait_for("the failed server is a standby", "/replica")
    }
}

impl<'a> Member<'a> {
    fn start(&mut self, session: &'a Session<'a>, programs: &Programs, logs: &Path) -> Outcome {
        let mut command = programs.call(&programs.patroni);
        command.arg(self.folder.join("patroni.yaml"));
        self.running = Some(session.processes.start(&mut command, &logs.join(format!("patroni-{}.log", self.name)))?);
        Ok(())
    }

    /// Waits until Patroni says that the server has this role.
    fn wait_for(&mut self, what: &str, role: &str) -> Outcome {
        let address = self.patroni;
        let running = self.running.as_mut().ok_or("the server does not run")?;
        running.wait_for(what, 180, || get(address, role).is_ok_and(|(status, _)| status == 200))
    }

    fn configuration(&self, programs: &Programs, common: &Path, coordinator: SocketAddr) -> String {
        let Self { name, patroni, database, folder, .. } = self;
        let (folder, common, programs) = (folder.display(), common.display(), programs.postgresql.display());
        let port = database.port();
        // acknowledged writes are on both servers; the shortest lease that Patroni takes
        format!(
            "scope: doorward
name: {name}
restapi: {{listen: '{patroni}', connect_address: '{patroni}'}}
etcd3: {{host: '{coordinator}'}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 3
    synchronous_mode: true
    postgresql: {{use_pg_rewind: true, parameters: {{max_connections: 100, wal_log_hints: 'on'}}}}
  initdb: [{{encoding: UTF8}}, {{locale: C}}]
postgresql:
  listen: '{database}'
  connect_address: '{database}'
  data_dir: {folder}/data
  bin_dir: {programs}
  pgpass: {folder}/pgpass
  parameters: {{unix_socket_directories: {folder}}}
  pg_hba: [local all all trust, host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
  authentication: {{superuser: {{username: postgres}}, replication: {{username: replicator}}, rewind: {{username: postgres}}}}
  basebackup: [{{checkpoint: fast}}]
  callbacks:
    on_start: {common}/follow {common} {port}
    on_role_change: {common}/follow {common} {port}
"
        )
    }
}

fn template(folder: &Path, address: SocketAddr) -> String {
    format!(
        "[databases]\ndoorward = host=127.0.0.1 port=@PORT@ dbname=doorward user=doorward\n[pgbouncer]\nlisten_addr = {}\n\
         listen_port = {}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\nserver_login_retry = 1\nquery_wait_timeout = 2\npidfile = {}/pgbouncer.pid\n",
        address.ip(),
        address.port(),
        folder.display()
    )
}

/// What a statement returns.
fn sql(programs: &Programs, address: SocketAddr, user: &str, database: &str, statement: &str) -> Outcome<String> {
    let mut command = Command::new(programs.postgresql.join("psql"));
    command.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
    command.args(["--host", "127.0.0.1", "--port", &address.port().to_string(), "--username", user]);
    command.args(["--dbname", database, "--command", statement]).env("PGCONNECT_TIMEOUT", "3");
    tools::output(&mut command)
}
