//! The Debian packages that the tests start programs of, and the npm package that some are tested against.

use std::path::Path;
use std::process::Command;

use crate::tools::{self, Outcome, Workspace};

/// Where the npm packages are named, with the hashes of their contents.
const PEER: &str = "shared/conformance/peer";

struct Package {
    name: &'static str,
    /// What the tests need it for.
    purpose: &'static str,
    is_there: fn() -> bool,
}

const PACKAGES: [Package; 6] = [
    Package { name: "curl", purpose: "calls as the documents show them", is_there: || in_a_path("curl") },
    Package { name: "nodejs", purpose: "OpenID Providers that are not ours", is_there: || in_a_path("node") },
    Package { name: "npm", purpose: "installing those", is_there: || in_a_path("npm") },
    Package { name: "slapd", purpose: "a real LDAP directory", is_there: || in_a_path("slapd") },
    Package { name: "ldap-utils", purpose: "filling that directory", is_there: || in_a_path("ldapadd") },
    Package {
        name: "postgresql",
        purpose: "the stores on PostgreSQL",
        is_there: || in_a_path("initdb") || postgres_of_debian(),
    },
];

/// Installs what is missing if this is root on Debian; says what to install otherwise. The npm packages go into their own folder.
pub(crate) fn ensure(workspace: &Workspace) -> Outcome {
    debian()?;
    peer(workspace)
}

/// An OpenID Provider that is not ours, exactly as its lock file has it.
fn peer(workspace: &Workspace) -> Outcome {
    if workspace.root.join(PEER).join("node_modules/oidc-provider").exists() {
        return Ok(());
    }
    tools::say(&format!("installing: the npm packages of {PEER}"));
    tools::run(workspace.program("npm".as_ref()).args(["ci", "--no-audit", "--no-fund", "--prefix", PEER]))
}

fn debian() -> Outcome {
    let missing: Vec<&Package> = PACKAGES.iter().filter(|package| !(package.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    for package in &missing {
        tools::say(&format!("missing: {} ({})", package.name, package.purpose));
    }
    if !is_root() || !tools::answers("apt-get", &["--version"]) {
        let command = format!("apt-get install --no-install-recommends {}", names.join(" "));
        return Err(format!("as root run: {command}; or leave those tests out: cargo xtask test --reduced"));
    }
    tools::say(&format!("installing: {}", names.join(" ")));
    install(&names)?;
    match PACKAGES.iter().find(|package| !(package.is_there)()) {
        Some(package) => Err(format!("{} is installed, but its programs are not found", package.name)),
        None => Ok(()),
    }
}

/// The packages, in words.
pub(crate) fn names() -> String {
    PACKAGES.map(|package| package.name).join(", ")
}

fn install(names: &[&str]) -> Outcome {
    tools::run(apt_get().args(["update", "--quiet"]))?;
    tools::run(apt_get().args(["install", "--quiet", "--yes", "--no-install-recommends"]).args(names))
}

/// The tests start servers of their own; run level 1 keeps the packages from starting theirs.
fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    command
}

fn is_root() -> bool {
    tools::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Servers are often in folders that only root's search path has.
fn in_a_path(program: &str) -> bool {
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    folders.iter().any(|folder| Path::new(folder).join(program).exists())
}

/// Where Debian keeps the programs of the database server: a folder a version.
fn postgres_of_debian() -> bool {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin/initdb").exists())
}
