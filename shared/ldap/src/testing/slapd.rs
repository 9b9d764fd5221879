//! The process.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use config::Environment;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::tree::{self, BASE, BIND_DN, BIND_PASSWORD};
use crate::Ldap;

/// How the server is to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How many entries a search may answer at most; 0 is the server's default.
    pub size_limit: u32,
    /// Whether a search with paged results (RFC 2696) may answer more in all, as in Active Directory.
    pub unlimited_in_pages: bool,
    /// How many groups Einstein is a member of in addition to those of the tree.
    pub groups: u32,
    /// Whether users may change their own passwords.
    pub self_write: bool,
    /// The lines of the entry with the password policy for all users, such as `pwdInHistory: 3`; none if empty.
    pub password_policy: &'static str,
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Slapd {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    tls_port: u16,
    child: Child,
}

impl Slapd {
    /// Starts a server with the people of [`super`]. `None` only where there is no `slapd` and the run is reduced.
    ///
    /// # Panics
    /// When there is no `slapd` and the run is not reduced, or when it does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(Options::default())
    }

    /// Like [`start`](Self::start), with options.
    pub fn start_with(options: Options) -> Option<Self> {
        let Some(program) = find("slapd") else {
            let reduced = Environment::of_process().get("DOORWARD_TEST_REDUCED") == Some("1");
            assert!(
                reduced,
                "this test needs slapd: apt-get install slapd (or set DOORWARD_TEST_REDUCED=1 to do without)"
            );
            return None;
        };
        let folder = tempfile::Builder::new().prefix("doorward-slapd-").tempdir().expect("a temporary folder");
        prepare(folder.path(), options);
        let (port, tls_port) = (free_port(), free_port());
        let child = run(&program, folder.path(), port, tls_port);
        let slapd = Self { program, folder, port, tls_port, child };
        slapd.wait();
        Some(slapd)
    }

    /// Where it speaks in plain text, and `StartTLS`.
    pub fn uri(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Where it speaks TLS.
    pub fn tls_uri(&self) -> String {
        format!("ldaps://localhost:{}", self.tls_port)
    }

    /// The file of the authority that signed its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Settings for this server.
    pub fn config(&self) -> Ldap {
        Ldap {
            uri: self.uri(),
            bind_dn: BIND_DN.into(),
            bind_password: BIND_PASSWORD.into(),
            user_base_dn: format!("ou=people,{BASE}"),
            group_base_dn: format!("ou=groups,{BASE}"),
            disabled_users_group_dn: tree::DISABLED_GROUP.into(),
            ..Ldap::default()
        }
    }

    /// The same settings as variables.
    pub fn environment(&self) -> Environment {
        let config = self.config();
        Environment::from([
            ("OCIS_LDAP_URI", config.uri),
            ("OCIS_LDAP_BIND_DN", config.bind_dn),
            ("OCIS_LDAP_BIND_PASSWORD", BIND_PASSWORD.to_owned()),
            ("OCIS_LDAP_USER_BASE_DN", config.user_base_dn),
            ("OCIS_LDAP_GROUP_BASE_DN", config.group_base_dn),
            ("OCIS_LDAP_DISABLED_USERS_GROUP_DN", config.disabled_users_group_dn),
        ])
    }

    /// Ends it at once, as a crash does.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on the same ports and with the same data.
    pub fn restart(&mut self) {
        self.stop();
        self.child = run(&self.program, self.folder.path(), self.port, self.tls_port);
        self.wait();
    }

    /// Halts it without closing anything: it accepts connections and never answers. [`restart`](Self::restart) ends that.
    pub fn freeze(&self) {
        let status = Command::new("kill").arg("-STOP").arg(self.child.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "slapd can be halted");
        let begin = Instant::now();
        // the signal is sent by then, and each thread stops on its own
        while !self.is_frozen() {
            assert!(begin.elapsed() < Duration::from_secs(20), "slapd does not halt");
            std::thread::yield_now();
        }
    }

    /// Whether the kernel says of every thread that it is stopped.
    fn is_frozen(&self) -> bool {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else { return false };
        threads.flatten().all(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("State:\tT"))
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a test's server is waited for before there is a runtime")]
    fn wait(&self) {
        let patience = Instant::now() + Duration::from_secs(10);
        for port in [self.port, self.tls_port] {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(Instant::now() < patience, "slapd does not start: {}", self.log());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = Environment::of_process().get("PATH").unwrap_or_default().to_owned();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/lib/openldap"]);
    folders.map(|folder| Path::new(folder).join(program)).find(|file| file.is_file())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn run(program: &Path, folder: &Path, port: u16, tls_port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).expect("the log");
    Command::new(program)
        .args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"), "-f"])
        .arg(folder.join("slapd.conf"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log twice"))
        .stderr(log)
        .spawn()
        .expect("slapd starts")
}

/// Writes certificates, configuration and data.
fn prepare(folder: &Path, options: Options) {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file of the test server");
    fs::create_dir(folder.join("db")).expect("the database's folder");
    certificates(&write);
    write("doorward.schema", tree::SCHEMA);
    write("slapd.conf", &configuration(folder, options));
    write("tree.ldif", &tree::ldif(options.groups, options.password_policy));
    let slapadd = find("slapadd").expect("slapadd comes with slapd");
    let output = Command::new(slapadd)
        .arg("-f")
        .arg(folder.join("slapd.conf"))
        .arg("-l")
        .arg(folder.join("tree.ldif"))
        .output()
        .expect("slapadd runs");
    assert!(output.status.success(), "slapadd: {}", String::from_utf8_lossy(&output.stderr));
}

fn certificates(write: &impl Fn(&str, &str)) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("ca.pem", &ca.self_signed(&ca_key).expect("an authority").pem());
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf = CertificateParams::new(names).expect("parameters");
    let certificate = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).expect("a certificate");
    write("cert.pem", &certificate.pem());
    write("key.pem", &key.serialize_pem());
}

fn configuration(folder: &Path, options: Options) -> String {
    let schemas = ["/etc/ldap/schema", "/etc/openldap/schema"].into_iter().find(|path| Path::new(path).is_dir());
    let schemas = schemas.expect("the schemas come with slapd");
    let modules = Path::new("/usr/lib/ldap");
    let modules = if modules.is_dir() { "modulepath /usr/lib/ldap\nmoduleload back_mdb\n" } else { "" };
    let pages = if options.unlimited_in_pages { " size.prtotal=unlimited" } else { "" };
    let limit = match options.size_limit {
        0 => String::new(),
        limit => format!("limits * size.soft={limit} size.hard={limit}{pages}\n"),
    };
    let includes: String =
        ["core", "cosine", "inetorgperson", "nis"].map(|name| format!("include {schemas}/{name}.schema\n")).concat();
    let folder = folder.display();
    let (module, overlay) = match options.password_policy {
        "" => ("", String::new()),
        // without modules it is built in
        _ => (
            if modules.is_empty() { "" } else { "moduleload ppolicy\n" },
            format!("overlay ppolicy\nppolicy_default \"{}\"\n", tree::POLICY),
        ),
    };
    let of_self = if options.self_write { "by self write " } else { "" };
    format!(
        "{includes}include {folder}/doorward.schema\n{modules}{module}\
         pidfile {folder}/pid\n\
         TLSCACertificateFile {folder}/ca.pem\nTLSCertificateFile {folder}/cert.pem\nTLSCertificateKeyFile {folder}/key.pem\n\
         database mdb\nmaxsize 16777216\nsuffix \"{BASE}\"\nrootdn \"cn=admin,{BASE}\"\ndirectory {folder}/db\n{limit}\
         access to attrs=userPassword {of_self}by anonymous auth by * none\n\
         access to * by dn.exact=\"{BIND_DN}\" read by anonymous auth by * none\n\
         {overlay}"
    )
}
