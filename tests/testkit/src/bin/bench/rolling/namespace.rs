//! A mount namespace in which one name has the addresses of both replicas, as behind the DNS of a cluster.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use authn::BoxError;

/// The name of the replicas of every service.
pub(super) const NAME: &str = "replicas.test";
/// The addresses of their machines.
pub(super) const MACHINES: [&str; 2] = ["127.0.0.1", "127.0.0.2"];

const MOUNT: &str = r#"mount --bind "$1" /etc/hosts && shift && exec "$@""#;

/// Runs this program in the namespace, with its own arguments and these.
pub(super) fn run_again(more: &[&str]) -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let hosts = folder.path().join("hosts");
    let names = MACHINES.map(|address| format!("{address} {NAME}\n")).concat();
    fs::write(&hosts, format!("127.0.0.1 localhost\n{names}"))?;
    let mut command = Command::new("unshare");
    // an account without the right to mount gets it in a namespace of users; root's own sockets stay readable without one
    if fs::metadata("/proc/self")?.uid() != 0 {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", MOUNT, "sh"]).arg(&hosts);
    command.arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).args(more);
    let status = command.status().map_err(|error| format!("unshare: {error}"))?;
    if status.success() { Ok(()) } else { Err("the scenarios have failed".into()) }
}
