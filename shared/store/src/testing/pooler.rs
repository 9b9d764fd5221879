//! A `PgBouncer` in front of a cluster, which hands out sessions transaction by transaction.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::TestDatabase;
use super::cluster::{as_account, on_path, report_missing};

/// Ends the pooler when the test's process ends, however that happens: then nothing is left at the other end of stdin.
const WATCHED: &str = r#""$0" "$1/pgbouncer.ini" >"$1/log" 2>&1 &
pooler=$!; read -r _; kill -KILL "$pooler"; wait "$pooler""#;

/// A running pooler, at a socket in its own folder.
pub struct Pooler {
    folder: TempDir,
    watcher: Child,
}

impl Pooler {
    /// Starts one. `None` if there is no `PgBouncer` and `DOORWARD_TEST_REDUCED=1` says that this is known.
    pub(super) async fn start(cluster: &Path, account: Option<(u32, u32)>, settings: &str) -> Option<Self> {
        let Some(program) = program() else {
            report_missing("PgBouncer", "pgbouncer");
            return None;
        };
        let folder =
            tempfile::Builder::new().prefix("doorward-pooler-").tempdir_in("/tmp").expect("a temporary folder");
        let (sockets, cluster) = (folder.path().display(), cluster.display());
        let file = format!(
            "[databases]\n* = host={cluster} user=doorward\n[pgbouncer]\nlisten_port = 6432\nunix_socket_dir = {sockets}\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n{settings}\n"
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), file).expect("the file can be written");
        if let Some((user, group)) = account {
            chown(folder.path(), Some(user), Some(group)).expect("root may give a folder away");
        }
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCHED]).arg(program).arg(folder.path()).current_dir(folder.path());
        let watcher = as_account(&mut watcher, account).stdin(Stdio::piped()).spawn().expect("sh starts");
        let pooler = Self { folder, watcher };
        pooler.ready().await;
        Some(pooler)
    }

    /// The URL of a database of the cluster, by way of the pooler.
    pub fn url(&self, database: &TestDatabase) -> String {
        format!("postgres://doorward@localhost:6432/{}?host={}", database.name(), self.folder.path().display())
    }

    async fn ready(&self) {
        let (socket, begin) = (self.folder.path().join(".s.PGSQL.6432"), Instant::now());
        while !socket.exists() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(begin.elapsed() < Duration::from_secs(30), "PgBouncer does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // nothing to be done about a failure; the folder is removed after this
        let _ = self.watcher.wait();
    }
}

/// Debian keeps it where only root's path leads.
fn program() -> Option<PathBuf> {
    let debian = PathBuf::from("/usr/sbin/pgbouncer");
    on_path().map(|folder| folder.join("pgbouncer")).chain([debian]).find(|program| program.is_file())
}
