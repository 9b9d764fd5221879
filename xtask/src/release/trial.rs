//! The package, the tarball and the program that `cargo install` leaves, on a machine with a systemd of its own: a container
//! (systemd-nspawn) of this machine's files, whose changes are thrown away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::tools::{self, Outcome};

/// What is done on the machine: what it shows, the commands, and a part of what they print.
const STEPS: [(&str, &str, &str); 14] = [
    (
        "is enabled and runs after its installation",
        "dpkg --install /package.deb; systemctl is-enabled doorward.service; systemctl is-active doorward.service",
        "enabled\nactive",
    ),
    (
        "has reported that it serves",
        "systemctl show --property=StatusText --value doorward.service; \
         systemctl show --property=NRestarts --value doorward.service",
        "serving\n0",
    ),
    (
        "runs with its own account",
        "ps -o user= -p \"$(systemctl show --property=MainPID --value doorward.service)\"",
        "doorward",
    ),
    (
        "is little exposed",
        "systemd-analyze security --no-pager --threshold=20 doorward.service",
        "Overall exposure level",
    ),
    (
        "has a first administrator",
        "doorwardctl user add admin --mail admin@example.org --role admin --generate",
        "password of admin",
    ),
    ("is ready", "doorwardctl health", "ready"),
    (
        "answers HTTPS",
        "curl -sS --insecure https://localhost:9200/.well-known/openid-configuration",
        "\"https://localhost:9200\"",
    ),
    (
        "opens a rotated audit log again",
        "mv /var/lib/doorward/audit.log /var/lib/doorward/audit.log.1; systemctl reload doorward.service; \
         for i in $(seq 100); do test -e /var/lib/doorward/audit.log && break; sleep 0.1; done; \
         stat --format=%U /var/lib/doorward/audit.log; systemctl is-active doorward.service",
        "doorward\nactive",
    ),
    (
        "reads a secret that only systemd can read",
        "(umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' >/etc/doorward/credentials/jwt-secret); \
         mkdir -p /etc/systemd/system/doorward.service.d; \
         printf '[Service]\\nLoadCredential=jwt-secret:/etc/doorward/credentials/jwt-secret\\n\
         Environment=OCIS_JWT_SECRET_FILE=%%d/jwt-secret\\n' >/etc/systemd/system/doorward.service.d/secrets.conf; \
         systemctl daemon-reload; systemctl restart doorward.service; doorwardctl config show gateway; doorwardctl user list",
        "OCIS_JWT_SECRET_FILE",
    ),
    (
        "serves a port that systemd has bound",
        "sed -i 's/^PROXY_HTTP_ADDR=.*/PROXY_HTTP_ADDR=:443/' /etc/doorward/doorward.env; \
         systemctl stop doorward.service; systemctl enable --now doorward-https.socket; systemctl start doorward.service; \
         curl -sS --insecure https://localhost/.well-known/openid-configuration",
        "\"https://localhost\"",
    ),
    (
        "redirects plain HTTP at a port that systemd has bound",
        "echo PROXY_HTTP_REDIRECT_ADDR=:80 >>/etc/doorward/doorward.env; \
         systemctl stop doorward-https.socket doorward.service; \
         systemctl enable --now doorward-https.socket doorward-http.socket; systemctl start doorward.service; \
         curl -sS --output /dev/null --write-out '%{http_code} %{redirect_url}\\n' http://localhost/account; \
         curl -sS --insecure --output /dev/null --write-out '%{http_code}\\n' \
         https://localhost/.well-known/openid-configuration",
        "308 https://localhost/account\n200",
    ),
    (
        "does not restart with an invalid setting",
        "echo OCIS_LOG_LEVEL=loud >>/etc/doorward/doorward.env; systemctl restart doorward.service || true; \
         systemctl show --property=NRestarts --value doorward.service; \
         systemctl show --property=ExecMainStatus --value doorward.service; \
         sed -i '$d' /etc/doorward/doorward.env; systemctl reset-failed doorward.service; \
         systemctl restart doorward.service; systemctl is-active doorward.service",
        "0\n64\nactive",
    ),
    (
        "is stopped when it is removed, and its settings stay",
        "dpkg --remove doorward; \
         if systemctl is-active doorward.service doorward-https.socket doorward-http.socket; then exit 1; fi; \
         ls /etc/doorward/doorward.env",
        "/etc/doorward/doorward.env",
    ),
    (
        "leaves its data when it is purged",
        "dpkg --purge doorward; if test -e /etc/doorward/doorward.env; then exit 1; fi; ls /var/lib/doorward/users.db",
        "are kept; to delete them: rm -r /var/lib/doorward",
    ),
];

/// The tarball as a service, by the commands of the page on installation. The secret that a step above has configured went with the
/// package.
const TARBALL_AS_A_SERVICE: &str = "rm -rf /etc/systemd/system/doorward.service.d; cd /release/doorward-*; \
    cp --recursive --no-clobber etc /; cp --recursive usr /; systemd-sysusers doorward.conf; \
    systemd-tmpfiles --create doorward.conf; systemctl daemon-reload; systemctl enable --now doorward.service; \
    systemctl is-active doorward.service; curl -sS --insecure https://localhost:9200/.well-known/openid-configuration; \
    systemctl disable --now doorward.service";
/// The files of a release on the machine.
const PACKAGE: &str = "package.deb";
const TARBALL: &str = "tarball.tar.gz";
const PROGRAM: &str = "installed-doorward";
/// In the metadata of the provider, where nothing is configured.
const ISSUER: &str = "\"https://localhost:9200\"";

/// Where root finds programs.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a release consists of, for a machine.
pub(super) struct Files<'a> {
    /// The Debian package.
    pub(super) package: &'a Path,
    /// The tarball.
    pub(super) tarball: &'a Path,
    /// The program that `cargo install` has made.
    pub(super) program: &'a Path,
}

/// Installs, uses, removes and purges the package, then uses the tarball and the installed program; fails at the first step that is not
/// as it should be.
pub(super) fn run(files: &Files<'_>) -> Outcome {
    if !tools::answers("systemd-nspawn", &["--version"]) {
        return Err("there is no systemd-nspawn; install the package systemd-container, and run it as root".into());
    }
    let machine = Machine::boot(files)?;
    for (about, commands, expected) in STEPS {
        machine.check(&format!("the package {about}"), commands, expected)?;
    }
    let unpack = format!("mkdir /release; tar --extract --file /{TARBALL} --directory /release");
    let start = quickstart("/release/doorward-*/usr/bin/doorward");
    machine.check("the tarball starts where it is unpacked", &format!("{unpack}; {start}"), ISSUER)?;
    machine.check("the tarball is installed as a service", TARBALL_AS_A_SERVICE, ISSUER)?;
    machine.check("what cargo installs starts", &quickstart(&format!("/{PROGRAM}")), ISSUER)
}

/// Commands that start a program with new data, print the metadata of its provider, and stop it.
fn quickstart(program: &str) -> String {
    format!(
        "OCIS_BASE_DATA_PATH=$(mktemp -d) {program} quickstart >/tmp/quickstart.log 2>&1 & \
         for i in $(seq 300); do \
         curl -s --fail --insecure https://localhost:9200/.well-known/openid-configuration && break; sleep 0.1; done; \
         kill $! || {{ cat /tmp/quickstart.log >&2; exit 1; }}; wait $! || true"
    )
}

/// A machine in a container, which ends with this.
struct Machine {
    container: Child,
    /// Its files, which are unmounted after its end.
    _mounts: Mounts,
}

impl Machine {
    fn boot(files: &Files<'_>) -> Outcome<Self> {
        let folder = files.package.with_file_name("trial");
        let (changes, root) = (folder.join("changes"), folder.join("root"));
        let (upper, work) = (changes.join("upper"), changes.join("work"));
        let make = |path: &Path| fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()));
        let mut mounts = Mounts(Vec::new());
        make(&changes)?;
        mounts.mount(&["-t", "tmpfs", "tmpfs"], &changes)?;
        [&upper, &work, &root].into_iter().try_for_each(|path| make(path))?;
        let layers = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
        mounts.mount(&["-t", "overlay", "overlay", "-o", &layers], &root)?;
        let failed = |error: std::io::Error| format!("{}: {error}", root.display());
        // a machine of its own, on which packages may start their services
        fs::write(root.join("etc/machine-id"), "").map_err(failed)?;
        let _ = fs::remove_file(root.join("usr/sbin/policy-rc.d"));
        for (file, name) in [(files.package, PACKAGE), (files.tarball, TARBALL), (files.program, PROGRAM)] {
            fs::copy(file, root.join(name)).map_err(failed)?;
        }
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn.args(["--quiet", "--machine=doorward-trial", "--private-network", "--register=no", "--keep-unit"]);
        nspawn.args(["--boot", "--console=pipe"]).arg("--directory").arg(&root);
        nspawn.args(["--", "systemd.unit=basic.target"]).stdin(Stdio::null()).stdout(Stdio::null());
        let container = nspawn.spawn().map_err(|error| format!("systemd-nspawn: {error}"))?;
        let machine = Self { container, _mounts: mounts };
        machine.wait()?;
        Ok(machine)
    }

    /// Returns once its systemd has started everything.
    fn wait(&self) -> Outcome {
        for _ in 0..300 {
            // units of this machine's that fail in a container make it degraded
            let state = self.run("systemctl is-system-running --wait || true").unwrap_or_default();
            if matches!(state.trim(), "running" | "degraded") {
                return Ok(());
            }
            #[expect(clippy::disallowed_methods, reason = "no executor runs here that could be blocked")]
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the machine does not start; its systemd is not running".into())
    }

    /// Runs commands on the machine; they have to succeed and to print this.
    fn check(&self, about: &str, commands: &str, expected: &str) -> Outcome {
        let printed = self.run(commands).map_err(|failure| format!("{about}: {failure}"))?;
        if !printed.contains(expected) {
            return Err(format!("{about}: {expected:?} is not in {printed:?}"));
        }
        tools::say(about);
        Ok(())
    }

    /// Runs commands on the machine until one fails; what they print.
    fn run(&self, commands: &str) -> Outcome<String> {
        let parent = self.container.id().to_string();
        let first = tools::output(Command::new("pgrep").args(["--parent", &parent]))?;
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            first.lines().next().unwrap_or_default(),
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
        ]);
        command.args(["/bin/sh", "-ec", commands]).env_clear();
        command.env("PATH", SEARCH_PATH).env("DEBIAN_FRONTEND", "noninteractive");
        tools::output(&mut command)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // it may have ended of itself
        let _ = self.run("systemctl poweroff --force --force");
        let _ = self.container.kill();
        let _ = self.container.wait();
    }
}

/// File systems that are mounted as long as this exists.
struct Mounts(Vec<PathBuf>);

impl Mounts {
    fn mount(&mut self, what: &[&str], path: &Path) -> Outcome {
        tools::run(Command::new("mount").args(what).arg(path))?;
        self.0.push(path.to_owned());
        Ok(())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            if let Err(failure) = tools::run(Command::new("umount").arg(path)) {
                tools::say(&failure);
            }
        }
    }
}
